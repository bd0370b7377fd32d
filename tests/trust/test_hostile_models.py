"""A model directory is data: a hostile one is refused in one sentence, and does nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_network import random_weights, small_config

from streamer import EmotionTracker
from streamer.cli.main import main
from streamer.errors import ModelError
from streamer.network.model import load_model, save_model


@pytest.fixture
def hostile(model_directory: Path, tmp_path: Path) -> Path:
    """A copy of the small model, to be spoilt."""
    return Path(shutil.copytree(model_directory, tmp_path / "hostile"))


def weights(directory: Path, blob: bytes) -> None:
    """Other weights, with their right hash in the configuration."""
    (directory / "weights.safetensors").write_bytes(blob)
    record = json.loads((directory / "config.json").read_text())
    record["weights_sha256"] = hashlib.sha256(blob).hexdigest()
    (directory / "config.json").write_text(json.dumps(record))


def safetensors(header: Any, body: bytes = b"") -> bytes:
    """A file with any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def genuine() -> tuple[dict[str, Any], bytes]:
    """The header and the body of the small model's own weights."""
    header: dict[str, Any] = {}
    body = b""
    for name, array in random_weights(small_config()).items():
        end = len(body) + array.nbytes
        header[name] = {
            "dtype": "F32",
            "shape": list(array.shape),
            "data_offsets": [len(body), end],
        }
        body += array.tobytes()
    return header, body


def lying(name: str, **changes: Any) -> bytes:
    """Genuine weights of which one tensor's entry says something else."""
    header, body = genuine()
    header[name] |= changes
    return safetensors(header, body)


def overlapping() -> bytes:
    """Two tensors in the same place."""
    header, body = genuine()
    header["lstm.bias_ih_l0"]["data_offsets"] = header["lstm.bias_hh_l0"]["data_offsets"]
    return safetensors(header, body)


def put(name: str) -> Callable[[Path], None]:
    """Weights of that kind."""
    return lambda directory: weights(directory, WEIGHTS[name])


WEIGHTS = {
    "no header": b"\x08\x00",
    "a header of 2^63 bytes": struct.pack("<Q", 1 << 63) + b"{}",
    "a header longer than the file": struct.pack("<Q", 1 << 20) + b"{}",
    "a header that is no JSON": safetensors(b"\xff{"),
    "a header of lists": safetensors(b"[" * 50_000),
    "tensors of 2^60 numbers": lying("head.weight", shape=[1 << 30, 1 << 30]),
    "negative shapes": lying("head.weight", shape=[-4, -10]),
    "offsets beyond the end": lying("head.weight", data_offsets=[0, 1 << 40]),
    "offsets that go back": lying("head.weight", data_offsets=[160, 0]),
    "overlapping tensors": overlapping(),
    "another type": lying("head.weight", dtype="F64"),
    "an unknown type": lying("head.weight", dtype="PICKLE"),
    "a name that is a path": safetensors(
        {"../../x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)
    ),
    "a pickle": b"\x80\x04cos\nsystem\n(S'touch PWNED'\ntR.",
    "a zip of pickles": b"PK\x03\x04" + bytes(100),
}


def config(change: Callable[[str], str | bytes]) -> Callable[[Path], None]:
    """The configuration's text, changed."""

    def spoil(directory: Path) -> None:
        path = directory / "config.json"
        changed = change(path.read_text())
        path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())

    return spoil


def field(dotted: str, text: str) -> Callable[[Path], None]:
    """A field of the configuration with any JSON text as its value."""

    def change(before: str) -> str:
        record = json.loads(before)
        place = record
        *outer, last = dotted.split(".")
        for part in outer:
            place = place[int(part) if part.isdigit() else part]
        place[int(last) if last.isdigit() else last] = "@HERE@"
        return json.dumps(record).replace('"@HERE@"', text)

    return config(change)


def layers(filters: int, count: int) -> str:
    """Convolutions, as the configuration has them."""
    return json.dumps([{"filters": filters, "width": 1, "stride": 1}] * count)


def replaced(name: str, make: Callable[[Path], None]) -> Callable[[Path], None]:
    """Something else in the place of a file."""

    def spoil(directory: Path) -> None:
        (directory / name).unlink()
        make(directory / name)

    return spoil


def sparse(size: int) -> Callable[[Path], None]:
    """A file that claims a size and takes no room."""

    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return make


