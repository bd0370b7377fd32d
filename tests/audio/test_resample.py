"""Resampling as a stream: the same samples however cut, and a clock that losses cannot shift."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import soxr
from given_source import Given
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.audio.resample import Resampled, Skipped
from streamer.audio.source import Lost, Piece, Remark

MODEL = 16_000
RATES = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000]


def noise(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Uniform noise over the full scale."""
    values: NDArray[np.float32] = np.random.default_rng(seed).uniform(-1, 1, count)
    return values.astype(np.float32)


def nearest(position: int, rate: int) -> int:
    """``position`` samples of the source, counted at the model's rate, halves up."""
    return (2 * position * MODEL + rate) // (2 * rate)


def heard(stream: Resampled) -> NDArray[np.float32]:
    """All samples in a row."""
    parts = [item for item in stream if isinstance(item, np.ndarray)]
    return np.concatenate([np.zeros(0, np.float32), *parts])


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    count=st.integers(0, 6_000),
    cuts=st.lists(st.integers(0, 6_000), max_size=8),
)
def test_cut_anywhere(rate: int, count: int, cuts: list[int]) -> None:
    """Any partition gives the samples of the whole, and their number is the nearest possible."""
    signal = noise(count, count)
    bounds = sorted({0, count, *(cut for cut in cuts if cut < count)})
    parts = [signal[a:b] for a, b in pairwise(bounds)]
    got = heard(Resampled(Given(rate, [*parts, np.zeros(0, np.float32)]), MODEL))
    whole = soxr.resample(signal, rate, MODEL, quality="HQ") if count else signal
    assert len(got) == nearest(count, rate)
    np.testing.assert_allclose(got, whole[: len(got)], atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    pieces=st.lists(
        st.one_of(
            st.integers(0, 3_000).map(lambda count: ("heard", count)),
            st.integers(1, 100_000).map(lambda count: ("lost", count)),
            st.integers(1, 5).map(lambda count: ("nan", count)),
        ),
        max_size=12,
    ),
)
def test_losses_do_not_shift_the_clock(rate: int, pieces: list[tuple[str, int]]) -> None:
    """At the end of each loss, heard and skipped samples number the source's, to the nearest."""
    given_pieces: list[Piece] = []
    for kind, count in pieces:
        if kind == "heard":
            given_pieces.append(noise(count))
        elif kind == "lost":
            given_pieces.append(Lost(count, "ring overrun"))
        else:
            given_pieces.append(np.full(count, np.nan, np.float32))
    position = told = 0
    losses = []
    for item in Resampled(Given(rate, given_pieces, start_s=5.0), MODEL):
        assert not isinstance(item, Remark)
        if isinstance(item, np.ndarray):
            assert len(item) > 0
            told += len(item)
        else:
            assert item.samples >= 0
            begin = round((item.t_s - 5.0) * rate)
            # Not made up for by the skip: what the filter held at the loss came out, to the sample.
            assert told == nearest(begin, rate)
            told += item.samples
            position = begin + item.lost.samples
            assert told == nearest(position, rate)
            losses.append(item.lost.samples)
    assert told == nearest(sum(count for _, count in pieces), rate)
    lost = sum(count for kind, count in pieces if kind != "heard")
    # Less than a sliver of sound between two losses is lost with them.
    assert lost <= sum(losses) <= lost + 0.025 * rate * max(0, len(pieces) - 1)


@pytest.mark.parametrize("rate", RATES)
def test_music_after_a_loss_is_where_it_belongs(rate: int) -> None:
    """An impulse after a loss comes out within half a sample of its own stream time."""
    before, lost, after, at = rate // 3, rate // 7, rate, rate // 2
    tail = np.zeros(after, np.float32)
    tail[at] = 1.0
    pieces: list[Piece] = [noise(before) * 0.1, Lost(lost, "ring overrun"), tail]
    position = 0
    peak = (0.0, -1)
    for item in Resampled(Given(rate, pieces), MODEL):
        if isinstance(item, Skipped):
            position += item.samples
            peak = (0.0, -1)
        elif isinstance(item, np.ndarray):
            loudest = int(np.argmax(np.abs(item)))
            peak = max(peak, (float(abs(item[loudest])), position + loudest))
            position += len(item)
    assert peak[0] > 0.05
    assert peak[1] == pytest.approx((before + lost + at) * MODEL / rate, abs=1.01)


