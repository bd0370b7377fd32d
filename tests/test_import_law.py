"""The order of the house: who may import whom, and what stays out of a quick answer."""

from __future__ import annotations

import ast
import functools
import itertools
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import streamer

PACKAGE = Path(streamer.__file__).parent
ROOT = Path(__file__).resolve().parent.parent

#: Folders and modules from the ground to the roof: each imports from floors below it, and never
#: sideways. ``import streamer`` (for its version) is free to all.
FLOORS = (
    ("errors", "events", "processes", "records"),
    ("audio",),
    ("features",),
    ("network",),
    ("circumplex",),
    ("stages",),
    ("tracker",),
    ("pool",),
    ("sinks",),
    ("dashboard",),
    ("session",),
    ("tracking",),
    ("training",),
    ("analysis", "annotate"),
    ("bench",),
    ("cli",),
    ("__main__",),
)
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}

#: Heavy packages and who may import them.
HOMES = {
    "torch": ("training/", "network/hybrid.py", "bench/"),
    "sounddevice": ("audio/",),
    "av": ("audio/decoder.py", "bench/library.py"),
    "rich": ("dashboard/", "cli/", "bench/dashboard.py"),
    "matplotlib": ("analysis/",),
    "click": ("cli/",),
    "onnx": ("network/onnx.py",),
    "onnxruntime": ("network/onnx_session.py", "bench/"),
}
#: What must not be imported for `--help`, `--version` and a wrong argument.
SLOW = {"matplotlib", "rich", "scipy", "sounddevice", "soundfile", "torch"}
#: Import names of distributions that are called otherwise.
DISTRIBUTIONS = {
    "mpl_toolkits": "matplotlib",
    "paho": "paho-mqtt",
    "pythonosc": "python-osc",
    "yaml": "pyyaml",
}


@functools.cache
def sources() -> dict[str, ast.Module]:
    """Every file of the package, parsed, by its path in it."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
        if "models" not in path.relative_to(PACKAGE).parts
    }


def imported(tree: ast.AST) -> Iterator[str]:
    """The dotted names of everything that a file imports, at whatever place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                continue
            if node.module == "streamer":
                yield from (f"streamer.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def test_nothing_is_imported_relatively() -> None:
    """Relative imports would hide from the law (and from readers) where a name comes from."""
    nodes = [node for tree in sources().values() for node in ast.walk(tree)]
    assert sum(isinstance(node, ast.ImportFrom) for node in nodes) > 200
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level]


def part_of(path: str) -> str:
    """The folder or module of the package that a file belongs to."""
    return Path(path).parts[0].removesuffix(".py")


def test_the_folders_stand_in_their_order() -> None:
    """A folder imports from those before it, never from those after it or from its neighbours."""
    files = sources()
    assert len(files) > 60
    wrong = []
    seen = set()
    for path, tree in files.items():
        own = part_of(path)
        if own == "__init__":  # hands out names, lazily
            continue
        assert own in FLOOR, f"{path}: say where {own} stands"
        for name in imported(tree):
            package, _, rest = name.partition(".")
            other = rest.split(".")[0]
            if package == "streamer" and rest and other != own:
                seen.add((own, other))
                if FLOOR.get(other, 99) >= FLOOR[own]:
                    wrong.append(f"{path} imports {name}")
    assert not wrong
    assert {("tracker", "stages"), ("session", "sinks"), ("cli", "training")} <= seen


def test_every_folder_of_the_law_exists() -> None:
    """The law names no folder or module that is gone."""
    there = {part_of(path) for path in sources()}
    assert set(FLOOR) <= there
    assert there - set(FLOOR) == {"__init__"}


def test_no_circles_among_modules() -> None:
    """Inside a folder too, no module imports one that imports it: the law goes down to files."""
    files = sources()
    names = {path: "streamer." + path.removesuffix(".py").replace("/", ".") for path in files}
    by_name = {name: path for path, name in names.items()}
    edges = {
        names[path]: {name for name in imported(tree) if name in by_name}
        for path, tree in files.items()
    }
    assert sum(map(len, edges.values())) > 100
    done: set[str] = set()
    for _ in edges:
        ready = {name for name, needs in edges.items() if name not in done and needs <= done}
        if not ready:
            break
        done |= ready
    assert set(edges) - done == set()


@pytest.mark.parametrize("package", sorted(HOMES))
def test_heavy_packages_stay_at_home(package: str) -> None:
    """Each heavy package is imported in its own folder alone, and there is such an import."""
    users = [
        path
        for path, tree in sources().items()
        if any(name.split(".")[0] == package for name in imported(tree))
    ]
    assert users
    assert [path for path in users if not path.startswith(HOMES[package])] == []


