"""The convolution spelt out, and sequences of unequal lengths."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from small_network import random_rows

from streamer.network.layers import Circular, Convolution
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


@given(planes=st.integers(1, 3), filters=st.integers(1, 4), frames=st.integers(0, 3))
def test_the_circular_convolution_is_what_loops_would_give(
    planes: int, filters: int, frames: int
) -> None:
    """Each filter at each of twelve positions around the circle, rectified: maximum and mean."""
    random = np.random.default_rng(planes + 5 * filters)
    weight = random.normal(size=(filters, planes, 12)).astype(np.float32)
    bias = random.normal(size=filters).astype(np.float32)
    rows = random.normal(size=(frames, planes, 12)).astype(np.float32)
    answers = np.zeros((frames, filters, 12))
    for position in range(12):
        for place in range(12):
            seen = rows[:, :, (position + place) % 12]
            answers[:, :, position] += seen @ weight[:, :, place].T
    answers = np.maximum(answers + bias[:, None], 0)
    expected = np.concatenate([answers.max(axis=2), answers.mean(axis=2)], axis=1)
    owed = np.repeat(random.normal(size=planes), 12)
    layer = Circular(weight, bias, owed)
    found = layer((rows.reshape(frames, planes * 12) - owed).astype(np.float32)) + layer.owed
    assert found.shape == expected.shape == (frames, 2 * filters)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=7))
def test_streams_of_unequal_lengths_are_independent(small_model: Model, lengths: list[int]) -> None:
    """Streams side by side give the outputs and final states of each one alone."""
    random = np.random.default_rng(3)
    runtime = small_model.runtime
    heard = random_rows(random, len(lengths), 3)
    _, state = runtime.forward(heard, runtime.initial(len(lengths)))
    rows = random_rows(random, sum(lengths))
    outputs, after = runtime.forward_streams(rows, lengths, state)
    assert outputs.shape == (sum(lengths), 5)
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