def test_invalid_samples_are_one_loss_however_cut() -> None:
    """A run of NaN across blocks is one gap of its exact length, at its exact time."""
    signal = noise(4_000)
    signal[1_000:1_700] = np.nan
    signal[1_200] = np.inf
    for step in (1, 7, 500, 4_000):
        parts: list[Piece] = [signal[i : i + step] for i in range(0, len(signal), step)]
        gaps = [
            item for item in Resampled(Given(48_000, parts), MODEL) if isinstance(item, Skipped)
        ]
        assert len(gaps) == 1
        assert gaps[0].t_s == pytest.approx(1_000 / 48_000)
        assert gaps[0].lost == Lost(700, "invalid samples")


def test_remarks_pass_in_order() -> None:
    """A remark is neither lost nor moved before the samples that came before it."""
    pieces: list[Piece] = [noise(100), Remark("one"), Lost(5, "x"), Remark("two")]
    items = list(Resampled(Given(MODEL, pieces), MODEL))
    assert [type(item) for item in items] == [np.ndarray, Remark, Skipped, Remark]


def test_equal_rates_pass_untouched() -> None:
    """At the model's own rate nothing is computed and nothing held back."""
    signal = noise(1_000)
    stream = Resampled(Given(MODEL, [signal]), MODEL)
    assert stream.delay_s == 0.0
    (item,) = stream
    assert isinstance(item, np.ndarray)
    assert item is signal


class Fed(Given):
    """A source of a signal in steps, which knows how much of it has been asked for."""

    def __init__(self, rate: int, signal: NDArray[np.float32], step: int) -> None:
        super().__init__(rate, [])
        self._signal, self._step = signal, step
        self.fed = 0

    def pieces(self) -> Iterator[Piece]:
        """The pieces, in order."""
        for first in range(0, len(self._signal), self._step):
            self.fed = min(len(self._signal), first + self._step)
            yield self._signal[first : first + self._step]


