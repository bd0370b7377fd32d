"""``streamer``: the entry point, the table of commands, and exit codes.

Commands are imported when they are called for, so that ``--help``, ``--version`` and a wrong
argument are answered at once.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import click

import streamer
from streamer.cli.sentence import sentence
from streamer.errors import StreamerError

#: Command, the module that defines ``command``, and its line in ``--help``.
COMMANDS = {
    "live": "Track a microphone, or what the computer itself is playing.",
    "replay": "Track a sound file, or raw PCM on standard input, as if it were live.",
    "devices": "List the inputs that can be listened to.",
    "annotate": "Annotate a library of sound files into one table.",
    "compare": "Tell how far two recorded sessions agree.",
    "plot": "Draw recorded sessions: the way across the plane, both curves over time.",
    "models": "List the models that can be used.",
    "export": "Write a model as an ONNX graph.",
    "bench": "Time every part beside its alternatives.",
    "train": "Train a model on annotated music.",
    "crossval": "Cross-validate a recipe: honest figures, fold by fold.",
    "evaluate": "Judge a model on annotated music.",
}

#: What a write is answered with where the disk, the quota or the allowed size is exhausted.
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
#: Exit codes beside click's own 2 for a wrong command line.
FAILED, INTERRUPTED, TERMINATED = 1, 130, 143


class ReaderGoneError(Exception):
    """Nobody reads standard output any more; seeing ``BrokenPipeError``, click would exit 1."""


@contextlib.contextmanager
def _telling_of_readers() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None


class Commands(click.Group):
    """The commands, imported one at a time."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As click does it; ``--help`` is written here."""
        with _telling_of_readers():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does it."""
        with _telling_of_readers():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table: the most used first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"streamer.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Written from the table alone: nothing is imported for ``--help``."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(streamer.__version__, prog_name="streamer")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """How music feels, while it plays.

    Tracks valence and arousal of a stream of sound, many times a second, without a sample from the
    future. A dashboard where standard error is a terminal; JSON lines on standard output where
    that is a pipe or a file.
    """


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    # One thread for NumPy's matrix products, before NumPy is imported: they are small, and a second
    # thread would spin beside the sound card's. PyTorch, which trains, has threads of its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    arguments = sys.argv[1:] if argv is None else argv
    debug = "--debug" in arguments
    # `streamer replay song.wav --debug` is what people type.
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code: Any = cli.main(arguments, prog_name="streamer", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except ReaderGoneError:
        _forget_output()
        return 0
    except StreamerError as error:
        if debug:
            raise
        click.echo(f"streamer: {sentence(error)}", err=True)
        return FAILED
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            click.echo(f"streamer: the output cannot be written: {error.strerror}", err=True)
            return FAILED
        click.echo(
            f"streamer: unexpected {type(error).__name__}: {sentence(error)} (--debug shows where)",
            err=True,
        )
        return FAILED


def _forget_output() -> None:
    """The reader is gone: what Python still holds for it must not raise at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
