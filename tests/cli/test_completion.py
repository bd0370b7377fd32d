"""Tab in a shell, and options from the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from streamer.cli.main import COMMANDS, cli, main
from streamer.errors import SessionFileError
from streamer.network.names import DEFAULT_MODEL, list_models


def completed(*words: str) -> tuple[list[str], set[str]]:
    """What a Tab after these words offers, and the modules that were imported for it."""
    program = (
        "import sys\n"
        "from streamer.cli.main import main\n"
        "try: main([])\n"
        "except SystemExit: pass\n"
        "print('MODULES', *sys.modules, file=sys.stderr)\n"
    )
    line = " ".join(["streamer", *words])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ
        | {
            "_STREAMER_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    modules = done.stderr.split("MODULES", 1)[1].split()
    return [each.partition(",")[2] for each in done.stdout.split()], set(modules)


def test_tab_offers_the_commands_and_imports_nothing_heavy() -> None:
    """All commands, without importing one of them: no NumPy, no SciPy, no command's module."""
    offered, modules = completed("")
    assert offered == list(COMMANDS)
    assert completed("re")[0] == ["replay"]
    assert not {"numpy", "scipy", "rich", "soundfile"} & modules
    assert "streamer.cli.replay" not in modules


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["live", "--model", ""], sorted(list_models())),
        (
            ["export", DEFAULT_MODEL],
            [each for each in list_models() if each.startswith(DEFAULT_MODEL)],
        ),
        (["train", "--recipe", DEFAULT_MODEL], [DEFAULT_MODEL]),
        (["convert", "x", "--to", ""], ["csv", "jams", "labels"]),
        (["replay", "-", "--format", "s"], ["s16le", "s24le", "s32le"]),
        (["live", "--osc-r"], ["--osc-range"]),
    ],
)
def test_tab_offers_the_values(words: list[str], wanted: list[str]) -> None:
    """Models, recipes, forms and options by their beginnings."""
    offered, modules = completed(*words)
    assert sorted(offered) == sorted(wanted)
    assert not {"scipy", "torch", "rich"} & modules


def test_tab_offers_devices_and_sinks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``monitor`` always, a device where there is one, and the sinks of installed packages."""
    from fake_portaudio import TONE

    (tmp_path / "sounddevice.py").write_text(TONE)
    metadata = tmp_path / "bars-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bars\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[streamer.sinks]\nbars = nowhere:at_all\n")
    path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("PATH", str(tmp_path))  # no pactl
    assert completed("live", "--sink", "")[0] == ["bars"]
    offered = completed("live", "--device", "")[0]
    assert offered[0] == "monitor"
    assert completed("live", "--device", "mon")[0] == ["monitor"]


def test_a_variable_is_named_as_its_option() -> None:
    """Every option of every command: none goes by a name that only the code knows."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        for option in command.params:
            longs = [long for long in option.opts if long.startswith("--")]
            wanted = {f"STREAMER_{name}_{long[2:]}".upper().replace("-", "_") for long in longs}
            assert not longs or option.envvar in wanted


def test_yes_to_no_dashboard_is_no_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    """``STREAMER_REPLAY_NO_DASHBOARD=1`` says what ``--no-dashboard`` does."""
    command = cli.get_command(click.Context(cli), "replay")
    assert command is not None
    for value, wanted in (("1", False), ("0", True)):
        monkeypatch.setenv("STREAMER_REPLAY_NO_DASHBOARD", value)
        assert command.make_context("replay", ["song.wav"]).params["dashboard"] is wanted
    monkeypatch.delenv("STREAMER_REPLAY_NO_DASHBOARD")
    assert command.make_context("replay", ["song.wav"]).params["dashboard"] is True
    context = command.make_context("replay", ["song.wav", "--no-dashboard"])
    assert context.params["dashboard"] is False


def test_every_option_has_a_variable(
    clip: Path,
    model_directory: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """``STREAMER_REPLAY_INTERVAL`` is ``--interval`` of replay; the command line wins."""
    for name, value in {
        "MODEL": str(model_directory),
        "SPEED": "max",
        "DURATION": "3",
        "INTERVAL": "1",
        "QUIET": "1",
    }.items():
        monkeypatch.setenv(f"STREAMER_REPLAY_{name}", value)
    monkeypatch.setenv("STREAMER_LIVE_INTERVAL", "nonsense")
    assert main(["replay", str(clip)]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert (lines[0]["interval_s"], lines[-1]["estimates"]) == (1.0, 3)
    assert main(["replay", str(clip), "--interval", "0.5"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert (lines[0]["interval_s"], lines[-1]["estimates"]) == (0.5, 6)
    monkeypatch.delenv("STREAMER_REPLAY_DURATION")
    recorded = str(tmp_path / "recorded.jsonl")
    assert main(["replay", str(clip), "--jsonl", recorded]) == 0
    capfd.readouterr()
    # Also where the name in the code is another.
    for name in ("MODEL", "INTERVAL"):
        monkeypatch.delenv(f"STREAMER_REPLAY_{name}")
    monkeypatch.setenv("STREAMER_REPLAY_FROM", recorded)
    assert main(["replay"]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["type"] == "end"
    monkeypatch.setenv("STREAMER_CONVERT_TO", "labels")
    assert main(["convert", recorded]) == 0
    assert len(capfd.readouterr().out.splitlines()[0].split("\t")) == 3
    monkeypatch.setenv("STREAMER_DEBUG", "1")
    with pytest.raises(SessionFileError):
        main(["convert", str(clip)])
    monkeypatch.setenv("STREAMER_REPLAY_SPEED", "slow")
    assert main(["replay", str(clip)]) == 2
    assert "'slow' is neither a factor above 0" in " ".join(capfd.readouterr().err.split())