@pytest.mark.parametrize("at_s", [0.0, 0.1, 0.2137])
@pytest.mark.parametrize("rate", [rate for rate in RATES if rate != MODEL])
def test_the_delay_is_what_an_impulse_takes(rate: int, at_s: float) -> None:
    """An impulse anywhere has come out, at its own time, within the delay that is reported."""
    at, step = round(at_s * rate), max(1, rate // 1_000)
    signal = np.zeros(rate // 2, np.float32)
    signal[at] = 1.0
    source = Fed(rate, signal, step)
    stream = Resampled(source, MODEL)
    delay = stream.delay_s
    assert 0.001 < delay < 0.2
    told = 0
    for item in stream:
        assert isinstance(item, np.ndarray)
        peak = int(np.argmax(np.abs(item)))
        if abs(item[peak]) > 0.1:
            assert told + peak == pytest.approx(at * MODEL / rate, abs=1.01)
            assert source.fed / rate <= at / rate + delay + 2 * step / rate
            return
        told += len(item)
    pytest.fail("the impulse never came out")


def test_close_closes_the_source() -> None:
    """Closing the stream closes what it reads."""
    source = Given(MODEL, [])
    Resampled(source, MODEL).close()
    assert source.closed


def test_losses_within_a_frame_are_one() -> None:
    """Slivers of sound between losses are lost with them: one loss, however many there were."""
    signal = noise(48_000)
    signal[10_000:20_000:2] = np.nan
    items = list(Resampled(Given(48_000, [signal]), MODEL))
    (gap,) = [item for item in items if isinstance(item, Skipped)]
    assert gap.lost == Lost(9_999, "invalid samples")
    assert gap.t_s == pytest.approx(10_000 / 48_000)


@pytest.mark.parametrize(("between", "found"), [(1_199, 1), (1_200, 2)])
def test_a_frame_of_sound_parts_two_losses(between: int, found: int) -> None:
    """25 ms of sound between two losses are heard; less is not. Other causes stay apart."""
    pieces: list[Piece] = [noise(5_000), Lost(50, "x"), noise(between), Lost(70, "x"), noise(5_000)]
    items = list(Resampled(Given(48_000, pieces), MODEL))
    losses = [item.lost.samples for item in items if isinstance(item, Skipped)]
    assert losses == ([50, 70] if found == 2 else [120 + between])
    pieces[3] = Lost(70, "y")
    items = list(Resampled(Given(48_000, pieces), MODEL))
    assert [item.lost.samples for item in items if isinstance(item, Skipped)] == [50, 70]


def test_a_loss_that_goes_on_is_told_every_second() -> None:
    """Six seconds of NaN in blocks of a tenth are told as they pass, not when they end."""
    blocks: list[Piece] = [np.full(4_800, np.nan, np.float32) for _ in range(60)]
    source = Given(48_000, [noise(48_000), *blocks])
    told = [item for item in Resampled(source, MODEL) if isinstance(item, Skipped)]
    assert [item.lost.samples for item in told] == [48_000] * 6
    assert [item.t_s for item in told] == pytest.approx([1, 2, 3, 4, 5, 6])


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from([8_000, 11_025, MODEL]),
    runs=st.lists(
        st.tuples(
            st.booleans(),
            # Tenths of a second, and a few samples: runs of whole seconds and slivers are likely.
            st.integers(0, 25),
            st.integers(-2, 2),
        ),
        min_size=1,
        max_size=6,
    ),
    sliver=st.integers(150, 300),
    step=st.integers(100, 40_000),
)
def test_gaps_are_the_same_however_cut(
    rate: int, runs: list[tuple[bool, int, int]], sliver: int, step: int
) -> None:
    """Invalid samples of any length are told at the same times, whole or in pieces of any size."""
    parts = []
    for is_sound, tenths, more in runs:
        part = noise(max(0, tenths * rate // 10 + more))
        parts += [part if is_sound else np.full(len(part), np.nan, np.float32), noise(sliver)]
    signal = np.concatenate(parts)
    whole = list(Resampled(Given(rate, [signal]), MODEL))
    cut: list[Piece] = [signal[at : at + step] for at in range(0, len(signal), step)]
    pieces = list(Resampled(Given(rate, cut), MODEL))
    gaps = [item for item in whole if isinstance(item, Skipped)]
    assert [item for item in pieces if isinstance(item, Skipped)] == gaps
    assert all(0 < gap.lost.samples <= rate for gap in gaps)
    sounds = [item for item in whole if isinstance(item, np.ndarray)]
    again = [item for item in pieces if isinstance(item, np.ndarray)]
    assert sum(map(len, sounds)) == sum(map(len, again))
    if sounds:
        np.testing.assert_allclose(np.concatenate(again), np.concatenate(sounds), atol=1e-6)


@pytest.mark.parametrize("first_s", [0.9, 1.0, 1.1])
def test_a_sliver_after_a_second_of_loss_is_lost(first_s: float) -> None:
    """Too short a sound belongs to the loss around it also where a second of that has been told."""
    lost = np.full(round(first_s * MODEL) - MODEL // 2, np.nan, np.float32)
    half = np.full(MODEL // 2, np.nan, np.float32)
    parts = [half, lost, noise(160), half]
    items = list(Resampled(Given(MODEL, [noise(MODEL), *parts]), MODEL))
    total = sum(map(len, parts))
    told = [item.lost.samples for item in items if isinstance(item, Skipped)]
    assert told == [MODEL, total - MODEL]


def test_a_loss_that_the_source_counted_is_one() -> None:
    """An hour without a device, which the source tells at once, is not 3,600 losses."""
    hour = Lost(3_600 * MODEL, "device lost", estimated=True)
    items = list(Resampled(Given(MODEL, [noise(100), hour, noise(1_000)]), MODEL))
    assert [item.lost for item in items if isinstance(item, Skipped)] == [hour]


def test_who_breaks_off_gets_the_rest() -> None:
    """A loss that was not over when the listener stopped is still to be had, once."""

    class Interrupted(Given):
        def pieces(self) -> Iterator[Piece]:
            yield from super().pieces()
            raise KeyboardInterrupt

    source = Interrupted(48_000, [noise(4_800), np.full(9_600, np.nan, np.float32)])
    stream = Resampled(source, MODEL)
    samples = []
    with pytest.raises(KeyboardInterrupt):
        samples.extend(len(item) for item in stream if isinstance(item, np.ndarray))
    (rest,) = stream.rest()
    assert isinstance(rest, Skipped)
    assert rest.lost == Lost(9_600, "invalid samples")
    assert sum(samples) + rest.samples == nearest(14_400, 48_000)
    assert list(stream.rest()) == []


@pytest.mark.parametrize("rate", [44_100, 48_000, 11_025])
def test_a_stretch_ends_where_its_loss_begins(rate: int) -> None:
    """What the filter holds at a loss comes out to the sample that the clock asks for."""
    pieces: list[Piece] = []
    for count in range(2_000, 2_040):
        pieces += [noise(count), Lost(1_000, "x")]
    told = position = 0
    for item in Resampled(Given(rate, pieces), MODEL):
        if isinstance(item, Skipped):
            assert told == nearest(round(item.t_s * rate), rate)
            told += item.samples
            position += 1
        elif isinstance(item, np.ndarray):
            told += len(item)
    assert position == 40
