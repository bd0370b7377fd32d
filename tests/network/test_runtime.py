"""The NumPy runtime against PyTorch, against itself step by step, and against its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from small_network import of_another_shape

from streamer.network.model import Model
from streamer.network.runtime import LstmState

FRAMES = 60


def random_frames(seed: int, count: int = FRAMES, batch: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(0.5, 4, (batch, count, 20)).astype(np.float32)


def random_state(model: Model, seed: int, batch: int = 1) -> LstmState:
    _, state = model.runtime.forward(random_frames(seed, 5, batch), model.runtime.initial(batch))
    return state


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"movement": False},
        {"integrate": 0},
        {"dense": 0, "movement": False},
        {"convolutions": (), "layers": 1},
        {"convolutions": (), "dense": 0, "movement": False},
    ],
    ids=str,
)
def test_runtime_equals_pytorch_in_outputs_and_state(changes: dict[str, object]) -> None:
    """The NumPy runtime gives PyTorch's outputs and final state, from a random state on."""
    pytest.importorskip("torch", reason="PyTorch is the reference; extra 'train'")
    from streamer.network import hybrid

    model = of_another_shape(**changes)
    frames, state = random_frames(1, batch=3), random_state(model, 2, batch=3)
    outputs, final = model.runtime.forward(frames, state)
    reference, after = hybrid.judge(model, frames, state)
    assert outputs.shape == reference.shape == (3, FRAMES, 4)
    assert outputs.std(axis=1).min() > 1e-3
    np.testing.assert_allclose(outputs, reference, atol=1e-5)
    for name in ("hidden", "cell", "newest", "integral"):
        part = getattr(final, name)
        np.testing.assert_allclose(part, getattr(after, name), atol=1e-5, err_msg=name)
    assert final.newest.shape[2] == (model.config.network.features if final.newest.size else 0)


def test_whole_sequence_equals_step_by_step(small_model: Model) -> None:
    """One call of many frames equals many calls of one, in outputs and final state."""
    frames, state = random_frames(3), random_state(small_model, 4)
    whole, after_whole = small_model.runtime.forward(frames, state)
    steps = []
    carried = state
    for index in range(FRAMES):
        output, carried = small_model.runtime.forward(frames[:, index : index + 1], carried)
        steps.append(output)
    stepped = np.concatenate(steps, axis=1)
    assert whole.shape == stepped.shape == (1, FRAMES, 4)
    assert whole.std(axis=1).min() > 1e-3
    np.testing.assert_allclose(stepped, whole, atol=1e-5)
    np.testing.assert_allclose(carried.hidden, after_whole.hidden, atol=1e-5)
    np.testing.assert_allclose(carried.cell, after_whole.cell, atol=1e-5)
    np.testing.assert_allclose(carried.integral, after_whole.integral, atol=1e-5)


def test_the_given_state_is_not_changed(small_model: Model) -> None:
    """``forward`` leaves the state that it was given as it was."""
    state = random_state(small_model, 5)
    kept = {name: part.copy() for name, part in state.to_arrays().items()}
    small_model.runtime.forward(random_frames(6), state)
    for name, part in state.to_arrays().items():
        np.testing.assert_array_equal(part, kept[name], err_msg=name)


def test_convolution_is_blind_to_its_neighbours(small_model: Model) -> None:
    """Replacing every other frame leaves the convolution's output for frame k as it was."""
    frames = random_frames(7)
    features = small_model.runtime.convolve(frames)
    for k in (0, 17, FRAMES - 1):
        others = random_frames(8)
        others[:, k] = frames[:, k]
        replaced = small_model.runtime.convolve(others)
        assert features[:, k].std() > 1e-3
        np.testing.assert_array_equal(replaced[:, k], features[:, k])
        assert np.abs(replaced - features).max() > 0.1


def test_a_later_frame_changes_no_earlier_output(small_model: Model) -> None:
    """Outputs up to frame k are bit for bit the same whatever comes after it."""
    frames, state = random_frames(9), random_state(small_model, 10)
    outputs, _ = small_model.runtime.forward(frames, state)
    changed = frames.copy()
    changed[:, 31:] = random_frames(11)[:, 31:]
    others, _ = small_model.runtime.forward(changed, state)
    assert outputs[:, :31].std() > 1e-3
    np.testing.assert_array_equal(others[:, :31], outputs[:, :31])
    assert np.abs(others[:, 31:] - outputs[:, 31:]).max() > 1e-2


def test_no_frames_give_no_outputs(small_model: Model) -> None:
    """An empty call returns no outputs and the state as it was."""
    state = random_state(small_model, 12)
    outputs, after = small_model.runtime.forward(np.empty((1, 0, 20), np.float32), state)
    assert outputs.shape == (1, 0, 4)
    assert after == state