def at_module_level(tree: ast.Module) -> Iterator[str]:
    """What importing the file imports: not what its functions do, nor what only mypy reads."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node)


def test_what_is_optional_is_imported_where_it_is_used() -> None:
    """No file needs an extra or a sound card to be imported; training's may need torch."""
    optional = {"matplotlib", "onnx", "onnxruntime", "pyarrow", "distributed", "pythonosc"}
    optional |= {"av", "paho", "pylsl", "sounddevice", "websockets"}
    for path, tree in sources().items():
        needed = {name.split(".")[0] for name in at_module_level(tree)}
        assert not needed & optional, path
        if not path.startswith("training/") and path != "network/hybrid.py":
            assert "torch" not in needed, path


def declared() -> dict[str, set[str]]:
    """Distributions that ``pyproject.toml`` declares, normalised, by extra ("" for always)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: {normalised(line) for line in lines} for extra, lines in groups.items()}


def normalised(requirement: str) -> str:
    """The distribution's name in its normal form, without versions and extras."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def distribution(module: str) -> str:
    return normalised(DISTRIBUTIONS.get(module, module))


def test_everything_imported_is_declared() -> None:
    """Every package that the code imports is a dependency or in an extra, and none is idle."""
    groups = declared()
    used = {
        distribution(name.split(".")[0])
        for tree in sources().values()
        for name in imported(tree)
        if name.split(".")[0] not in {*sys.stdlib_module_names, "streamer"}
    }
    product = set().union(*(names for extra, names in groups.items() if extra not in TOOLS))
    assert used - product == set()
    assert groups[""] - used == set()
    assert {"numpy", "click", "torch"} <= used


#: Extras for those who work on the code, not for those who use it.
TOOLS = {"test", "docs"}
#: What tests import that is neither a distribution nor a file beside them.
BESIDE = {"studio", "lamp_for_tests", "makers"}


@pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="no checkout")
def test_everything_that_tests_import_is_declared() -> None:
    """What tests import comes with the product, an extra, or the extra `test`."""
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    beside = {path.stem for path in files} | BESIDE
    used = {
        name.split(".")[0]
        for path in files
        for name in imported(ast.parse(path.read_text(encoding="utf-8")))
    }
    foreign = used - beside - set(sys.stdlib_module_names) - {"streamer", "tests"}
    assert {"pytest", "hypothesis"} <= foreign
    groups = declared()
    known = set().union(*groups.values())
    assert {distribution(name) for name in foreign} - known == set()


def test_the_declared_ranges_hold_here() -> None:
    """The versions that these tests run with are inside the ranges of the dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        name, least = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups()  # type: ignore[union-attr]
        version = tuple(int(part) for part in re.findall(r"\d+", metadata.version(name))[:3])
        assert version >= tuple(int(part) for part in least.split(".")), requirement


#: Command lines that are answered at once, and their exit codes.
QUICK = {
    "--help": 0,
    "--version": 0,
    "no-such-command": 2,
    "replay --help": 0,
    "replay song.wav --speed slow": 2,
    "replay --no-such-option": 2,
    "train --help": 0,
}


def test_a_quick_answer_imports_nothing_slow() -> None:
    """Help, version and a wrong argument come without torch, rich, SciPy or a sound library."""
    program = (
        "import sys\n"
        "from streamer.cli.main import main\n"
        "for line in sys.argv[1:]:\n"
        "    code = main(line.split())\n"
        "    print('MODULES', code, *sys.modules, file=sys.stderr)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, *QUICK],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
    ).stderr
    answers = [line.split()[1:] for line in said.splitlines() if line.startswith("MODULES")]
    assert [int(code) for code, *_ in answers] == list(QUICK.values())
    for line, (_, *modules) in zip(QUICK, answers, strict=True):
        assert {"click", "streamer.cli.main"} <= set(modules)
        assert SLOW & set(modules) == set(), line
    assert "numpy" not in answers[0]
    assert "numpy" not in answers[1]


def test_importing_the_package_imports_nothing() -> None:
    """``import streamer`` costs no NumPy; ``EmotionTracker`` and ``load_model`` cost no torch."""
    program = (
        "import sys, streamer\n"
        "print(*sys.modules)\n"
        "from streamer import EmotionTracker, load_model\n"
        "print(*sys.modules)\n"
    )
    first, second = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
    ).stdout.splitlines()
    assert "numpy" not in first.split()
    assert "numpy" in second.split()
    assert not {"torch", "rich", "sounddevice", "soundfile", "matplotlib"} & set(second.split())


def test_every_public_name_is_there() -> None:
    """All that ``streamer.__all__`` promises can be imported, and nothing else pretends to be."""
    for name in streamer.__all__:
        assert getattr(streamer, name) is not None
    assert sorted(dir(streamer)) == sorted(streamer.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        streamer.nonsense  # noqa: B018 - the attribute is what is tried


def test_modules_have_names_that_tell() -> None:
    """No module is called by a word that could hold anything."""
    vague = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "tools"}
    parts = itertools.chain.from_iterable(Path(path).with_suffix("").parts for path in sources())
    assert not vague & set(parts)
