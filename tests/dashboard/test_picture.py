"""The picture: words, marks and where they stand, on a console without colours."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from scripted_session import Script, estimate, noise, silence, start

from streamer.circumplex import MOODS
from streamer.dashboard.canvas import Picture
from streamer.dashboard.closing import closing
from streamer.dashboard.look import Look
from streamer.dashboard.panel import headline
from streamer.dashboard.picture import render
from streamer.dashboard.timeline import timeline
from streamer.events import End, Event, Gap, Notice
from streamer.sinks.history import History, Snapshot
from streamer.sinks.meter import Level

FULL, COMPACT, LINE = (100, 30), (60, 16), (50, 5)
SIZES = [FULL, COMPACT, (80, 24), (140, 40), (240, 70), (100, 29), (99, 30), (60, 60), LINE]
PLAIN = Look(colours="none")
ASCII = Look(unicode=False, colours="none")


def after(*events: Event, level: Level | None = None) -> Snapshot:
    """The snapshot after a start and some events."""
    history = History(clock=lambda: 0.0)
    history.write(start())
    for event in events:
        history.write(event)
    return replace(history.snapshot(), level=level)


def scripted(seconds: float = 68.0) -> Snapshot:
    history = History(clock=lambda: 0.0)
    history.write(start())
    Script(history).advance(seconds)
    return history.snapshot()


def shown(picture: Picture, size: tuple[int, int]) -> list[str]:
    """The lines as a console without colours prints them."""
    file = io.StringIO()
    console = Console(
        file=file,
        width=size[0],
        height=size[1],
        color_system=None,
        force_terminal=False,
        legacy_windows=False,
    )
    console.print(picture)
    return file.getvalue().splitlines()


def text(
    snapshot: Snapshot, size: tuple[int, int] = FULL, look: Look = PLAIN, hint: str = ""
) -> str:
    return "\n".join(shown(render(snapshot, size, look, hint), size))


def dots(lines: list[str]) -> set[tuple[int, int]]:
    """The braille dots of some lines, (x, y) from the upper left."""
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    return {
        (2 * x + dx, 4 * y + dy)
        for y, line in enumerate(lines)
        for x, character in enumerate(line)
        if 0x2800 <= ord(character) < 0x2900
        for bit, (dx, dy) in enumerate(places)
        if ord(character) - 0x2800 >> bit & 1
    }


def plane(lines: list[str]) -> list[str]:
    """The inside of the frame of the plane."""
    top = next(y for y, line in enumerate(lines) if "╭" in line)
    bottom = next(y for y, line in enumerate(lines) if "╰" in line)
    left, right = lines[top].index("╭"), lines[top].index("╮")
    return [line[left + 1 : right] for line in lines[top + 1 : bottom]]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("look", [PLAIN, ASCII])
def test_every_line_has_the_width_of_the_screen(size: tuple[int, int], look: Look) -> None:
    """No line is longer or shorter than the screen, and the picture fills it, or is a few lines."""
    lines = shown(render(scripted(), size, look, "q quit"), size)
    assert {cell_len(line) for line in lines} == {size[0]}
    one_line = size[0] < 60 or size[1] < 16
    # The scripted session has just lost something: where there is a second line, it says so.
    assert len(lines) == (min(2, size[1]) if one_line else size[1])


def test_the_full_layout_shows_everything() -> None:
    """Source, model, plane, word, numbers, quadrants, level, timeline, position, losses, keys."""
    lines = shown(render(scripted(), FULL, PLAIN, "q quit  r new song  space freeze"), FULL)
    whole = "\n".join(lines)
    assert lines[0].startswith(" ♪ Gymnopédie No. 1.flac  file · 44.1 kHz · stereo")
    assert lines[0].endswith("deam-hybrid-1 ")
    for word in ("TENSE", "HAPPY", "SAD", "CALM", "arousal ▲", "valence ▶", *MOODS.values()):
        assert word in whole
    assert "valence  -0.22 ± 0.19" in whole
    assert any("happy    █" in line and line.endswith("8 % ") for line in lines)
    assert any("level    ━" in line and "dB" in line and "┃" in line for line in lines)
    assert lines[-3].startswith(" ±0.5")
    assert "silence" in lines[-3]
    assert "gap" in lines[-3]
    assert [line.split()[0] for line in lines if line.startswith((" valence", " arousal"))] == [
        "valence",
        "arousal",
    ]
    assert lines[-2].startswith(" 1:08 ━━━")
    assert lines[-2].endswith("── 3:45 ")
    assert lines[-1].startswith(" ! 1 gap, 17,640 samples lost: ring overrun at 1:03")
    assert lines[-1].endswith("q quit  r new song  space freeze ")


def test_the_compact_layout_keeps_what_matters() -> None:
    """At 60 x 16: the plane with its quadrants, the word, numbers, bars, level and timeline."""
    lines = shown(render(scripted(30.0), COMPACT, PLAIN, "q  r  space"), COMPACT)
    whole = "\n".join(lines)
    assert "Gymnopédie No. 1.flac" in lines[0]
    for word in ("TENSE", "HAPPY", "SAD", "CALM", "SERENE", "valence", "arousal", "level"):
        assert word in whole
    assert "excited" not in whole, "the circle of words has no room"
    assert lines[-2].startswith("0:30 ━━━━")
    assert "no gaps" in lines[-1]
    assert lines[-1].endswith("q  r  space")


def test_one_line_tells_the_most() -> None:
    """In a small window one line has the word, the numbers, the level and the time."""
    line, news = shown(render(scripted(30.0), (78, 5), PLAIN), (78, 5))
    assert news.strip() == ""
    assert line.startswith("serene     v +0.24  a -0.12  -18 dB  0:30/3:45")
    assert "Gymnopédie" in line
    (line,) = shown(render(scripted(30.0), (8, 1), PLAIN), (8, 1))
    frozen = "FROZEN at 30 s: space goes on"
    assert shown(render(scripted(30.0), (40, 2), PLAIN, frozen, urgent=True), (40, 2))[1:] == [
        frozen.ljust(40)
    ]
    assert shown(render(scripted(30.0), (20, 1), PLAIN, frozen, urgent=True), (20, 1)) == [
        "FROZEN at 30 …oes on"
    ]
    assert line.strip() == "serene"


def test_nothing_is_claimed_before_the_first_estimate() -> None:
    """Without an estimate there is no point, no number and no percentage."""
    for snapshot, word in (
        (Snapshot(), "WAITING"),
        (after(), "WAITING"),
        (after(level=Level(-30.0, -20.0)), "LISTENING"),
    ):
        lines = shown(render(snapshot, COMPACT, PLAIN), COMPACT)
        assert word in "\n".join(lines)
        assert not dots(plane(lines))
        assert "%" not in "\n".join(lines)
        assert "valence  --" in "\n".join(lines)
    assert "opening the source" in text(Snapshot())


def test_silence_is_said_and_not_judged() -> None:
    """While silent there is a mark and no point; the trail of what was heard remains."""
    heard = [estimate(n * 0.1, 0.3 - n * 0.01, 0.2) for n in range(1, 30)]
    snapshot = after(*heard, silence(3.0), level=Level(-120.0, -120.0))
    whole = text(snapshot, COMPACT)
    assert "SILENCE" in whole
    assert "valence  --" in whole
    assert "%" not in whole
    assert dots(plane(shown(render(snapshot, FULL, PLAIN), FULL))), "the trail"
    full = text(snapshot)
    assert " SILENT " in full
    assert "-120 dB" in full


def test_zeros_and_clipping_are_marked() -> None:
    """A dead cable and a hot input have marks that need no colour."""
    assert " ALL ZEROS " in text(after(silence(4.0), level=Level(-120.0, -120.0, False, 4.0)))
    assert " CLIP " in text(after(estimate(4.0), level=Level(-3.0, 0.0, True)))
    assert "CLIP" in text(after(estimate(4.0), level=Level(-3.0, 0.0, True)), LINE)


def test_a_source_that_says_nothing_is_said() -> None:
    """Seconds without anything coming in stand in the last line."""
    whole = text(replace(scripted(), waiting_s=7))
    assert "! nothing has come in for 7 s" in whole


def test_a_notice_is_news_for_some_seconds() -> None:
    """What the source has to say is read in the last line, then leaves it."""
    notice = Notice(10.0, "the device went away: waiting for it")
    assert "! the device went away: waiting for it" in text(after(notice, estimate(11.0)))
    assert "went away" not in text(after(notice, estimate(30.0)))


def test_gaps_are_counted_for_ever_and_news_for_a_while() -> None:
    """After the news, the count stays."""
    gap = Gap(5.0, 0.1, 4410, False, "overflow")
    assert "! 1 gap, 4,410 samples lost: overflow at 0:05" in text(after(gap, estimate(6.0)))
    later = text(after(gap, replace(gap, t=7.0), estimate(60.0)))
    assert "2 gaps, 8,820 samples lost" in later
    assert "overflow at" not in later
    assert "GAP" in text(after(gap, estimate(6.0)), LINE)


def strips(lines: list[str]) -> tuple[list[str], list[str], str]:
    """The strips of valence and of arousal beside their names, and the axis of time."""
    first = next(y for y, line in enumerate(lines) if line.startswith(" valence"))
    second = next(y for y, line in enumerate(lines) if line.startswith(" arousal"))
    half = (len(lines) - 3 - second) // 2
    tall = 2 * half

    def beside(y: int) -> list[str]:
        return [line[9:-1] for line in lines[y : y + tall]]

    return beside(first), beside(second), lines[-3][9:-1]


def test_no_music_is_said_and_not_judged() -> None:
    """While what is heard is no music the screen says so in words, and shows no numbers."""
    shown = text(after(estimate(2.5), noise(3.0), level=Level(-30.0, -20.0)))
    assert " NO MUSIC HEARD " in shown
    assert "valence  --" in shown
    assert headline(after(noise(3.0))) == ("no music", None)


def test_the_timeline_names_what_is_no_music() -> None:
    """A minute of speech is shaded and named below, beside a silence that has its own name."""
    history = History(clock=lambda: 0.0)
    history.write(start())
    for half in range(1, 121):
        event = noise if half < 50 else silence if half < 90 else estimate
        history.write(event(half / 2))
    axis = timeline(history.snapshot().bins, 100, 9, 2, PLAIN)[-1]
    written = "".join(part.text for part in axis)
    assert written.index("no music") < written.index("silence")


def test_the_timeline_shows_gaps_and_silence_where_they_were() -> None:
    """One cell is one second: a silence of twelve seconds is eleven or twelve shaded cells."""
    valence, arousal, axis = strips(shown(render(scripted(75.0), FULL, PLAIN), FULL))
    assert len(valence) == len(arousal) == 4
    for line in (*valence, *arousal):
        assert 11 <= line.count("░") <= 12
        shade = line.index("░")
        assert set(line[shade : line.rindex("░") + 1]) == {"░"}, "no curve in silence"
        assert line.count("┃") == 1
        assert line.index("┃") == axis.index("gap")
        assert line.index("┃") - shade == 63 - 40
        assert axis.index("silence") == shade
    assert axis.index("╵0:20") == shade - 20


@pytest.mark.parametrize(("valence", "arousal"), [(0.4, -0.4), (-0.25, 0.1), (0.02, -0.5)])
def test_each_strip_is_filled_from_zero_to_its_value(valence: float, arousal: float) -> None:
    """Up where positive and down where negative, as high as the share of the scale."""
    events = [estimate(n * 0.25, valence, arousal) for n in range(1, 120)]
    picture = render(after(*events), FULL, PLAIN)
    for value, strip in zip((valence, arousal), strips(shown(picture, FULL))[:2], strict=True):
        half = len(strip) // 2
        column = [line[-2] for line in strip]
        upper, lower = list(reversed(column[:half])), column[half:]
        eighths = round(abs(value) / 0.5 * half * 8)
        if value > 0:
            assert sum(" ▁▂▃▄▅▆▇█".index(mark) for mark in upper) == eighths
            assert set(lower) == {" "}
        else:
            assert upper == ["▁", *" " * (half - 1)], "the line of zero"
            empty = [0 if mark == " " else " ▁▂▃▄▅▆▇█".index(mark) % 8 for mark in lower]
            assert 8 * sum(mark != " " for mark in lower) - sum(empty) == eighths


def test_what_is_filled_downwards_is_reversed() -> None:
    """A block fills from below: only reversed can it hang from the line of zero."""
    events = [estimate(n * 0.25, 0.3, -0.3) for n in range(1, 120)]
    picture = render(after(*events), FULL, PLAIN)
    reversed_text = "".join(
        segment.text
        for line in picture.lines
        for segment in line
        if segment.style is not None and segment.style.reverse
    )
    assert set(reversed_text) == {"▆"}
    assert len(reversed_text) in (29, 30)


def test_curves_that_run_together_do_not_hide_each_other() -> None:
    """Equal values give equal strips, both of them whole."""
    events = [estimate(n * 0.25, 0.3, 0.3) for n in range(1, 120)]
    valence, arousal, _ = strips(shown(render(after(*events), FULL, PLAIN), FULL))
    assert valence == arousal
    assert "█" in valence[1]


@pytest.mark.parametrize(("highest", "scale"), [(0.4, "±0.5"), (0.6, "±0.75"), (0.9, "±1 ")])
def test_the_scale_of_the_timeline_is_written_below_it(highest: float, scale: str) -> None:
    """Half of the range while all that is visible fits in it, else the next that does."""
    events = [estimate(n * 0.25, highest, -0.1) for n in range(1, 40)]
    assert shown(render(after(*events), FULL, PLAIN), FULL)[-3].startswith(f" {scale}")


@pytest.mark.parametrize("width", [60, 67, 68, 80, 100, 240])
def test_the_timeline_shows_a_minute_or_more(width: int) -> None:
    """In every width at least sixty seconds can be seen; in a wide window, more."""
    events = [estimate(n * 0.25, 0.3, 0.3) for n in range(1, 2000)]
    size = (width, 30)
    axis = shown(render(after(*events), size, PLAIN), size)[-3]
    times = [word for word in axis.replace("╵", " ").split() if ":" in word]
    first, last = (
        sum(60**n * int(part) for n, part in enumerate(reversed(word.split(":"))))
        for word in (times[0], times[-1])
    )
    assert last - first >= 40
    if width >= 240:
        assert last - first >= 200


@pytest.mark.parametrize("valence", [-1.0, -0.5, 0.0, 0.31, 1.0])
@pytest.mark.parametrize("arousal", [-1.0, -0.25, 0.0, 0.77, 1.0])
def test_the_point_stands_at_its_place(valence: float, arousal: float) -> None:
    """The full disc of the present lies where valence and arousal say, to the dot."""
    snapshot = after(estimate(1.0, valence, arousal, sd=(0.001, 0.001)))
    inside = plane(shown(render(snapshot, FULL, PLAIN), FULL))
    width, height = 2 * len(inside[0]), 4 * len(inside)
    x, y = (valence + 1) / 2 * (width - 1), (1 - arousal) / 2 * (height - 1)
    drawn = dots(inside)
    near = {(dx, dy) for dx, dy in drawn if math.hypot(dx - x, dy - y) < 4}
    assert (round(x), round(y)) in near
    assert near == drawn, "no other dot where nothing is uncertain"
    if abs(valence) < 1 and abs(arousal) < 1:
        assert len(near) >= 21


def test_the_glow_is_as_wide_as_the_uncertainty() -> None:
    """Half the deviation, half the glow; the line of one deviation lies where it should."""
    spans = []
    for sd in (0.4, 0.2):
        snapshot = after(estimate(1.0, 0.0, 0.0, sd=(sd, sd)))
        inside = plane(shown(render(snapshot, (140, 40), PLAIN), (140, 40)))
        drawn = dots(inside)
        spans.append(max(x for x, _ in drawn) - min(x for x, _ in drawn))
        edge = (1 + sd) / 2 * (2 * len(inside[0]) - 1)
        middle = 2 * len(inside)
        assert any(abs(x - edge) <= 1 and abs(y - middle) <= 3 for x, y in drawn)
    assert spans[0] / spans[1] == pytest.approx(2, rel=0.25)


def test_the_trail_leads_from_the_past_to_the_point() -> None:
    """Points of the last ten seconds are joined; older ones have left."""
    events = [estimate(n * 0.1, -0.8 + n * 0.01, 0.5, sd=(0.01, 0.01)) for n in range(161)]
    inside = plane(shown(render(after(*events), (140, 40), PLAIN), (140, 40)))
    columns = 2 * len(inside[0])
    drawn = {x for x, y in dots(inside)}
    at_ten_seconds = (-0.8 + 60 * 0.01 + 1) / 2 * columns
    assert min(drawn) == pytest.approx(at_ten_seconds, abs=3)
    recent = range(round((0.45 + 1) / 2 * columns), round((0.8 + 1) / 2 * columns) - 5)
    assert set(recent) <= drawn, "the young part is a joined line up to the ring of the point"


def test_the_present_word_stands_in_large_type() -> None:
    """Half blocks spell the word over five lines; in ASCII it is spaced capitals."""
    snapshot = after(estimate(1.0, 0.3, -0.2))
    lines = shown(render(snapshot, FULL, PLAIN), FULL)
    large = [line[52:] for line in lines if set("▀▄█") & set(line[52:])]
    assert len(large) >= 4
    assert "S E R E N E" in text(snapshot, FULL, ASCII)


def test_long_names_are_shortened_in_the_middle() -> None:
    """Both ends of a long device name stay readable, and the rate stays."""
    name = "alsa_input.usb-Focusrite_Scarlett_18i20_USB_" + "x" * 200 + ".multichannel-input"
    history = History(clock=lambda: 0.0)
    history.write(start(name, kind="device", duration_s=None))
    history.write(estimate(61.0))
    for size in (FULL, COMPACT):
        lines = shown(render(history.snapshot(), size, PLAIN), size)
        assert "alsa_input.usb-Focus" in lines[0]
        assert "l-input" in lines[0]
        assert "deam-hybrid-1" in lines[0]
        assert {cell_len(line) for line in lines} == {size[0]}
    assert lines[-2].startswith("● live 1:01")


@pytest.mark.parametrize(
    "name",
    [
        "夜に駆ける.flac",
        "좋은 날.mp3",
        "🎷🎹 jazz 👩🏽‍🎤 set ❤️.wav",
        "🇫🇷 chanson.ogg",
        "Ame\u0301lie \u200b.flac",
        "tab\there\nand there\x1b[31m red.wav",
        "مقام راست.opus",
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_wide_and_strange_characters_keep_the_lines_straight(
    name: str, size: tuple[int, int]
) -> None:
    """A name in any script, with emoji or control characters, never shifts a line."""
    history = History(clock=lambda: 0.0)
    history.write(start(name))
    history.write(estimate(1.0))
    for look in (PLAIN, ASCII):
        lines = shown(render(history.snapshot(), size, look), size)
        assert {cell_len(line) for line in lines} == {size[0]}
        assert "\x1b" not in "".join(lines)
        if look is ASCII:
            assert all(line.isascii() for line in lines)


def test_a_file_is_shown_without_its_folders() -> None:
    """The name of a file is what matters; a device's name stays whole, slashes and all."""
    history = History(clock=lambda: 0.0)
    history.write(start("/home/someone/music/album/song.flac"))
    assert shown(render(history.snapshot(), FULL, PLAIN), FULL)[0].startswith(" ♪ song.flac  file")
    history.write(start("USB/Line 1", kind="device"))
    assert "♪ USB/Line 1" in shown(render(history.snapshot(), FULL, PLAIN), FULL)[0]


