"""The exported graph: equal to the network, complete by itself, and honest when something fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from small_network import of_another_shape, random_rows

from streamer.errors import MissingExtraError, ModelError, OutputError
from streamer.network.config import parse
from streamer.network.model import Model

pytest.importorskip("onnx", reason="extra 'onnx'")
pytest.importorskip("onnxruntime", reason="extra 'onnx'")

from streamer.network import onnx as exporting
from streamer.network.onnx_session import check
from streamer.network.onnx_session import session as session_of


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"movement": False},
        {"lags": (2,)},
        {"integrate": 0},
        {"convolutions": (), "dense": 0, "movement": False, "layers": 1},
        {"gate": False},
        {"profiles": 0},
        {"chroma": None, "profiles": 0},
        {"chroma": {"memories_s": (), "tonalness": False}},
    ],
    ids=str,
)
def test_every_kind_of_network_is_exported(tmp_path: Path, changes: dict[str, object]) -> None:
    """Outputs and state of the graph are the network's to 1e-5, from a random state on."""
    path = tmp_path / "model.onnx"
    assert exporting.export(of_another_shape(**changes), path) < 1e-5
    assert path.stat().st_size > 1000


def test_step_by_step_equals_whole(small_model: Model) -> None:
    """With its state carried over by hand, the graph gives frame by frame what it gives at once."""
    session = session_of(exporting.graph(small_model).SerializeToString())
    frames = random_rows(np.random.default_rng(1), 2, 30)
    names = [part.name for part in session.get_inputs()]
    assert names == ["frames", "newest", "integral", "hidden", "cell"]
    state = [small_model.runtime.initial(2).to_arrays()[name] for name in names[1:]]
    whole, *final = session.run(None, dict(zip(names, [frames, *state], strict=True)))
    steps = []
    for k in range(30):
        fed = dict(zip(names, [frames[:, k : k + 1], *state], strict=True))
        output, *state = session.run(None, fed)
        steps.append(output)
    assert whole.shape == (2, 30, 5)
    assert whole.std(axis=1).min() > 1e-3
    np.testing.assert_allclose(np.concatenate(steps, axis=1), whole, atol=1e-5)
    for one, other in zip(state, final, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_whole_configuration_is_inside(small_model: Model) -> None:
    """The graph's metadata hold the model's name and its config.json, word for word."""
    proto = exporting.graph(small_model)
    facts = {entry.key: entry.value for entry in proto.metadata_props}
    assert facts["model"] == "small"
    assert parse(facts["config"]) == small_model.config
    assert json.loads(facts["config"])["features"]["hop"] == 400


def test_readers_of_many_years_know_the_operators(small_model: Model) -> None:
    """Operator set 17 in a file of version 8, both of 2022, and not a newer one by accident."""
    proto = exporting.graph(small_model)
    assert [(each.domain, each.version) for each in proto.opset_import] == [("", 17)]
    assert proto.ir_version == 8


def test_a_graph_that_differs_is_not_written(
    small_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the check finds another result, nothing is written."""
    monkeypatch.setattr(exporting, "check", lambda *_: 2e-5)
    with pytest.raises(ModelError, match=r"differs from its network by 2\.0e-05"):
        exporting.export(small_model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_wrong_weight_is_noticed(small_model: Model) -> None:
    """The check sees a single altered weight in the graph."""
    altered = dict(small_model.weights)
    altered["head.bias"] = altered["head.bias"] + np.float32([0, 1e-3, 0, 0])
    other = Model("other", small_model.config, altered)
    assert check(small_model, exporting.graph(other).SerializeToString()) > 1e-4


def test_without_pytorch_the_runtime_is_the_reference(
    small_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Export needs no PyTorch."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "streamer.network.hybrid", raising=False)
    monkeypatch.delattr("streamer.network.hybrid", raising=False)
    assert exporting.export(small_model, tmp_path / "model.onnx") < 1e-5


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_the_missing_extra_is_named(
    small_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """Without the extra the error says what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"needs {package}, .*emotion-streamer\[onnx\]"):
        exporting.export(small_model, tmp_path / "model.onnx")


def test_a_file_that_cannot_be_written_is_one_sentence(small_model: Model, tmp_path: Path) -> None:
    """A directory that is not there is the user's to mend."""
    with pytest.raises(OutputError, match="cannot be written"):
        exporting.export(small_model, tmp_path / "nowhere" / "model.onnx")
