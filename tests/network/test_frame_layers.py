"""The convolution spelt out, and sequences of unequal lengths."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.network.layers import Convolution
from streamer.network.model import Model
from streamer.network.runtime import LstmState


@given(
    width=st.integers(1, 5),
    stride=st.integers(1, 4),
    channels=st.integers(1, 3),
    positions=st.integers(5, 12),
    frames=st.integers(0, 4),
)
def test_the_convolution_is_what_loops_would_give(
    width: int, stride: int, channels: int, positions: int, frames: int
) -> None:
    """Rows less what they are owed, convolved, plus what is owed then: the plain convolution."""
    random = np.random.default_rng(width + 10 * stride)
    kernel = random.normal(size=(width, channels, 2)).astype(np.float32)
    bias = random.normal(size=2).astype(np.float32)
    rows = random.normal(size=(frames, positions * channels)).astype(np.float32)
    new = (positions - width) // stride + 1
    windows = rows.reshape(frames, positions, channels)
    expected = np.zeros((frames, new, 2))
    for place in range(new):
        window = windows[:, place * stride : place * stride + width]
        expected[:, place] = np.einsum("fwc,wco->fo", window, kernel) + bias
    expected = np.maximum(expected, 0).reshape(frames, new * 2)
    owed = random.normal(size=positions * channels)
    layer = Convolution(kernel.transpose(2, 1, 0)[:, :, None, :], bias, stride, owed)
    found = layer((rows - owed).astype(np.float32)) + layer.owed
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=7))
def test_streams_of_unequal_lengths_are_independent(small_model: Model, lengths: list[int]) -> None:
    """Streams side by side give the outputs and final states of each one alone."""
    random = np.random.default_rng(3)
    runtime = small_model.runtime
    heard = random.normal(0.5, 4, (len(lengths), 3, 20)).astype(np.float32)
    _, state = runtime.forward(heard, runtime.initial(len(lengths)))
    rows = random.normal(0.5, 4, (sum(lengths), 20)).astype(np.float32)
    outputs, after = runtime.forward_streams(rows, lengths, state)
    assert outputs.shape == (sum(lengths), 4)
    begin = 0
    for length, lone, ended in zip(lengths, state.parted(), after.parted(), strict=True):
        expected, final = runtime.forward(rows[None, begin : begin + length], lone)
        np.testing.assert_allclose(outputs[begin : begin + length], expected[0], atol=1e-5)
        np.testing.assert_allclose(ended.hidden, final.hidden, atol=1e-5)
        np.testing.assert_allclose(ended.cell, final.cell, atol=1e-5)
        np.testing.assert_allclose(ended.newest, final.newest, atol=1e-5)
        np.testing.assert_allclose(ended.integral, final.integral, atol=1e-5)
        begin += length
    again = LstmState.joined(after.parted())
    assert again == after