def test_ascii_alone_serves_where_there_is_no_unicode() -> None:
    """Every layout can be encoded in ASCII, with a point, curves and bars in it."""
    for size in SIZES:
        whole = text(scripted(), size, ASCII, "q quit")
        assert whole.isascii()
        if size[0] >= 60 and size[1] >= 16:
            assert "@" in whole
            assert "####" in whole
            assert "...." in whole


def test_a_live_source_shows_its_time_and_no_bar() -> None:
    """Without a length there is no progress, only the time since the beginning."""
    history = History(clock=lambda: 0.0)
    history.write(start("Monitor of Built-in Audio", kind="device", duration_s=None, channels=1))
    history.write(estimate(3725.0))
    line = shown(render(history.snapshot(), FULL, PLAIN), FULL)[-2]
    assert line.strip() == "● live 1:02:05"
    history.write(End(3725.0, 1, 1, 0, 0, None))
    line = shown(render(history.snapshot(), FULL, PLAIN), FULL)[-2]
    assert line.strip() == "● ended at 1:02:05"


def test_the_same_arguments_give_the_same_picture() -> None:
    """``render`` has no memory."""
    first, other = scripted(68.0), scripted(20.0)
    picture = render(first, FULL, PLAIN)
    render(other, FULL, PLAIN)
    render(first, (140, 40), ASCII)
    assert render(first, FULL, PLAIN) == picture


