"""Pictures of sessions: what is drawn, where lines break, and what is refused."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from scripted_session import estimate, noise, silence, start, wander

from streamer.analysis import plot
from streamer.analysis.plot import curve, draw, unjudged
from streamer.analysis.recorded import Recording
from streamer.errors import MissingExtraError, OutputError, StreamerError
from streamer.events import Estimate, Gap


def session(
    name: str = "song.flac",
    silent: tuple[float, float] = (20.0, 25.0),
    gaps: tuple[Gap, ...] = (Gap(40.1, 0.6, 26460, False, "overflow"),),
    seconds: float = 60.0,
) -> Recording:
    times = [t for t in np.arange(0.5, seconds + 0.1, 0.5) if not 40.1 <= t < 40.7]
    estimates: list[Estimate] = []
    for t in map(float, times):
        quiet = silent[0] <= t < silent[1]
        estimates.append(silence(t) if quiet else estimate(t, *wander(t)))
    return Recording(Path("a.jsonl"), start(name), tuple(estimates), gaps, None)


def test_the_curve_breaks_at_silence_and_gaps() -> None:
    """No line joins what lies on both sides of a silence or a gap."""
    points = curve(session())
    broken = points.t[np.isnan(points.mean[:, 0])]
    assert broken.tolist() == [*np.arange(20.0, 25.0, 0.5).tolist(), 40.1]
    assert np.isnan(points.sd[np.isnan(points.mean[:, 0])]).all()
    known = ~np.isnan(points.mean[:, 0])
    assert known.sum() > 100
    np.testing.assert_allclose(points.mean[known][0], wander(0.5))


def test_a_long_session_is_thinned_and_its_breaks_kept() -> None:
    """A day's estimates become a few thousand points; every gap still breaks the line."""
    many = session(
        silent=(-1, -1),
        gaps=tuple(Gap(t + 0.2, 0.1, 1, False, "x") for t in range(100, 20000, 500)),
        seconds=20000.0,
    )
    points = curve(many)
    assert 3000 < np.count_nonzero(~np.isnan(points.mean[:, 0])) <= 6000
    assert np.count_nonzero(np.isnan(points.mean[:, 0])) == len(many.gaps)


def test_silences_are_found() -> None:
    """A silence reaches from the last music before it to its last estimate; at the end too."""
    assert unjudged(session(), "silence") == [(19.5, 24.5)]
    assert unjudged(session(silent=(50.0, 99.0)), "silence") == [(49.5, 60.0)]
    assert unjudged(session(silent=(0.0, 3.0)), "silence") == [(0.0, 2.5)]
    assert unjudged(session(silent=(-1.0, -1.0)), "silence") == []


def test_what_is_no_music_is_another_stretch() -> None:
    """Speech between music and silence: each has its own stretch."""
    whole = session(silent=(20.0, 25.0))
    spoken = [noise(e.t) if 25.0 <= e.t < 30.0 else e for e in whole.estimates]
    mixed = dataclasses.replace(whole, estimates=tuple(spoken))
    assert unjudged(mixed, "silence") == [(19.5, 24.5)]
    assert unjudged(mixed, "no music") == [(24.5, 29.5)]


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf", ".PNG"])
def test_every_format_is_written(tmp_path: Path, ending: str) -> None:
    """The file begins as its kind must, and holds a picture and not an empty page."""
    out = tmp_path / f"out{ending}"
    draw([session()], out)
    begins = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert out.read_bytes().startswith(begins[ending.lower()])
    assert out.stat().st_size > 10_000


def test_the_same_session_gives_the_same_file(tmp_path: Path) -> None:
    """No date and no random name: a picture under version control changes with its session."""
    for ending in ("svg", "pdf"):
        first, second = (tmp_path / f"{number}.{ending}" for number in range(2))
        draw([session()], first)
        draw([session()], second)
        assert first.read_bytes() == second.read_bytes()


def drawn(tmp_path: Path, *sessions: Recording, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of a picture, as an SVG holds them when letters stay letters."""
    import matplotlib as mpl

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")
    out = tmp_path / "out.svg"
    draw(sessions, out)
    from xml.etree import ElementTree

    tree = ElementTree.parse(out)
    return ["".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text")]


def test_one_session_is_named_and_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture says whose it is, where it begins and ends, and what the shades mean."""
    texts = drawn(tmp_path, session(), monkeypatch=monkeypatch)
    for text in ("song.flac", "begin", "end", "silence", "gap", "valence", "arousal", "HAPPY"):
        assert text in texts
    assert "0:20" in texts


def test_several_sessions_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its name in the legend; a name cannot hide there or turn into mathematics."""
    names = ["one.flac", "_two.flac", "$three$.flac"]
    texts = drawn(
        tmp_path,
        *(session(name, silent=(-1, -1), gaps=()) for name in names),
        monkeypatch=monkeypatch,
    )
    assert [text.strip() for text in texts if text.strip() in names] == names
    assert "silence" not in texts
    assert "gap" not in texts


def test_names_in_any_script_are_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Letters that the font lacks stay letters, control characters are blanks, long names short."""
    names = ("夜に駆ける", "a\x00\nb", "x" * 300, "")
    sessions = [session(name, seconds=5.0) for name in names]
    texts = drawn(tmp_path, *sessions, monkeypatch=monkeypatch)
    for text in ("夜に駆ける", "a  b", f"{'x' * 40}…{'x' * 19}", sessions[-1].path.stem):
        assert text in texts
    assert "夜に駆ける" in drawn(tmp_path, sessions[0], monkeypatch=monkeypatch)


def test_a_session_of_silence_alone_can_be_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing judged: a plane without a way, and the silence shaded; one estimate is a point."""
    nothing = session(silent=(0.0, 99.0))
    texts = drawn(tmp_path, nothing, monkeypatch=monkeypatch)
    assert {"silence", "HAPPY"} <= set(texts)
    assert not {"begin", "end"} & set(texts)
    both = drawn(tmp_path, nothing, session("two.flac"), monkeypatch=monkeypatch)
    assert {"silence", "two.flac"} <= set(both)
    one = Recording(Path("a.jsonl"), None, (estimate(3.0),), (), None)
    texts = drawn(tmp_path, one, monkeypatch=monkeypatch)
    assert {"begin", "end", "a"} <= set(texts)
    assert "silence" not in texts


def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path: Path) -> None:
    """An unknown ending, a folder that is not there, and no session at all."""
    with pytest.raises(OutputError, match=r"use one of \.png, \.svg, \.pdf"):
        draw([session()], tmp_path / "out.gif")
    with pytest.raises(OutputError, match="cannot be written: No such file"):
        draw([session()], tmp_path / "nowhere" / "out.png")
    with pytest.raises(StreamerError, match="no session to draw"):
        draw([], tmp_path / "out.png")


def test_without_matplotlib_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says what is missing and how to get it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'emotion-streamer\[plot\]'"):
        draw([session()], tmp_path / "out.png")
    assert plot.FORMATS
