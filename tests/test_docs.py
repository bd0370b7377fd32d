"""Documentation held to the code: the help of every command, every block of README and manual."""

from __future__ import annotations

import ast
import csv
import inspect
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
import numpy as np
import pytest
import soundfile
import yaml
from line_schema import VALIDATOR

from streamer.cli.main import COMMANDS, cli, main
from streamer.network import names
from streamer.network.names import DEFAULT_MODEL
from streamer.sinks import plugins

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Everything that a reader is given, by its path.
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        *sorted(ROOT.glob("*.md")),
        *sorted(ROOT.glob("docs/*.md")),
        *sorted(ROOT.glob("models/*/README.md")),
    )
}
_FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What stands above a block of Python that needs what no test brings about, with the reason.
_NOT_RUN = re.compile(r"^(<!-- not run: \w[^\n]{10,} -->\n```)python$", re.MULTILINE)
#: Document, language and text of every block; "python, not run" is a language of its own.
BLOCKS = [
    (document, language, text)
    for document, whole in DOCUMENTS.items()
    for language, text in _FENCED.findall(_NOT_RUN.sub(r"\1python, not run", whole))
]
#: What stands between backticks outside the blocks.
SPANS = [
    span
    for whole in DOCUMENTS.values()
    for span in re.findall(r"`([^`\n]+)`", _FENCED.sub("", whole))
]
#: What ends one command of a shell line and begins the next.
_CONTROL = {"|", "||", "&&", ";", "&", ">", ">>", "<", "2>"}