snapshots = st.builds(
    lambda valence, arousal, sd, t, level, gaps, name, silent: after_any(
        valence, arousal, sd, t, level, gaps, name, silent=silent
    ),
    st.floats(-1, 1),
    st.floats(-1, 1),
    st.floats(1e-6, 5),
    st.floats(0.01, 1e6),
    st.one_of(st.none(), st.builds(Level, st.floats(-120, 20), st.floats(-120, 20), st.booleans())),
    st.integers(0, 3),
    st.text(max_size=60),
    st.booleans(),
)


def after_any(
    valence: float,
    arousal: float,
    sd: float,
    t: float,
    level: Level | None,
    gaps: int,
    name: str,
    *,
    silent: bool,
) -> Snapshot:
    history = History(clock=lambda: 0.0)
    history.write(start(name, duration_s=t if gaps % 2 else None))
    history.write(estimate(t / 2, -valence, arousal, (sd, sd)))
    for number in range(gaps):
        history.write(Gap(t / 2 + number, 0.2, 10**number, False, name))
    history.write(silence(t) if silent else estimate(t, valence, arousal, (sd, sd)))
    return replace(history.snapshot(), level=level)


@given(
    snapshots,
    st.tuples(st.integers(1, 260), st.integers(1, 80)),
    st.booleans(),
    st.text(alphabet="qr space", max_size=40),
)
def test_any_snapshot_fits_any_screen(
    snapshot: Snapshot, size: tuple[int, int], unicode: bool, hint: str
) -> None:
    """Whatever happened and whatever the size: lines of the screen's width, never too many."""
    lines = render(snapshot, size, Look(unicode, "none"), hint).text()
    assert {cell_len(line) for line in lines} == {size[0]}
    assert 1 <= len(lines) <= size[1]
    if not unicode:
        assert all(line.isascii() for line in lines)


