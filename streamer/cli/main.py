"""``streamer``: the entry point, the table of commands, and exit codes.

Commands are imported when they are called for, so that ``--help``, ``--version`` and a wrong
argument are answered at once.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

import click
from click.shell_completion import CompletionItem

import streamer
from streamer.cli.sentence import say, sentence, tell
from streamer.errors import StreamerError
from streamer.sinks.sink import ReaderGone

#: Command, the module that defines ``command``, and its line in ``--help``.
COMMANDS = {
    "live": "Track a microphone, or what the computer itself is playing.",
    "replay": "Track a sound file, or raw PCM on standard input, as if it were live.",
    "devices": "List the inputs that can be listened to.",
    "annotate": "Annotate a library of sound files into one table.",
    "compare": "Tell how far two recorded sessions agree.",
    "convert": "Turn a recorded session into a table, labels or JAMS.",
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
#: What click takes for yes.
_YES = ("1", "true", "t", "yes", "y", "on")
#: Exit codes beside click's own 2 for a wrong command line.
FAILED, INTERRUPTED = 1, 130
#: Signals that end a command in order, where the system has them.
ENDINGS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
#: Signals within this many seconds are one: shells and programs that wrap this one repeat them.
PATIENCE_S = 1.0


@contextlib.contextmanager
def _telling_of_readers() -> Iterator[None]:
    """Tell standard output's reader that had enough from any other pipe that broke.

    Seeing ``BrokenPipeError``, click would exit 1 without a word.
    """
    try:
        yield
    except BrokenPipeError as error:
        if _is_read(1):
            raise RuntimeError(f"a pipe broke: {error}") from error
        raise ReaderGone from None


def _is_read(descriptor: int) -> bool:
    """Whether somebody could read what is written there; where that cannot be told, nobody."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return not poll.poll(0)  # an error, or hung up


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
        for option in command.params:
            # Named as the user knows it; click would go by the name in the code.
            long = next((name for name in option.opts if name.startswith("--")), None)
            if long is not None:
                name = f"STREAMER_{cmd_name}_{long[2:]}"
                option.envvar = name.upper().replace("-", "_")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, from the table alone, and the options of all."""
        found = [
            CompletionItem(name, help=line)
            for name, line in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Written from the table alone: nothing is imported for ``--help``."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "STREAMER"},
)
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
    hold_standard_descriptors()
    arguments = sys.argv[1:] if argv is None else argv
    debug = "--debug" in arguments or os.environ.get("STREAMER_DEBUG", "").lower() in _YES
    # `streamer replay song.wav --debug` is what people type.
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code: Any = cli.main(arguments, prog_name="streamer", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)
        text = said.getvalue()
        if not isinstance(error, click.exceptions.NoArgsIsHelpError):
            # A line break in a name that it cites is not one of its own; those of the help are.
            text = text.replace(error.message, sentence(error.message))
        with contextlib.suppress(OSError):
            say(text, err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except ReaderGone:
        _forget(sys.stdout)
        return 0
    except StreamerError as error:
        if debug:
            raise
        tell(error)
        return FAILED
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            tell(f"the output cannot be written: {error.strerror}")
            return FAILED
        tell(f"unexpected {type(error).__name__}: {error} (--debug shows where)")
        return FAILED


def run() -> int:
    """``main`` for the process that it is all of: signals end it in order, and only once."""
    _mind_signals()
    code = INTERRUPTED
    try:
        code = main()
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None:
                    stream.flush()
            except OSError:
                _forget(stream)
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except KeyboardInterrupt:
        pass
    for name in ENDINGS:
        if hasattr(signal, name):
            # Python takes a moment to end, and somebody may be impatient.
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    return code


class Leave:
    """Handler of ``ENDINGS``: ends a command as Ctrl-C does, with the signal's own exit code.

    What the command began is tidied up: a cursor shown, a draft removed, a worker ended. What comes
    within ``PATIENCE_S`` of the ``first`` signal, in monotonic seconds, does not come in between.
    """

    def __init__(self) -> None:
        self.first: float | None = None

    def __call__(self, number: int, frame: object) -> None:
        """Raise what ends the command, unless it ends already."""
        now = time.monotonic()
        if self.first is not None and now - self.first < PATIENCE_S:
            return
        self.first = now if self.first is None else self.first
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise click.exceptions.Exit(128 + number)


def _mind_signals() -> None:
    leave = Leave()
    for name in ENDINGS:
        number = getattr(signal, name, None)
        # One that is ignored (nohup) stays so.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, leave)


def hold_standard_descriptors() -> None:
    """Open nothing in the place of a standard stream that is closed (``>&-``).

    The next file would get its number, and what libraries print would end in a recording. Python
    still knows the stream as ``None``.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one


def _forget(stream: TextIO | None) -> None:
    """The reader is gone: what Python still holds for it must not raise at exit."""
    if stream is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