HOSTILE: dict[str, Callable[[Path], None]] = {
    **{name: put(name) for name in WEIGHTS},
    "weights that are a link to a secret": replaced(
        "weights.safetensors", lambda path: path.symlink_to("/etc/passwd")
    ),
    "a configuration that is a link to a device": replaced(
        "config.json", lambda path: path.symlink_to("/dev/zero")
    ),
    "a link to itself": replaced("config.json", lambda path: path.symlink_to(path.name)),
    "a pipe that nobody writes": replaced("config.json", os.mkfifo),
    "weights from a pipe": replaced("weights.safetensors", os.mkfifo),
    "a folder in the place of a file": replaced("weights.safetensors", Path.mkdir),
    "a configuration of a terabyte": replaced("config.json", sparse(1 << 40)),
    "weights of a terabyte": replaced("weights.safetensors", sparse(1 << 40)),
    "deep objects": config(lambda _: '{"a":' * 100_000),
    "deep lists in a field": field("songs", "[" * 3_000 + "]" * 3_000),
    "a number of a million digits": field("features.hop", "9" * 1_000_000),
    "a number that is infinite": field("silence_db", "-1e999"),
    "minus nothing": field("network.lstm", "-0"),
    "a whole number with a point": field("network.lstm", "10.0"),
    "giant layers": field("network.convolutions", layers(4096, 8)),
    "a million layers": field("network.convolutions", layers(1, 40_000)),
    "a stride of nothing": field("network.convolutions.0", '{"filters":6,"width":5,"stride":0}'),
    "text for a layer": field("network.convolutions.0", '"__import__"'),
    "a rate of nothing": field("features.sample_rate", "0"),
    "a window of one's own": field("features.window", '"__import__(\'os\')"'),
    "a lifter beyond belief": field("features.lifter", "100000000"),
    "a hop of one sample": field("features.hop", "1"),
    "a long frame and a short hop": field("features.frame", "65536"),
    "filters by the gigabyte": config(
        lambda text: text.replace('"filters": 24', '"filters": 512').replace("1024", "65536")
    ),
    "layers that swell": config(
        lambda text: text.replace('"width": 5', '"width": 1').replace(': 6,', ': 4096,')
    ),
    "half a character in a name": field("songs", '{"\\ud800": ["1"]}'),
    "coefficients without end": field("network.coefficients", "100000000"),
    "deviations of nothing": field("normalisation.sd", json.dumps([0.0] * 20)),
    "means beyond float32": field("normalisation.mean", json.dumps([1e300] * 20)),
    "a scale that is negative": field("calibration.valence.scale", "-1"),
    "a field that comes twice": config(
        lambda text: text.replace('"silence_db"', '"silence_db": "x", "silence_db"', 1)
    ),
    "half of a byte sequence": config(lambda text: text.encode() + b"\xc3"),
    "half a character": field("songs", '{"x": ["\\udfff"]}'),
    "zeros": config(lambda _: b"\0" * 1_000),
    "nothing at all": config(lambda _: b""),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_directories(
    hostile: Path,
    name: str,
    clip: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One sentence and exit code 1, at once, in little memory; nothing is run or written."""
    monkeypatch.chdir(hostile.parent)
    HOSTILE[name](hostile)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # The time of this process alone: others may keep the machine busy.
    begun = time.process_time()
    code = main(["replay", str(clip), "--speed", "max", "--model", "hostile"])
    assert time.process_time() - begun < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < 200e6
    said = capfd.readouterr()
    assert (code, said.out) == (1, "")
    assert said.err.startswith("streamer: model hostile: ")
    assert said.err.count("\n") == 1
    assert len(said.err) < 500
    assert "root:" not in said.err
    assert sorted(path.name for path in hostile.parent.iterdir()) == ["hostile"]


def test_sizes_of_files_end_at_their_borders(hostile: Path) -> None:
    """A configuration of 4,000,000 bytes and weights of 80,000,000 are read; one more is not."""
    path = hostile / "config.json"
    text = path.read_text()
    path.write_text(text.ljust(4_000_000))
    assert load_model(hostile).name == "hostile"
    path.write_text(text.ljust(4_000_001))
    with pytest.raises(ModelError, match=r"config\.json is larger than 4 MB"):
        load_model(hostile)
    path.write_text(text)
    os.truncate(hostile / "weights.safetensors", 80_000_000)
    with pytest.raises(ModelError, match="not the file that"):
        load_model(hostile)
    os.truncate(hostile / "weights.safetensors", 80_000_001)
    with pytest.raises(ModelError, match="larger than 80 MB"):
        load_model(hostile)


def test_a_model_is_saved_where_there_is_no_folder_yet_and_over_another(tmp_path: Path) -> None:
    """Folders are made, what is there is replaced, and its name is that of its folder."""
    place = tmp_path / "of" / "mine"
    for seed in (1, 3):
        weights_ = random_weights(small_config(), seed)
        save_model(place, small_config(), weights_)
        model = load_model(tmp_path / "of" / ".." / "of" / "mine")
        assert model.name == "mine"
        np.testing.assert_array_equal(model.weights["head.bias"], weights_["head.bias"])
        with pytest.raises(ValueError, match="read-only"):
            model.weights["head.bias"][0] = 1


@pytest.mark.parametrize(
    "name",
    ["../hybrid-3", "..", "/etc", "/dev/null", "/proc/self/root", "hybrid-3/../../..", "\0", "",
     " ", "~", "a" * 5_000, "x\n\x1b[2Jy", "\udcff", "models/hybrid-3\0"],
)  # fmt: skip
def test_names_that_are_no_models(name: str, clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever ``--model`` says: a directory with a model in it, or one sentence."""
    with pytest.raises(ModelError):
        load_model(name)
    assert main(["replay", str(clip), "--model", name]) == 1
    said = capfd.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert "unexpected" not in said.err


#: Values of every kind that JSON has, and some that trip programs.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 5000)
    | st.floats()
    | st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 10**400, 1e308, 5e-324, 4096, "int", "1"])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def places(record: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    if isinstance(record, dict | list):
        items = record.items() if isinstance(record, dict) else enumerate(record)
        for key, value in items:
            found += places(value, (*path, key))
    return found


GENUINE = json.loads(small_config().to_json())
PLACES = [path for path in places(GENUINE) if path != ("weights_sha256",)]


@pytest.mark.slow
@settings(max_examples=400)
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=2))
@example(changes=[(("volume", "seconds"), 5e-324)])
@example(changes=[(("normalisation", "mean"), [1e39] * 20)])
@example(changes=[(("normalisation", "sd"), [1e300] * 20)])
@example(changes=[(("features", "hop"), 65_536)])
@example(changes=[(("features", "low_hz"), 5e-324)])
def test_any_value_anywhere(
    changes: list[tuple[tuple[Any, ...], Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A changed configuration is refused as a model's fault, or gives a model that works."""
    record = json.loads(json.dumps(GENUINE))
    for path, value in changes:
        place = record
        with contextlib.suppress(KeyError, IndexError, TypeError):  # gone by the first change
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
    directory = tmp_path_factory.mktemp("fuzzed")
    save_model(directory, small_config(), random_weights(small_config()))
    sha256 = json.loads((directory / "config.json").read_text())["weights_sha256"]
    (directory / "config.json").write_text(json.dumps(record | {"weights_sha256": sha256}))
    model, said = None, ""
    try:
        model = load_model(directory)
    except ModelError as error:
        said = str(error)
    shutil.rmtree(directory)
    if model is None:
        assert 0 < len(said) < 1_000
        assert "\n" not in said
        return
    tracker = EmotionTracker(model)
    seconds = min(10.0, 3 * model.config.features.hop / tracker.sample_rate + 1)
    noise = np.random.default_rng(0).normal(0, 0.1, int(seconds * tracker.sample_rate))
    for estimate in tracker.push(noise.astype(np.float32)):
        for number in (estimate.valence, estimate.arousal):
            assert number is not None
            assert -1 <= number <= 1
    for array in tracker.state.to_arrays().values():
        assert np.isfinite(array).all()


def test_nothing_of_a_directory_is_imported_or_run(hostile: Path, tmp_path: Path) -> None:
    """Python files, pickles and hooks beside the weights are left where they are."""
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')\n"
    for name in ("__init__.py", "model.py", "sitecustomize.py", "numpy.py", "json.py", "conf.py"):
        (hostile / name).write_text(trap)
    (hostile / "weights.pt").write_bytes(b"\x80\x04cbuiltins\nexec\n(S'" + b"1/0'\ntR.")
    program = (
        "from streamer import load_model; import sys; load_model(sys.argv[1]); print(*sys.modules)"
    )
    modules = subprocess.run(
        [sys.executable, "-c", program, str(hostile)],
        capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout.split()  # fmt: skip
    assert "safetensors" in modules
    assert not {"torch", "dill", "yaml", "model", "conf"} & set(modules)
    assert not (tmp_path / "sprung").exists()
