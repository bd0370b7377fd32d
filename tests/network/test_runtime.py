"""The NumPy runtime against PyTorch, against itself step by step, and against its neighbours."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_network import INPUTS, of_another_shape, random_rows, random_weights, small_config

from streamer.network.config import AxisCalibration, Calibration
from streamer.network.model import Model
from streamer.network.runtime import Head, LstmState

FRAMES = 60


def random_frames(
    seed: int, count: int = FRAMES, batch: int = 1, inputs: int = INPUTS
) -> np.ndarray:
    return random_rows(np.random.default_rng(seed), batch, count, inputs=inputs)


def random_state(model: Model, seed: int, batch: int = 1) -> LstmState:
    frames = random_frames(seed, 5, batch, model.config.network.inputs)
    _, state = model.runtime.forward(frames, model.runtime.initial(batch))
    return state


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"movement": False},
        {"lags": (1,)},
        {"lags": (7, 2)},
        {"integrate": 0},
        {"dense": 0, "movement": False},
        {"convolutions": (), "layers": 1},
        {"convolutions": (), "dense": 0, "movement": False},
        {"gate": False},
        {"profiles": 0},
        {"profiles": 0, "dense": 0, "movement": False},
        {"chroma": None, "profiles": 0},
        {"chroma": None, "profiles": 0, "gate": False},
        {"chroma": {"memories_s": (), "tonalness": False}},
    ],
    ids=str,
)
def test_runtime_equals_pytorch_in_outputs_and_state(changes: dict[str, object]) -> None:
    """The NumPy runtime gives PyTorch's outputs and final state, from a random state on."""
    pytest.importorskip("torch", reason="PyTorch is the reference; extra 'train'")
    from streamer.network import hybrid

    model = of_another_shape(**changes)  # type: ignore[arg-type]
    network = model.config.network
    frames, state = random_frames(1, 60, 3, network.inputs), random_state(model, 2, batch=3)
    outputs, final = model.runtime.forward(frames, state)
    reference, after = hybrid.judge(model, frames, state)
    assert outputs.shape == reference.shape == (3, FRAMES, 5 if network.gate else 4)
    assert outputs.std(axis=1).min() > 1e-4
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
    assert whole.shape == stepped.shape == (1, FRAMES, 5)
    assert whole.std(axis=1).min() > 1e-3
    np.testing.assert_allclose(stepped, whole, atol=1e-5)
    np.testing.assert_allclose(carried.hidden, after_whole.hidden, atol=1e-5)
    np.testing.assert_allclose(carried.cell, after_whole.cell, atol=1e-5)
    np.testing.assert_allclose(carried.newest, after_whole.newest, atol=1e-5)
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


@given(semitones=st.integers(1, 11), seed=st.integers(0, 99))
def test_the_circular_convolution_hears_no_key(
    small_model: Model, semitones: int, seed: int
) -> None:
    """Chroma rows turned by any number of semitones give the same features and outputs."""
    frames, state = random_frames(seed), random_state(small_model, 4)
    turned = frames.copy()
    for begin in (20, 32, 44):
        turned[..., begin : begin + 12] = np.roll(frames[..., begin : begin + 12], semitones, -1)
    features = small_model.runtime.convolve(frames)
    np.testing.assert_allclose(small_model.runtime.convolve(turned), features, atol=1e-5)
    outputs, _ = small_model.runtime.forward(frames, state)
    np.testing.assert_allclose(small_model.runtime.forward(turned, state)[0], outputs, atol=1e-5)
    # Not because chroma does not count: turned against its leaky means it is another.
    turned[..., 20:32] = frames[..., 20:32]
    assert np.abs(small_model.runtime.convolve(turned) - features).max() > 0.01


def test_without_profiles_the_key_is_heard() -> None:
    """The ablation that hands chroma rows on as they are is told apart by their rotation."""
    model = of_another_shape(profiles=0)
    frames = random_frames(13)
    turned = frames.copy()
    turned[..., 20:56] = np.roll(frames[..., 20:56].reshape(1, FRAMES, 3, 12), 5, -1).reshape(
        1, FRAMES, 36
    )
    apart = model.runtime.convolve(turned) - model.runtime.convolve(frames)
    assert np.abs(apart).max() > 0.01


def test_the_gate_judges_the_newest_frame(small_model: Model) -> None:
    """Whether it is music is told from 0 to 1, from the LSTM itself and not from the leaky mean."""
    frames, state = random_frames(14), random_state(small_model, 15)
    outputs, _ = small_model.runtime.forward(frames, state)
    assert ((outputs[..., 4] > 0) & (outputs[..., 4] < 1)).all()
    assert outputs[..., 4].std() > 1e-3
    forgetful = dataclasses.replace(state, integral=np.zeros_like(state.integral))
    others, _ = small_model.runtime.forward(frames, forgetful)
    np.testing.assert_array_equal(others[..., 4], outputs[..., 4])
    assert np.abs(others[..., :2] - outputs[..., :2]).max() > 1e-3


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