def command_of(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


def shell_commands(text: str) -> Iterator[list[str]]:
    """The commands of a shell script, as words; redirections left out."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words: list[str] = []
        skip = False
        for token in lexer:
            if token in {">", ">>", "<", "2>"}:
                skip = True
            elif token in _CONTROL:
                yield words
                words = []
            elif skip:
                skip = False
            else:
                words.append(token)
        if words:
            yield words


@pytest.fixture
def anything_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files need not exist, and every sink is installed: only the words are checked."""

    class Everything(dict[str, object]):
        def __contains__(self, name: object) -> bool:
            return True

    monkeypatch.setattr(click.Path, "convert", lambda _self, value, *_where: Path(str(value)))
    monkeypatch.setattr(plugins, "available", Everything)


def parse(words: list[str], *, complete: bool = True) -> None:
    """Parse the words of a ``streamer`` command line as the program would, without running it."""
    assert words[0] == "streamer"
    arguments = [word for word in words[1:] if word != "--debug"]
    if not arguments or arguments[0] in {"--help", "--version"}:
        return
    name, *rest = arguments
    if {"-h", "--help"} & set(rest):
        rest = []
        complete = False
    assert name in COMMANDS, f"{' '.join(words)}: there is no such command"
    try:
        command_of(name).make_context(name, rest)
    except click.UsageError as error:
        if complete or not isinstance(error, click.MissingParameter):
            pytest.fail(f"{' '.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    """A command has a description, every option a help text, every argument is told of."""
    command = command_of(name)
    assert command.name == name
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts[0]}"
        else:
            assert isinstance(parameter, click.Argument)
            metavar = parameter.make_metavar(click.Context(command)).strip("[]")
            word = metavar.split("...")[0].strip("[]")
            assert word in command.help or word.lower() in command.help.lower(), metavar


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_that_parses(
    name: str, anything_goes: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--help`` shows at least one example, and each is a command line that the parser takes."""
    assert main([name, "--help"]) == 0
    assert "Example: " in capsys.readouterr().out
    described = inspect.cleandoc(command_of(name).help or "")
    examples = re.findall(r"^Example: (.*?)(?:\n\n|\Z)", described, re.MULTILINE | re.DOTALL)
    of_this = 0
    for example in examples:
        for words in shell_commands(" ".join(example.split())):
            if words[0] == "streamer":
                parse(words)
                of_this += words[1] == name
    assert of_this >= 1


def test_the_table_of_commands_is_complete() -> None:
    """``streamer --help`` names what there is, in one line each."""
    for name, line in COMMANDS.items():
        assert re.fullmatch(r"[A-Z].{10,80}\.", line), name
        assert command_of(name).name == name


def test_every_block_is_of_a_kind_that_is_held() -> None:
    """No block of README and manual is of a language that nothing here parses or runs."""
    held = {"sh", "python", "python, not run", "json", "toml", "yaml", "csv"}
    drawn = {"", "text"}  # diagrams
    by_sphinx = {name for _, name, _ in BLOCKS if name.startswith("{")}
    assert {language for _, language, _ in BLOCKS} - by_sphinx <= held | drawn
    assert {"sh", "python", "json"} <= {language for _, language, _ in BLOCKS}


def test_every_command_line_parses(anything_goes: None) -> None:
    """The shell blocks of README and manual are taken by the parser as they stand."""
    seen = 0
    for document, language, text in BLOCKS:
        if language != "sh":
            continue
        for words in shell_commands(text):
            if words and words[0] == "streamer":
                parse(words)
                seen += 1
            elif words[:1] in (["python"], ["python3"]) and "/" in words[1]:
                assert (ROOT / words[1]).is_file(), f"{document}: {words[1]}"
                seen += 1
    assert seen >= 25


def test_every_record_reads() -> None:
    """JSON, TOML, YAML and CSV of the manual can be read; the lines are valid ones."""
    lines = 0
    for _, language, text in BLOCKS:
        if language == "json":
            for line in text.splitlines():
                record = json.loads(line)
                if "type" in record:
                    VALIDATOR.validate(record)
                    lines += 1
        elif language == "toml":
            assert tomllib.loads(text)
        elif language == "yaml":
            assert yaml.safe_load(text)
        elif language == "csv":
            rows = list(csv.reader(io.StringIO(text)))
            assert len(rows) > 1
    assert lines >= 5


def test_every_command_in_the_text_exists(anything_goes: None) -> None:
    """Commands named within sentences exist, with the options that they show."""
    seen = 0
    for span in SPANS:
        if not span.startswith("streamer "):
            continue
        for words in shell_commands(span.replace("[", "").replace("]", "")):
            if words[0] == "streamer":
                parse(words, complete=False)
                seen += 1
    assert seen >= 15


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    """A reader of the README meets every command."""
    named = re.search(rf"\bstreamer {name}\b|`{name}`", README)
    assert named, f"the README does not mention streamer {name}"


def test_every_option_in_the_text_exists() -> None:
    """An option that a sentence names is one of some command."""
    known = {
        option
        for name in COMMANDS
        for parameter in command_of(name).params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    known |= {"--help", "--version", "--debug"}
    others = ("pip ", "git ", "ffmpeg ", "dask ", "docker ", "mosquitto", "python", "pytest ")
    named = {
        word
        for span in SPANS
        for word in re.findall(r"(?<!\S)--[a-z][a-z-]+", span)
        if not span.startswith(others)
    }
    assert len(named) >= 15
    assert named <= known


def test_every_extra_that_is_named_exists() -> None:
    """``pip install '.[...]'`` asks for extras that pyproject declares."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set()
    for whole in DOCUMENTS.values():
        for extras in re.findall(r"(?:\.|emotion-streamer)\[([a-z, ]+)\]", whole):
            named |= {extra.strip() for extra in extras.split(",")}
    assert named
    assert named <= set(declared["optional-dependencies"])


def test_every_path_that_is_named_exists() -> None:
    """A file or folder of the repository that a sentence names is there."""
    paths = {
        span
        for span in SPANS
        if re.fullmatch(r"(streamer|tests|examples|models|makers|docs|\.ci)/[\w./-]*", span)
    }
    assert len(paths) > 20
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def _anchors(whole: str) -> set[str]:
    """The headings of a document as the repository's host and MyST name them in links."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", whole), re.MULTILINE)
    return set(re.findall(r"^\((\w+)\)=$", whole, re.MULTILINE)) | {
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    """A relative link names a file that exists, and a heading in it; any other is a proper URL."""
    wrong = []
    for link in re.findall(r"\]\(([^)\s]+)\)", _FENCED.sub("", DOCUMENTS[document])):
        url = urlsplit(link)
        if url.scheme:
            if url.scheme not in {"https", "mailto"} or (
                url.scheme == "https" and "." not in url.netloc
            ):
                wrong.append(link)
            continue
        target = (ROOT / document).parent / url.path if url.path else ROOT / document
        heading = url.fragment
        if not target.exists() or (heading and heading not in _anchors(target.read_text("utf-8"))):
            wrong.append(link)
    assert wrong == []


def test_the_readme_is_short() -> None:
    """The README keeps under 9 kB: the rest is the manual's."""
    assert len(README.encode()) <= 9_000


def test_every_page_is_in_the_table_of_contents() -> None:
    """Each page of the manual is named in its index, and each name is a page."""
    index = DOCUMENTS["docs/index.md"]
    named = [
        line
        for _, language, text in BLOCKS
        if language == "{toctree}"
        for line in text.splitlines()
        if line and not line.startswith(":")
    ]
    pages = {Path(name).stem for name in DOCUMENTS if name.startswith("docs/")} - {"index"}
    assert index
    assert sorted(named) == sorted(pages)


def test_the_manual_shows_the_default_models_card() -> None:
    """The page of the model card includes that of the model which listens by default."""
    assert f"../models/{DEFAULT_MODEL}/README.md" in DOCUMENTS["docs/card.md"]


@pytest.fixture
def at_work(
    monkeypatch: pytest.MonkeyPatch, model_directory: Path, music: np.ndarray, tmp_path: Path
) -> Path:
    """The folder of a reader who follows a page: a song, its lines, the examples, a small model."""
    monkeypatch.setattr(names, "DEFAULT_MODEL", str(model_directory))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    soundfile.write(tmp_path / "song.flac", music, 16_000)
    assert main(["replay", "song.flac", "--speed", "max", "--jsonl", "song.jsonl"]) == 0
    return tmp_path


@pytest.mark.parametrize("document", sorted({name for name, kind, _ in BLOCKS if kind == "python"}))
def test_the_python_runs(document: str, at_work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document's Python, block after block in one namespace; a song's lines as its input."""
    monkeypatch.setattr(sys, "stdin", io.StringIO((at_work / "song.jsonl").read_text()))
    namespace: dict[str, object] = {"__name__": "manual"}
    for name, language, text in BLOCKS:
        if (name, language) == (document, "python"):
            exec(compile(text, document, "exec"), namespace)


def test_the_python_that_is_not_run_can_be() -> None:
    """What cannot run in a test is proper Python, and what it imports is there."""
    blocks = [(name, text) for name, kind, text in BLOCKS if kind == "python, not run"]
    assert blocks
    for name, text in blocks:
        tree = ast.parse(text, name)
        tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(tree, name, "exec"), {})


def in_a_shell(document: str, begins: tuple[str, ...], folder: Path) -> list[list[str]]:
    """Run those shell blocks of a page that begin so, in order; the lines that each printed."""
    (folder / "examples").symlink_to(ROOT / "examples")
    programs = folder / "bin"
    programs.mkdir()
    for name, arguments in (("streamer", "-m streamer"), ("python3", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        program.chmod(0o755)
    printed = []
    for name, kind, text in BLOCKS:
        if (name, kind) == (document, "sh") and text.startswith(begins):
            done = subprocess.run(
                ["sh", "-e", "-c", text],
                cwd=folder,
                env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (text, done.stderr)
            printed.append(done.stdout.splitlines())
    return printed


@pytest.mark.docs
def test_the_tutorial_runs_as_it_stands(tmp_path: Path) -> None:
    """Its program and the commands that need no sound card, in a shell, with the shipped model."""
    (lamp,) = (
        text for name, kind, text in BLOCKS if (name, kind) == ("docs/tutorial.md", "python")
    )
    (tmp_path / "lamp.py").write_text(lamp)
    first, colours = in_a_shell("docs/tutorial.md", ("streamer replay",), tmp_path)
    assert json.loads(first[0])["type"] == "start"
    lamps = [line for line in colours if re.fullmatch(r"lamp( +\d+){3}", line)]
    assert len(lamps) == len(colours) >= 79
    assert len(set(lamps)) > 40


@pytest.mark.docs
def test_the_worked_example_of_training_runs_as_it_stands(tmp_path: Path) -> None:
    """Songs are made, a model is moved towards them and tracks the clip; then from nothing."""
    begins = ("python3 examples/own_annotations.py", "streamer crossval my-data --set")
    printed = in_a_shell("docs/training.md", begins, tmp_path)
    assert "24 songs in my-data" in printed[0]
    assert [line.split("|")[1].strip() for line in printed[0][-3:]] == [
        "as it is",
        "from nothing",
        "from the model",
    ]
    assert len(printed[1]) > 10
    metrics = json.loads((tmp_path / "figures" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["five_fold"]["songs"] == 24
    lines = [json.loads(line) for line in (tmp_path / "mine.jsonl").read_text().splitlines()]
    assert [line["model"] for line in lines[:1]] == ["my-model"]
    assert lines[-1]["estimates"] == 80


@pytest.mark.docs
def test_the_manual_builds_without_a_warning(tmp_path: Path) -> None:
    """Sphinx builds every page, with all commands and public names, and finds no broken link."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"),
            *(ROOT / "docs", tmp_path / "html"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    commands = (tmp_path / "html" / "commands.html").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f'id="streamer-{name}"' not in commands] == []
    reference = (tmp_path / "html" / "api.html").read_text(encoding="utf-8")
    import streamer

    public = [name for name in streamer.__all__ if name != "__version__"]
    assert [name for name in public if f">{name}<" not in reference] == []
    schema = json.loads((ROOT / "streamer" / "schema.json").read_text(encoding="utf-8"))
    lines = (tmp_path / "html" / "lines.html").read_text(encoding="utf-8")
    for kind in schema["properties"]["type"]["enum"]:
        for field in schema["$defs"][kind]["required"]:
            assert f">{field}<" in lines, f"{kind}.{field}"
