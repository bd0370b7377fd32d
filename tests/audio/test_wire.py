"""Messages between the processes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.audio import link
from streamer.audio.ring import OVERRUN, Block
from streamer.audio.source import Lost

MESSAGES = st.one_of(
    st.integers(1, 2**52).map(lambda count: Lost(count, OVERRUN)),
    st.just(link.Tick()),
    st.builds(link.Failed, st.text()),
    st.builds(link.Clocked, st.text()),
    st.builds(link.Moved, st.text()),
    st.builds(link.Told, st.text()),
    st.builds(
        link.Opened,
        name=st.text(),
        rate=st.integers(1_000, 768_000),
        channels=st.integers(1, 64),
        block_s=st.floats(0.001, 1.0),
        latency_clock=st.text(),
    ),
    st.just(link.Listed([{"name": "x", "index": None}])),
    st.builds(
        Block,
        samples=st.lists(st.floats(-1, 1, width=32), max_size=50).map(
            lambda values: np.array(values, np.float32)
        ),
        captured=st.floats(0, 1e9),
        entered=st.floats(0, 1e9),
        overflow=st.booleans(),
    ),
)


@given(st.lists(MESSAGES, max_size=10), st.integers(0, 30))
def test_what_is_sent_is_received(messages: list[link.Message], cut: int) -> None:
    """Messages come out as they went in; a pipe that breaks in mid-message has ended."""
    data = b"".join(link.pack(message) for message in messages)
    stream = io.BytesIO(data + link.pack(link.Failed("never whole"))[: min(cut, 20)])
    for sent in messages:
        got = link.unpack(stream)
        if isinstance(sent, Block):
            assert isinstance(got, Block)
            assert got.samples.dtype == np.float32
            assert got.samples.flags.writeable
            np.testing.assert_array_equal(got.samples, sent.samples)
            assert (got.captured, got.entered, got.overflow) == (
                sent.captured,
                sent.entered,
                sent.overflow,
            )
        else:
            assert got == sent
    assert link.unpack(stream) is None


def test_a_message_cut_off_in_its_payload_is_the_end() -> None:
    """Half a block is no block."""
    data = link.pack(Block(np.ones(10, np.float32), 0.0, 0.0, False))
    assert link.unpack(io.BytesIO(data[:-1])) is None


def test_foreign_bytes_are_refused() -> None:
    """What a library prints into the pipe is not taken for sound."""
    with pytest.raises(ValueError, match="not a message"):
        link.unpack(io.BytesIO(b"ALSA lib pcm.c:2664:(snd_pcm_open_noupdate)"))
