"""From a snapshot of the history to a picture of the screen: a pure function.

Three layouts: full from 100 x 30 cells on, compact from 60 x 16, one line below that, and what must
be read under it or in its place. Every line is exactly as wide as the screen, and there are never
more lines than it has.
"""

from __future__ import annotations

from rich.cells import cell_len

from streamer.dashboard.canvas import Canvas, Picture, heard_name, shorten, tame
from streamer.dashboard.look import BOLD, DIM, PLAIN, Look
from streamer.dashboard.panel import draw_panel, headline, line, tint
from streamer.dashboard.plane import draw_plane
from streamer.dashboard.timeline import clock, timeline
from streamer.sinks.history import Snapshot

FULL = (100, 30)
COMPACT = (60, 16)
#: Seconds of stream time for which a notice or a gap is news.
_NEWS_S = 8.0


def render(
    snapshot: Snapshot,
    size: tuple[int, int],
    look: Look | None = None,
    hint: str = "",
    *,
    urgent: bool = False,
) -> Picture:
    """The picture of a snapshot for a screen of ``size`` (width, height) cells.

    ``hint`` stands in the lower right corner: the keys, or, where it is ``urgent``, that the
    picture is frozen. The same arguments always give the same picture.
    """
    look = look or Look()
    width, height = max(1, size[0]), max(1, size[1])
    if width < COMPACT[0] or height < COMPACT[1]:
        texts, pressing = status(snapshot, look)
        news = hint if urgent else texts[0] if pressing else ""
        canvas = Canvas(width, min(2, height))
        if height > 1 or not news:
            _one_line(canvas, snapshot, look)
        news = shorten(news, width, unicode=look.unicode)
        canvas.write(0, canvas.height - 1, news, look.ink("warn", bold=True))
        return canvas.picture()
    full = width >= FULL[0] and height >= FULL[1]
    margin = 1 if full else 0
    # Two strips of equal height, a line between them where there is room, and the axis of time.
    half = max(1, round(height * 0.065)) if full else max(1, height // 13)
    curve_rows = 4 * half + (2 if full else 1)
    body = 2 if full else 1
    plane_rows = height - body - curve_rows - 2
    # The timeline is drawn apart and put between the plane and the two last lines.
    canvas = Canvas(width, body + plane_rows + 2)
    plane_width = max(22, min(width * 48 // 100, round(2.75 * plane_rows)))
    panel_left = margin + plane_width + (3 if full else 2)
    _header(canvas, snapshot, look, margin)
    draw_plane(canvas, margin, body, plane_width, plane_rows, snapshot, look)
    draw_panel(canvas, panel_left, body, width - panel_left - margin, plane_rows, snapshot, look)
    _progress(canvas, plane_rows + body, margin, snapshot, look)
    _footer(canvas, plane_rows + body + 1, margin, snapshot, look, hint)
    lines = canvas.picture().lines
    curves = timeline(snapshot.bins, width, curve_rows, margin, look)
    return Picture(lines[:-2] + curves + lines[-2:])


def source_name(snapshot: Snapshot, look: Look) -> str:
    """What is listened to, fit for the screen."""
    if snapshot.start is None:
        return ""
    return heard_name(snapshot.start.source, unicode=look.unicode)


def _header(canvas: Canvas, snapshot: Snapshot, look: Look, margin: int) -> None:
    """The source on the left, its kind and rate after it, the model on the right."""
    start = snapshot.start
    if start is None:
        canvas.write(margin, 0, "opening the source", DIM)
        return
    source = start.source
    rate = source.get("rate", start.sample_rate)
    frequency = f"{rate / 1000:g} kHz" if isinstance(rate, (int, float)) else ""
    channels = source.get("channels")
    facts = [str(source.get("kind", "")), frequency]
    if isinstance(channels, int) and channels > 1:
        facts.append("stereo" if channels == 2 else f"{channels} channels")
    dot = " · " if look.unicode else ", "
    about = tame(dot.join(fact for fact in facts if fact), unicode=look.unicode)
    model = tame(start.model, unicode=look.unicode)
    model = shorten(model, max(8, canvas.width // 4), unicode=look.unicode)
    right = canvas.write_right(canvas.width - margin, 0, model, DIM) - 2
    x = canvas.write(margin, 0, "♪ " if look.unicode else "> ", look.ink("calm", bold=True))
    name = source_name(snapshot, look)
    # A name that needs the room gets it: kind and channels go first, then the rate.
    for text in (about, frequency, ""):
        if x + cell_len(name) + 2 + cell_len(text) <= right or not text:
            x = canvas.write(x, 0, shorten(name, max(0, right - x), unicode=look.unicode), BOLD)
            canvas.write(x + 2, 0, text, DIM)
            break


def _progress(canvas: Canvas, y: int, margin: int, snapshot: Snapshot, look: Look) -> None:
    """Position and length of a file with a bar; the time since the beginning otherwise."""
    length = _length(snapshot)
    now = clock(snapshot.t)
    if length is None:
        live = "●" if look.unicode else "*"
        word = "ended at" if snapshot.end is not None else "live"
        x = canvas.write(margin, y, f"{live} {word} ", look.ink("calm", bold=True))
        canvas.write(x, y, now, BOLD)
        return
    total = clock(length)
    x = canvas.write(margin, y, now.rjust(len(total)), BOLD) + 1
    room = canvas.width - margin - len(total) - 1 - x
    share = min(1.0, snapshot.t / length) if length > 0 else 1.0
    line(canvas, x, y, room, share, look)
    canvas.write_right(canvas.width - margin, y, total, DIM)


def _footer(canvas: Canvas, y: int, margin: int, snapshot: Snapshot, look: Look, hint: str) -> None:
    """What a person should know on the left, the keys on the right."""
    end = canvas.width - margin
    texts, urgent = status(snapshot, look)
    # The keys give way to what must be read.
    if hint and cell_len(texts[-1]) + 2 + cell_len(hint) <= end - margin:
        end = canvas.write_right(end, y, hint, DIM) - 2
    room = max(0, end - margin)
    text = next((text for text in texts if cell_len(text) <= room), texts[-1])
    ink = look.ink("warn", bold=True) if urgent else PLAIN
    canvas.write(margin, y, shorten(text, room, unicode=look.unicode), ink)


def status(snapshot: Snapshot, look: Look) -> tuple[list[str], bool]:
    """The news if there is any, else how the work goes, the longest wording first.

    The second value says whether it is urgent.
    """
    notice, gap = snapshot.notice, snapshot.last_gap
    if snapshot.waiting_s:
        return [f"! nothing has come in for {snapshot.waiting_s} s"], True
    if notice is not None and 0 <= snapshot.t - notice.t < _NEWS_S:
        return [f"! {tame(notice.message, unicode=look.unicode)}"], True
    lost = losses(snapshot)
    if gap is not None and snapshot.t - gap.t - gap.seconds < _NEWS_S:
        cause = tame(gap.cause, unicode=look.unicode)
        return [f"! {lost}: {cause} at {clock(gap.t)}", f"! {lost}"], True
    if snapshot.real_time_factor is None:
        return [lost], False
    percent = 100 * snapshot.real_time_factor
    share = f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"
    dot = " · " if look.unicode else ", "
    full = f"computing takes {share} of real time{dot}{lost}"
    return [full, f"{share} of real time{dot}{lost}", f"{share}{dot}{lost}", lost], percent >= 100


def losses(snapshot: Snapshot) -> str:
    """Gaps and lost samples in words."""
    if not snapshot.gaps:
        return "no gaps"
    plural = "" if snapshot.gaps == 1 else "s"
    return f"{snapshot.gaps} gap{plural}, {snapshot.lost_samples:,} samples lost"


def _length(snapshot: Snapshot) -> float | None:
    if snapshot.start is None:
        return None
    length = snapshot.start.source.get("duration_s")
    return float(length) if isinstance(length, (int, float)) else None


def _one_line(canvas: Canvas, snapshot: Snapshot, look: Look) -> None:
    """The word, the numbers, the level, the time: as much of it as there is room for."""
    word, quadrant = headline(snapshot)
    ink = BOLD if quadrant is None else tint(snapshot, look)
    reading, level = snapshot.reading, snapshot.level
    parts = [(word.ljust(9) if canvas.width >= 24 else word, ink)]
    if snapshot.gaps and snapshot.last_gap is not None:
        fresh = snapshot.t - snapshot.last_gap.t < _NEWS_S
        if fresh:
            parts.append(("GAP", look.ink("warn", bold=True)))
    if level is not None and level.clipped:
        parts.append(("CLIP", look.ink("warn", bold=True)))
    if reading is not None and reading.valence is not None and reading.arousal is not None:
        parts.append((f"v {reading.valence:+.2f}", look.ink("valence", bold=True)))
        parts.append((f"a {reading.arousal:+.2f}", look.ink("arousal", bold=True)))
    if reading is not None:
        parts.append((f"{reading.level_db:.0f} dB", PLAIN))
    length = _length(snapshot)
    now = clock(snapshot.t)
    parts.append((f"{now}/{clock(length)}" if length is not None else now, DIM))
    if snapshot.gaps:
        parts.append((losses(snapshot), PLAIN))
    parts.append((source_name(snapshot, look), DIM))
    x = 0
    for index, (text, style) in enumerate(parts):
        if index and x + cell_len(text) + 2 > canvas.width:
            continue
        x = canvas.write(x + (2 if index else 0), 0, text, style)
