"""``streamer export``: a file, a sentence about it, and mistakes in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from streamer.cli.export import command
from streamer.errors import ModelError, OutputError

pytest.importorskip("onnxruntime", reason="extra 'onnx'")


def test_the_graph_is_written_and_described(model_directory: Path, tmp_path: Path) -> None:
    """The command writes the file and says how large it is and how near to the network."""
    output = tmp_path / "small.onnx"
    done = CliRunner().invoke(command, [str(model_directory), "--onnx", str(output)])
    assert (done.exit_code, done.exception) == (0, None)
    assert done.stdout.startswith(f"{output}: {output.stat().st_size:,} bytes; outputs and state")


def test_mistakes_are_one_sentence(model_directory: Path, tmp_path: Path) -> None:
    """No such model, no such folder, and no file named."""
    run = CliRunner().invoke
    nowhere = str(tmp_path / "nowhere" / "small.onnx")
    somewhere = str(tmp_path / "small.onnx")
    assert isinstance(run(command, ["nothing", "--onnx", somewhere]).exception, ModelError)
    assert not Path(somewhere).exists()
    found = run(command, [str(model_directory), "--onnx", nowhere]).exception
    assert isinstance(found, OutputError)
    assert "nowhere" in str(found)
    assert run(command, [str(model_directory)]).exit_code == 2