@pytest.mark.parametrize("side", [-1, 1])
def test_estimates_stay_on_the_plane(side: int) -> None:
    """A calibration that leads beyond the plane's edge ends at it, on either side."""
    config = small_config()
    far = AxisCalibration(scale=0.5, offset=1.8 * side, sd_scale=1.0)
    config = dataclasses.replace(config, calibration=Calibration(far, far))
    model = Model("far", config, random_weights(config))
    outputs, _ = model.runtime.forward(random_frames(1), model.runtime.initial())
    assert set(outputs[..., :2].reshape(-1).tolist()) == {float(side)}
    near = dataclasses.replace(far, offset=0.6 * side)
    config = dataclasses.replace(config, calibration=Calibration(near, near))
    model = Model("near", config, random_weights(config))
    outputs, _ = model.runtime.forward(random_frames(1), model.runtime.initial())
    assert (outputs[..., :2] * side > 0).all()
    assert outputs[..., :2].std() > 1e-3


@pytest.mark.parametrize("scale", [0.3, 0.9, 1.0])
@pytest.mark.parametrize("offset", [-1.5, -0.3, 0.0, 0.3, 1.5])
def test_what_the_head_says_is_calibrated(scale: float, offset: float) -> None:
    """``tanh`` on the label's scale within the plane; deviations from exp(-4) to exp(0.5), scaled.

    Whether the other axis leaves the plane makes no difference.
    """
    raw = np.array([-9, -1, -0.2, 0, 0.4, 2, 9], np.float32)
    for other in (AxisCalibration(0.5, 0.0, 1.0), AxisCalibration(2.0, 0.1, 1.0)):
        own = AxisCalibration(scale, offset, 0.7)
        for axis, calibration in enumerate((Calibration(own, other), Calibration(other, own))):
            head = Head(np.float32([[1, 1, 1, 1], [0.1, 0.1, 0.2, 0.2]]), calibration)
            found = head(np.stack([raw, np.ones_like(raw)], axis=1))
            assert found.shape == (7, 4)
            plain = np.tanh(raw + 0.1) * scale + offset
            np.testing.assert_allclose(found[:, axis], plain.clip(-1, 1), atol=1e-6)
            deviations = np.exp((raw + 0.2).clip(-4, 0.5)) * 0.7
            np.testing.assert_allclose(found[:, 2 + axis], deviations, atol=1e-6)


def test_a_long_sequence_is_one_for_pytorch_too() -> None:
    """Longer than what the reference integrates in one product: the same outputs and state."""
    pytest.importorskip("torch", reason="PyTorch is the reference; extra 'train'")
    from streamer.network import hybrid

    model = of_another_shape(integrate=40)
    frames, state = random_frames(16, 600), random_state(model, 17)
    outputs, final = model.runtime.forward(frames, state)
    reference, after = hybrid.judge(model, frames, state)
    np.testing.assert_allclose(outputs, reference, atol=1e-5)
    for part, wanted in zip(final.parts, after.parts, strict=True):
        np.testing.assert_allclose(part, wanted, atol=1e-4)


def test_nothing_is_dropped_unless_it_is_asked_for(small_model: Model) -> None:
    """A network made without a share to drop gives in training what it gives in use."""
    torch = pytest.importorskip("torch", reason="PyTorch is the reference; extra 'train'")
    from streamer.network.hybrid import HybridNetwork

    config = small_model.config
    network = HybridNetwork(config.network, config.normalisation)
    frames = torch.from_numpy(random_frames(19))
    with torch.no_grad():
        used, _ = network.eval()(frames, network.initial())
        trained, _ = network.train()(frames, network.initial())
    assert used.std() > 1e-3
    torch.testing.assert_close(trained, used, atol=1e-5, rtol=0)


def test_states_side_by_side_are_parted_and_joined(small_model: Model) -> None:
    """The inverse of each other; one alone is itself, and none shares memory with the batch."""
    state = random_state(small_model, 18, batch=3)
    parts = state.parted()
    assert len(parts) == 3
    assert LstmState.joined(parts) == state
    assert LstmState.joined(parts[1:2]) is parts[1]
    assert parts[1].parted() == parts[1:2]
    np.testing.assert_array_equal(parts[2].hidden, state.hidden[:, 2:])
    assert not any(np.shares_memory(part.hidden, state.hidden) for part in parts)


def test_no_frames_give_no_outputs(small_model: Model) -> None:
    """An empty call returns no outputs and the state as it was."""
    state = random_state(small_model, 12)
    outputs, after = small_model.runtime.forward(np.empty((1, 0, INPUTS), np.float32), state)
    assert outputs.shape == (1, 0, 5)
    assert after == state