@given(snapshots, st.integers(1, 200))
def test_any_session_can_be_summed_up_in_any_width(snapshot: Snapshot, width: int) -> None:
    """The closing picture never wraps in a window of 21 cells or more."""
    history = History(clock=lambda: 0.0)
    if snapshot.start is not None:
        history.write(snapshot.start)
    for gap in [snapshot.last_gap] if snapshot.last_gap is not None else []:
        history.write(gap)
    if snapshot.latest is not None:
        history.write(snapshot.latest)
    lines = closing(history.summary(), width, PLAIN).text()
    assert max(cell_len(line) for line in lines) <= max(20, width - 1)


def test_the_closing_picture_tells_the_session() -> None:
    """Length, shares, mean and range, the moments with their times, and what was lost."""
    history = History(clock=lambda: 0.0)
    history.write(start())
    Script(history).advance(200.0)
    lines = closing(history.summary(), 100, PLAIN).text()
    whole = "\n".join(lines)
    assert lines[0] == "♪ Gymnopédie No. 1.flac  3:20 heard with deam-hybrid-1"
    for word in ("tense", "calm", "happy", "sad", "silent", "highest arousal", "lowest valence"):
        assert word in whole
    assert "0:26  serene    highest valence  v +0.40  a -0.17" in whole
    assert "valence  -0.00 ± 0.22  -0.41 to +0.41" in whole
    assert lines[-1] == "  1 gap: 17,640 samples, 0.40 s lost"
    assert all(line == line.rstrip() for line in lines)


def test_the_closing_picture_has_a_row_for_what_was_no_music() -> None:
    """Half a minute of music, half of speech: each has its share, silence has none."""
    history = History(clock=lambda: 0.0)
    history.write(start())
    for half in range(1, 121):
        history.write((estimate if half <= 60 else noise)(half / 2))
    lines = closing(history.summary(), 100, PLAIN).text()
    assert any(line.split()[:2] == ["no", "music"] and " 50 %" in line for line in lines)
    assert not any("silent" in line for line in lines)


def test_a_silent_session_closes_without_figures() -> None:
    """Nothing is invented where nothing was heard."""
    history = History(clock=lambda: 0.0)
    history.write(silence(5.0))
    history.write(silence(5.5))
    lines = closing(history.summary(), 80, PLAIN).text()
    assert "  silence all the way" in lines
    history.write(noise(6.0))
    assert "  no music heard" in closing(history.summary(), 80, PLAIN).text()
    assert not any("%" in line for line in lines)
