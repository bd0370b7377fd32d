"""The history: what it remembers, what it forgets, and that it does not grow."""

from __future__ import annotations

import dataclasses
import sys
import threading

import numpy as np
import pytest
from scripted_session import HOP_S, RATE, Script, estimate, noise, silence, start

from streamer.events import End, Gap, Notice
from streamer.sinks.history import BIN_S, TRAIL_S, History, Snapshot
from streamer.sinks.meter import Meter


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def played(seconds: float, **script: tuple[float, float]) -> History:
    history = History(clock=Hand())
    history.write(start())
    Script(history, **script).advance(seconds)
    return history


def test_a_new_history_shows_nothing_and_claims_nothing() -> None:
    """Before anything came in there is no estimate, no level and no gap."""
    snapshot = History(clock=Hand()).snapshot()
    assert snapshot == Snapshot()


def test_the_trail_holds_the_last_ten_seconds() -> None:
    """Older points leave the trail, the newest one is in it."""
    snapshot = played(30.0).snapshot()
    times = [t for t, _, _ in snapshot.trail]
    assert times == sorted(times)
    assert len(times) > 100
    assert times[0] >= snapshot.t - TRAIL_S
    assert snapshot.t - times[-1] <= 2 * HOP_S


def test_numbers_change_with_the_json_lines() -> None:
    """The reading is the first estimate whose end reaches each half second, like a line's."""
    history = History(clock=Hand())
    readings = []
    for hop in range(1, 100):
        history.write(estimate(hop * HOP_S, valence=hop / 1000))
        reading = history.snapshot().reading
        assert reading is not None
        if not readings or reading.t != readings[-1]:
            readings.append(reading.t)
    assert readings == pytest.approx([0.032, 0.512, 1.024, 1.504, 2.016, 2.528, 3.008])
    latest = history.snapshot().latest
    assert latest is not None
    assert latest.t == pytest.approx(99 * HOP_S)


def test_silence_shows_at_once_and_music_too() -> None:
    """The reading does not wait for the half second where silence begins or ends."""
    history = History(clock=Hand())
    history.write(estimate(0.512))
    history.write(silence(0.544))
    reading = history.snapshot().reading
    assert reading is not None
    assert reading.silent
    history.write(estimate(0.576))
    reading = history.snapshot().reading
    assert reading is not None
    assert not reading.silent
    history.write(noise(0.608))
    reading = history.snapshot().reading
    assert reading is not None
    assert reading.sound == "no music"


def test_bins_tell_silence_from_what_is_no_music() -> None:
    """A bin says which of the two touches it, and neither gives it a value."""
    history = History(clock=Hand())
    for event in (silence(0.4), noise(0.9), estimate(1.4), noise(1.45), estimate(1.9)):
        history.write(event)
    bins = history.snapshot().bins
    assert [(each.silent, each.no_music) for each in bins] == [
        (True, False),
        (False, True),
        (False, True),
    ]
    assert [each.valence is None for each in bins] == [True, True, False]


def test_bins_hold_means_silence_and_gaps() -> None:
    """A bin is the mean of its half second; silence and gaps mark exactly the bins they touch."""
    history = History(clock=Hand())
    for t, valence in ((0.1, 0.2), (0.5, 0.4), (0.6, -0.1)):
        history.write(estimate(t, valence=valence, arousal=0.1))
    history.write(silence(1.2))
    history.write(Gap(1.6, 0.7, 100, False, "ring overrun"))
    history.write(estimate(2.6))
    history.write(estimate(3.1))
    bins = {entry.index: entry for entry in history.snapshot().bins}
    assert bins[0].valence == pytest.approx(0.3)
    assert bins[1].valence == pytest.approx(-0.1)
    assert bins[2].silent
    assert bins[2].valence is None
    assert [index for index, entry in bins.items() if entry.lost] == [3, 4]
    assert bins[5].valence is not None
    assert 6 not in bins, "an unfinished bin would still move"


def test_the_timeline_is_the_same_object_until_a_bin_is_finished() -> None:
    """The dashboard may keep what it drew from it."""
    history = History(clock=Hand())
    history.write(estimate(0.6))
    history.write(estimate(1.1))
    first = history.snapshot().bins
    history.write(estimate(1.2))
    assert history.snapshot().bins is first
    history.write(estimate(1.6))
    assert len(history.snapshot().bins) == len(first) + 1


def test_a_gap_of_hours_costs_no_more_than_the_window() -> None:
    """A long gap fills the window and not the memory."""
    history = History(seconds=60.0, clock=Hand())
    history.write(estimate(0.5))
    history.write(Gap(0.5, 36000.0, 36000 * 44100, True, "device away"))
    snapshot = history.snapshot()
    assert len(snapshot.bins) < 60 / BIN_S
    assert snapshot.t == pytest.approx(36000.5)


