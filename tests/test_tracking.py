"""``streamer.track`` and ``streamer.listen``: a session as an iterable of its estimates."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fake_portaudio import TONE

import streamer
from streamer import Estimate, Model
from streamer.audio.source import Lost, Piece, Remark, SourceInfo
from streamer.events import COLUMNS, End, Event
from streamer.session import Session
from streamer.sinks.jsonl import JsonLinesFile

RATE = 16_000


def same(ours: list[Estimate], theirs: list[Estimate]) -> bool:
    """Whether estimates agree to what is promised, 1e-5."""
    return [e.t for e in ours] == [e.t for e in theirs] and all(
        a.valence == pytest.approx(b.valence, abs=1e-5)
        and a.arousal == pytest.approx(b.arousal, abs=1e-5)
        and a.silent == b.silent
        for a, b in zip(ours, theirs, strict=True)
    )


class Everything:
    """A sink that keeps what comes."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.closed = False

    def write(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def song(music: np.ndarray, tmp_path: Path) -> Path:
    """Four seconds of music, then two of silence."""
    path = tmp_path / "song.wav"
    quiet = np.zeros(2 * RATE, np.float32)
    soundfile.write(path, np.concatenate([music[: 4 * RATE], quiet]), RATE, subtype="FLOAT")
    return path


def test_a_file_gives_what_its_session_gives(song: Path, small_model: Model) -> None:
    """One by one, the estimates are the session's; start, end and length are there as well."""
    sink = Everything()
    session = Session(streamer.FileSource(song), streamer.EmotionTracker(small_model), [sink])
    end = session.run()
    theirs = [event for event in sink.events if isinstance(event, Estimate)]
    moods = streamer.track(song, model=small_model)
    first = next(iter(moods))
    assert moods.end is None, "it goes on only as it is asked"
    ours = list(moods)
    assert first is ours[0], "what was given is given again"
    assert len(ours) == 12
    assert same(ours, theirs)
    assert moods.start is not None
    assert moods.start.source["name"] == str(song)
    assert (moods.end.t, moods.end.estimates) == (end.t, end.estimates)
    assert moods.run() == moods.end
    assert list(moods) == ours


def test_columns_are_arrays(song: Path, small_model: Model) -> None:
    """All columns of one length and the right type; NaN and None where nothing was judged."""
    columns = streamer.track(song, model=small_model).columns()
    assert list(columns) == list(COLUMNS)
    assert {len(column) for column in columns.values()} == {12}
    assert columns["t"].dtype == columns["p_sad"].dtype == np.float64
    assert columns["silent"].dtype == np.bool_
    silent = columns["silent"]
    assert 0 < silent.sum() < 12
    assert (np.isnan(columns["valence"]) == silent).all()
    assert ((columns["mood"] == None) == silent).all()  # noqa: E711 - elementwise
    chances = sum(columns[f"p_{name}"] for name in ("happy", "tense", "sad", "calm"))
    np.testing.assert_allclose(chances[~silent], 1, atol=1e-5)


def test_pandas_takes_it(song: Path, small_model: Model) -> None:
    """A data frame of the columns, and one of the estimates' own dictionaries."""
    pandas = pytest.importorskip("pandas", reason="what is to take it")
    moods = streamer.track(song, model=small_model)
    frame = pandas.DataFrame(moods.columns())
    assert frame.shape == (12, len(COLUMNS))
    assert frame["valence"].isna().sum() == frame["silent"].sum()
    rows = pandas.DataFrame([estimate.to_dict() for estimate in moods])
    assert rows["t"].tolist() == frame["t"].tolist()
    assert set(rows["type"]) == {"emotion"}


@pytest.mark.parametrize("channels", [1, 2])
def test_an_array_is_heard_as_the_file_of_it(song: Path, small_model: Model, channels: int) -> None:
    """Mono or with channels, at its rate; one without a rate, or of integers, is refused."""
    samples, rate = soundfile.read(song, dtype="float32")
    array = samples if channels == 1 else np.stack([samples, samples], axis=1)
    ours = list(streamer.track(array, rate, model=small_model))
    assert same(ours, list(streamer.track(song, model=small_model)))
    with pytest.raises(ValueError, match="does not know its rate"):
        streamer.track(samples)
    with pytest.raises(ValueError, match="floats in"):
        streamer.track(np.zeros(100, np.int16), 8_000)
    with pytest.raises(ValueError, match="axes"):
        streamer.track(np.zeros((1, 2, 3)), 8_000)
    for other in (float(rate), np.int32(rate), np.float64(rate)):
        assert same(ours, list(streamer.track(array, other, model=small_model)))  # type: ignore[arg-type]
    for broken in (8_000.5, math.nan, math.inf):
        with pytest.raises(ValueError, match="a whole number"):
            streamer.track(array, broken, model=small_model)  # type: ignore[arg-type]


def test_a_stretch_and_every_frame(song: Path, small_model: Model) -> None:
    """``start_s``, ``duration_s`` and ``interval`` are those of the command line."""
    moods = streamer.track(song, model=small_model, start_s=1.0, duration_s=2.0)
    assert [round(estimate.t, 1) for estimate in moods] == [1.5, 2.0, 2.5, 3.0]
    every = streamer.track(song, model=small_model, interval=0, duration_s=1.0)
    assert len(list(every)) == every.run().frames > 30


class Troubled:
    """A source with a loss and a remark."""

    info = SourceInfo("generator", "trouble", sample_rate=RATE, channels=1)
    closed = 0

    def pieces(self) -> Iterator[Piece]:
        random = np.random.default_rng(0)
        yield random.normal(0, 0.1, RATE).astype(np.float32)
        yield Lost(1_600, "a cable")
        yield Remark("the cable was kicked")
        yield random.normal(0, 0.1, RATE).astype(np.float32)

    def close(self) -> None:
        self.closed += 1


def test_losses_and_remarks_are_told(small_model: Model) -> None:
    """A loss is among the gaps, a remark is a warning: nothing is lost silently."""
    moods = streamer.track(Troubled(), model=small_model)
    with pytest.warns(RuntimeWarning, match="the cable was kicked"):
        assert moods.run().gaps == 1
    assert [(gap.t, gap.samples, gap.cause) for gap in moods.gaps] == [(1.0, 1_600, "a cable")]


def test_an_array_at_another_scale_is_told(small_model: Model, music: np.ndarray) -> None:
    """Floats at the scale of 16-bit numbers give no estimate, and a warning that says why."""
    moods = streamer.track(music[: 2 * RATE] * 32_768, RATE, model=small_model)
    with pytest.warns(RuntimeWarning, match=r"far beyond full scale: scale them to \[-1, 1\]"):
        assert moods.run().estimates == 0


def test_leaving_ends_it_in_order(song: Path, small_model: Model, tmp_path: Path) -> None:
    """Whoever breaks off leaves a recording with its end, and a closed source; twice is once."""
    source, recording = Troubled(), tmp_path / "rec.jsonl"
    with streamer.track(source, model=small_model, sinks=[JsonLinesFile(recording)]) as moods:
        for _ in moods:
            break
    moods.close()
    assert source.closed
    read = streamer.read_session(recording)
    assert isinstance(read.end, End)
    assert read.end.estimates == len(read.estimates) < 4
    assert list(moods) == list(moods.estimates)
    assert len(moods.estimates) == 1


def test_a_function_is_a_sink_and_may_end_it(song: Path, small_model: Model) -> None:
    """It gets each estimate as it is known; closing from inside it ends the session after it."""
    got: list[Estimate] = []

    def two(estimate: Estimate) -> None:
        got.append(estimate)
        if len(got) == 2:
            moods.close()

    moods = streamer.track(song, model=small_model, interval=1.0, sinks=[two])
    end = moods.run()
    assert len(got) < 6
    assert end.estimates == len(got)


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sound device of the tests' own, which the capturing process finds."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # no pactl
    (tmp_path / "sounddevice.py").write_text(TONE)


def test_a_device_is_listened_to(device: None, small_model: Model) -> None:
    """``with streamer.listen() as moods``: estimates as they come, dated, until it is left."""
    with streamer.listen(model=small_model, interval=0.1, keep=2) as moods:
        got = []
        for estimate in moods:
            got.append(estimate)
            if len(got) == 6:
                break
    assert [round(estimate.t, 1) for estimate in got] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert all(estimate.captured for estimate in got)
    assert moods.start is not None
    assert moods.start.source["kind"] == "device"
    assert 2 <= len(moods.estimates) <= 4, "the newest are kept, not all"
    assert moods.estimates[-1] is got[-1]
    assert len(moods.columns()["t"]) == len(moods.estimates)
    assert list(moods) == []


def test_async_for(device: None, song: Path, small_model: Model) -> None:
    """The event loop goes on while a device is waited for; leaving ``with`` ends the session."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    async def watch() -> list[Estimate]:
        ticking = asyncio.create_task(tick())
        got = []
        with streamer.listen(model=small_model, interval=0.1) as moods:
            async for estimate in moods:
                got.append(estimate)
                if len(got) == 3:
                    break
        ticking.cancel()
        return got

    assert len(asyncio.run(watch())) == 3
    assert ticks > 5

    async def whole() -> list[Estimate]:
        moods = streamer.track(song, model=small_model)
        found = []
        async for estimate in moods:
            found.append(estimate)
            break  # and goes on with the next, as with a plain ``for``
        return found + [estimate async for estimate in moods]

    assert same(asyncio.run(whole()), list(streamer.track(song, model=small_model)))


def test_async_for_can_be_called_off(device: None, small_model: Model) -> None:
    """A task that is cancelled while it waits ends the session, within a moment."""
    moods = streamer.listen(model=small_model)
    sink = Everything()

    async def forever() -> None:
        with moods:
            async for _ in moods:
                pass

    async def main() -> None:
        task = asyncio.create_task(forever())
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)

    asyncio.run(main())
    assert list(moods) == []
    assert not sink.events


def test_a_notebook_shows_the_journey(song: Path, small_model: Model) -> None:
    """What it shows is the closing picture as HTML: shares, curves, moments, the name escaped."""
    moods = streamer.track(song, model=small_model)
    assert "nothing was judged" in moods._repr_html_()
    moods.run()
    shown = moods._repr_html_()
    assert shown.startswith("<pre")
    assert "song.wav" in shown
    assert "valence" in shown
    assert "most felt" in shown
    evil = streamer.ArraySource(np.zeros(RATE, np.float32), RATE, "<script>\x1b]0;x\x07")
    hostile = streamer.track(evil, model=small_model)
    hostile.run()
    assert "<script>" not in hostile._repr_html_()
    assert "\x1b" not in hostile._repr_html_()
    assert math.isfinite(hostile.summary().length_s)
