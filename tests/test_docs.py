"""Documentation held to the code: the help of every command, and every line of the README."""

from __future__ import annotations

import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from streamer.cli.main import COMMANDS, cli, main
from streamer.network import model as models
from streamer.sinks import plugins

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
#: What stands between backticks outside the blocks.
SPANS = re.findall(
    r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
)
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


def test_every_command_line_of_the_readme_parses(anything_goes: None) -> None:
    """The shell blocks of the README are taken by the parser as they stand."""
    seen = 0
    for language, text in BLOCKS:
        if language not in {"sh", "bash", "console"}:
            continue
        for words in shell_commands(text):
            if words[0] == "streamer":
                parse(words)
                seen += 1
            elif words[0] in {"python", "python3"} and words[1].endswith(".py"):
                assert (ROOT / words[1]).is_file(), words[1]
                seen += 1
    assert seen >= 6


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
    assert seen >= 5


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    """A reader of the README meets every command."""
    named = re.search(rf"\bstreamer {name}\b|`{name}`", README)
    assert named, f"the README does not mention streamer {name}"


def test_every_option_in_the_text_exists() -> None:
    """An option that a sentence of the README names is one of some command."""
    known = {
        option
        for name in COMMANDS
        for parameter in command_of(name).params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    known |= {"--help", "--version", "--debug"}
    named = {
        word
        for span in SPANS
        for word in re.findall(r"(?<!\S)--[a-z][a-z-]+", span)
        if not span.startswith(("pip ", "git ", "ffmpeg ", "dask ", "python"))
    }
    assert len(named) >= 4
    assert named <= known


def test_every_extra_in_the_readme_exists() -> None:
    """``pip install '.[...]'`` asks for extras that pyproject declares."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set()
    for extras in re.findall(r"(?:\.|emotion-streamer)\[([a-z, ]+)\]", README):
        named |= {extra.strip() for extra in extras.split(",")}
    assert named
    assert named <= set(declared["optional-dependencies"])


def test_files_that_the_readme_links_exist() -> None:
    """Relative links and pictures lead somewhere."""
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", README)
    missing = [link for link in links if not (ROOT / link).exists()]
    assert links
    assert missing == []


def test_the_python_of_the_readme_runs(
    monkeypatch: pytest.MonkeyPatch, model_directory: Path
) -> None:
    """The README's Python, block after block in one namespace, with a small model."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(models, "DEFAULT_MODEL", str(model_directory))
    namespace: dict[str, object] = {"__name__": "readme"}
    blocks = [text for language, text in BLOCKS if language == "python"]
    assert blocks
    for text in blocks:
        exec(compile(text, "README.md", "exec"), namespace)