def test_memory_is_bounded() -> None:
    """An hour of stream leaves a history as large as half an hour did."""

    def size(history: History) -> int:
        snapshot = history.snapshot()
        summary = history.summary()
        parts = (snapshot.trail, snapshot.bins, summary.outline, summary.moments)
        return sum(sys.getsizeof(part) for part in parts)

    history = History(seconds=120.0, clock=Hand())
    history.write(start())
    for hop in range(1, 3600 * 2):
        history.write(estimate(hop * 0.5, valence=(hop % 37 - 18) / 40))
        if hop == 3600:
            half = size(history)
    assert len(history.snapshot().bins) == 120 / BIN_S - 1
    assert size(history) <= half * 1.5
    assert len(history.summary().outline) <= 240


def test_a_new_song_clears_the_trail_and_keeps_the_timeline() -> None:
    """``afresh`` forgets what belonged to the old song, not what was heard."""
    history = played(20.0)
    bins = history.snapshot().bins
    history.afresh()
    snapshot = history.snapshot()
    assert snapshot.trail == ()
    assert snapshot.reading is None
    assert snapshot.bins == bins


def test_the_real_time_factor_is_that_of_the_last_seconds() -> None:
    """A slow beginning is forgotten after ten seconds."""
    history = History(clock=Hand())
    for second in range(60):
        compute = 5.0 + 0.1 * second if second else 0.0
        history.progress(float(second), second * 31, compute)
    assert history.snapshot().real_time_factor == pytest.approx(0.1)


def test_a_source_that_says_nothing_is_noticed() -> None:
    """Whole seconds without anything coming in are counted, until the end."""
    clock = Hand()
    history = History(clock=clock)
    history.write(start())
    clock.now = 1.9
    assert history.snapshot().waiting_s == 0
    clock.now = 5.2
    assert history.snapshot().waiting_s == 5
    history.write(End(1.0, 1, 1, 0, 0, None))
    clock.now = 50.0
    assert history.snapshot().waiting_s == 0


def test_every_change_shows_in_the_version() -> None:
    """What the screen might show has a new version; looking changes nothing."""
    history = History(clock=Hand())
    versions = [history.snapshot().version]
    for change in (
        lambda: history.write(start()),
        lambda: history.write(estimate(0.5)),
        lambda: history.write(Gap(0.5, 0.1, 4410, False, "overflow")),
        lambda: history.write(Notice(0.6, "the device went away")),
        lambda: history.hear(np.zeros(512, np.float32), RATE),
        lambda: history.progress(0.6, 10, 0.1),
        history.afresh,
    ):
        change()
        versions.append(history.snapshot().version)
    assert len(set(versions)) == len(versions)
    assert history.snapshot().version == versions[-1]


def test_snapshots_are_whole_while_another_thread_writes() -> None:
    """A snapshot taken at any moment fits together: gaps and lost samples always agree."""
    history = History(clock=Hand())
    done = threading.Event()

    def write() -> None:
        for hop in range(3000):
            history.write(Gap(hop * 0.5, 0.1, 7, False, "overflow"))
            history.write(estimate(hop * 0.5 + 0.3))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    looks = 0
    while not done.is_set():
        snapshot = history.snapshot()
        assert snapshot.lost_samples == 7 * snapshot.gaps
        assert list(snapshot.trail) == sorted(snapshot.trail)
        looks += 1
    thread.join()
    assert looks > 0


@pytest.mark.parametrize(("amplitude", "decibels"), [(1.0, -3.01), (0.1, -23.01), (0.01, -43.01)])
def test_the_meter_shows_the_rms_of_a_tone(amplitude: float, decibels: float) -> None:
    """A sine's RMS is 3 dB under its amplitude; its peak is its amplitude."""
    meter = Meter()
    tone = amplitude * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
    for block in np.split(tone.astype(np.float32), 100):
        meter.hear(block, RATE)
    level = meter.level()
    assert level is not None
    assert level.rms_db == pytest.approx(decibels, abs=0.1)
    assert level.peak_db == pytest.approx(20 * np.log10(amplitude), abs=0.1)
    assert level.clipped == (amplitude >= 0.999)


def test_a_peak_is_held_and_then_falls() -> None:
    """A click stays in the meter for a second and a half, then goes."""
    meter = Meter()
    click = np.full(160, 0.001, np.float32)
    click[80] = 0.9
    meter.hear(click, RATE)
    quiet = np.full(1600, 0.001, np.float32)
    peaks = []
    for _ in range(50):
        meter.hear(quiet, RATE)
        level = meter.level()
        assert level is not None
        peaks.append(level.peak_db)
    assert peaks[10] == pytest.approx(-0.92, abs=0.01)
    assert peaks[-1] == pytest.approx(-60, abs=0.1)
    assert peaks == sorted(peaks, reverse=True)


def test_zeros_are_told_from_quiet() -> None:
    """Exact zeros are counted in seconds; the quietest sample ends the count."""
    meter = Meter()
    meter.hear(np.zeros(4 * RATE, np.float32), RATE)
    level = meter.level()
    assert level is not None
    assert level.zeros_s == pytest.approx(4.0)
    assert level.rms_db == -120.0
    meter.hear(np.full(160, 1e-7, np.float32), RATE)
    level = meter.level()
    assert level is not None
    assert level.zeros_s == 0.0


def test_a_snapshot_cannot_be_changed() -> None:
    """The refresh thread may keep it as long as it likes."""
    snapshot = played(5.0).snapshot()
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.t = 1.0  # type: ignore[misc]
