"""What the user gets: the wheel, installed where the sources are not, replays the example clip."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from line_schema import emotions, valid_lines
from pythons import OTHERS

import streamer
from streamer.network.names import DEFAULT_MODEL

pytestmark = pytest.mark.wheel

ROOT = Path(__file__).resolve().parent.parent
#: Nothing of the checkout or of the environment of these tests may reach the installed package.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run(*command: object, cwd: Path, **more: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=CLEAN,
        capture_output=True,
        check=False,
        **more,  # type: ignore[call-overload]
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout by the tools that are here."""
    out = tmp_path_factory.mktemp("dist")
    built = run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT),
        cwd=out,
    )
    assert built.returncode == 0, built.stderr.decode()
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment that holds the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("elsewhere") / "environment"
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    installed = run(programs / "python", "-m", "pip", "install", "-q", wheel, cwd=folder)
    assert installed.returncode == 0, installed.stderr.decode()
    return programs


@pytest.fixture
def away(bin_folder: Path, clip: Path, tmp_path: Path) -> Path:
    """A folder far from the sources, with the example clip in it."""
    shutil.copy(clip, tmp_path / "song.flac")
    return tmp_path


def metadata_of(wheel: Path) -> Message:
    """What a package index reads of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        info = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(info).decode())


def test_the_wheel_is_small(wheel: Path) -> None:
    """Under 1.2 MB: what only the makers of a model need, and pictures, stay in the repository."""
    assert wheel.stat().st_size < 1_200_000
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert not [name for name in names if name.endswith((".csv.gz", ".png", ".svg", ".flac"))]
    assert not [name for name in names if name.startswith("makers/")]


def test_the_description_needs_no_file_of_the_repository(wheel: Path) -> None:
    """On a package index no picture is broken and no link dead, and the text is the README's."""
    described = metadata_of(wheel).get_payload()
    assert isinstance(described, str)
    assert described.startswith("# streamer\n")
    targets = re.findall(r"\]\(([^)]+)\)", described)
    assert [target for target in targets if not target.startswith("https://")] == []
    assert "*(The dashboard on the example clip: a picture in the repository)*" in described
    assert "streamer replay song.flac" in described


def test_the_pythons_that_are_promised_are_tried(wheel: Path) -> None:
    """Classifiers name the Python of these tests and those that `pythons.py` runs, no other."""
    promised = {
        line.rpartition(" ")[2]
        for line in metadata_of(wheel).get_all("Classifier") or ()
        if line.startswith("Programming Language :: Python :: 3.")
    }
    assert promised == {"3.11", *OTHERS}


def test_the_wheel_holds_what_is_needed_and_no_more(wheel: Path) -> None:
    """Code, schemas, recipes, the models with their licence; no tests, examples or caches."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    metadata = metadata_of(wheel)
    model = f"streamer/models/{DEFAULT_MODEL}"
    assert {
        "streamer/schema.json",
        "streamer/py.typed",
        "streamer/training/metrics.schema.json",
        "streamer/training/recipes/hybrid-4.toml",
        "streamer/models/LICENSE",
        f"{model}/config.json",
        f"{model}/weights.safetensors",
        f"{model}/README.md",
        f"{model}/metrics.json",
    } <= names
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "streamer").rglob("*.py")}
    assert code <= names
    folders = {name.split("/")[0] for name in names}
    assert folders == {"streamer", f"emotion_streamer-{streamer.__version__}.dist-info"}
    assert not [name for name in names if "__pycache__" in name or "unfinished" in name]
    assert metadata["Name"] == "emotion-streamer"
    assert metadata["Version"] == streamer.__version__
    assert metadata["License-Expression"] == "Apache-2.0 AND CC-BY-NC-4.0"
    assert {"LICENSE", "models/LICENSE"} <= set(metadata.get_all("License-File") or ())


def test_the_installed_command_replays_the_clip(bin_folder: Path, away: Path) -> None:
    """From another folder, without the sources: valid lines to the end, and not a word."""
    said = run(bin_folder / "streamer", "replay", "song.flac", "--speed", "max", cwd=away)
    assert (said.returncode, said.stderr.decode()) == (0, "")
    lines = valid_lines(said.stdout)
    assert lines[0]["model"] == DEFAULT_MODEL
    assert lines[0]["version"] == streamer.__version__
    found = emotions(lines)
    assert [line["t"] for line in found] == pytest.approx([k / 2 for k in range(1, 81)], abs=0.05)
    assert len({line["valence"] for line in found}) > 40
    assert lines[-1]["gaps"] == 0


def test_the_installed_model_is_the_one_in_the_wheel(bin_folder: Path, away: Path) -> None:
    """``streamer models`` lists it, from the environment, and ``--version`` is the wheel's."""
    listed = run(bin_folder / "streamer", "models", cwd=away)
    assert (listed.returncode, listed.stderr) == (0, b"")
    line = next(x for x in listed.stdout.decode().splitlines() if x.startswith(DEFAULT_MODEL))
    assert "(default)" in line
    assert str(bin_folder.parent.resolve()) in line
    assert str(ROOT) not in line
    version = run(bin_folder / "streamer", "--version", cwd=away)
    assert version.stdout.decode() == f"streamer, version {streamer.__version__}\n"
    assert run(bin_folder / "python", "-m", "streamer", "--version", cwd=away).returncode == 0


def test_torch_is_not_needed(bin_folder: Path, away: Path) -> None:
    """Nothing of the extras is installed; ``train`` says which one it needs."""
    program = (
        "import importlib.util as u\n"
        "names = 'torch matplotlib pyarrow distributed onnx pythonosc pytest'.split()\n"
        "print([name for name in names if u.find_spec(name)])\n"
    )
    assert run(bin_folder / "python", "-c", program, cwd=away).stdout == b"[]\n"
    said = run(bin_folder / "streamer", "train", ".", "--out", "model", cwd=away)
    assert said.returncode == 1
    assert said.stderr.decode() == (
        "streamer: streamer train needs PyTorch, which is not installed: "
        "pip install 'emotion-streamer[train]'\n"
    )


def test_the_library_as_the_readme_shows_it(bin_folder: Path, away: Path) -> None:
    """``from streamer import EmotionTracker, load_model`` works on arrays, without a sound card."""
    program = (
        "import numpy as np\n"
        "from streamer import EmotionTracker, load_model\n"
        "tracker = EmotionTracker(load_model(), interval=0.5)\n"
        "noise = np.random.default_rng(0).normal(0, 0.1, 2 * tracker.sample_rate)\n"
        "print(len(tracker.push(noise.astype(np.float32))))\n"
    )
    said = run(bin_folder / "python", "-c", program, cwd=away)
    assert (said.stdout, said.stderr) == (b"4\n", b"")
