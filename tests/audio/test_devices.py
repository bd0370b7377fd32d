"""Which input a person means, and what a sound server says of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streamer.audio import devices
from streamer.audio.devices import Input, PulseSource, choose, find_again, is_loopback
from streamer.errors import DeviceError

INPUTS = [
    Input(0, "HDA Intel: ALC257 (hw:0,0)", 2, 44_100, "ALSA", False, False),
    Input(3, "USB Audio: Mic (hw:1,0)", 1, 48_000, "ALSA", False, False),
    Input(7, "pulse", 32, 44_100, "ALSA", False, False),
    Input(8, "default", 32, 44_100, "ALSA", True, False),
    Input(None, "hdmi.monitor", 2, 48_000, "PulseAudio", False, True),
    Input(None, "speakers.monitor", 2, 48_000, "PulseAudio", False, True),
]


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sound server that this computer may have is asked."""
    monkeypatch.setattr(devices, "_pactl", lambda *_: "")


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (None, "default"),
        (3, "USB Audio: Mic (hw:1,0)"),
        ("3", "USB Audio: Mic (hw:1,0)"),
        ("usb", "USB Audio: Mic (hw:1,0)"),
        ("alc257", "HDA Intel: ALC257 (hw:0,0)"),
        ("pulse", "pulse"),
        ("speakers", "speakers.monitor"),
        ("speakers.monitor", "speakers.monitor"),
    ],
)
def test_as_people_name_them(wanted: str | int | None, name: str) -> None:
    """An index, a part of a name in any case, or nothing for the default."""
    assert choose(wanted, INPUTS).name == name


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("monitor", r"could be any of hdmi\.monitor, speakers\.monitor: give more"),
        ("hw:", r"could be any of 0 HDA Intel.*, 3 USB Audio"),
        ("tuba", "no input's name contains 'tuba'; there are: 0 HDA"),
        ("5", "no input has the index 5; there are: 0 HDA"),
        ("²", "no input's name contains '²'"),
        ("9" * 5000, "no input has the index 9+; there are: 0 HDA"),
    ],
)
def test_what_cannot_be_meant(wanted: str, says: str) -> None:
    """Several matches or none are one sentence that lists what there is."""
    with pytest.raises(DeviceError, match=says):
        choose(wanted, INPUTS)


def test_no_inputs_and_no_default() -> None:
    """Without any input, or without a default one, the sentence says what to do."""
    with pytest.raises(DeviceError, match="there is no sound input: plug one in"):
        choose(None, [])
    with pytest.raises(DeviceError, match="no default sound input: name one of these"):
        choose(None, INPUTS[:3])


def test_monitor_means_what_the_default_output_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several monitors "monitor" is the default output's, if the server says which that is."""
    monkeypatch.setattr(devices, "default_monitor", lambda: "speakers.monitor")
    assert choose("monitor", INPUTS).name == "speakers.monitor"
    assert choose("Monitor ", INPUTS).name == "speakers.monitor"


def test_one_device_behind_several_host_apis() -> None:
    """The same name from several APIs is one device: the default's API is taken."""
    inputs = [
        Input(0, "Mic", 2, 44_100, "MME", False, False),
        Input(1, "Mic", 2, 48_000, "WASAPI", False, False),
        Input(2, "Line", 2, 48_000, "WASAPI", True, False),
    ]
    assert choose("mic", inputs).index == 1
    assert choose("mic", inputs[:2]).index == 0


@pytest.mark.parametrize(
    "name",
    [
        "alsa_output.pci-0000_00_1f.3.analog-stereo.monitor",
        "Monitor of Built-in Audio",
        "BlackHole 2ch",
        "Stereo Mix (Realtek)",
        "CABLE Output (VB-Audio Virtual Cable)",
        "Soundflower (2ch)",
        "What U Hear (Sound Blaster)",
        "Loopback: PCM (hw:2,1)",
    ],
)
def test_loopbacks_by_name(name: str) -> None:
    """Names under which systems offer what they play."""
    assert is_loopback(name)
    assert not is_loopback("USB Audio: Mic")


def server(answers: dict[str, str]) -> Any:
    """A ``pactl`` that knows these answers."""

    def answer(*words: str) -> str:
        return answers.get(" ".join(words), "")

    return answer


LISTING = """\
Source #0
\tState: RUNNING
\tName: music.monitor
\tDescription: Monitor of Null Output
\tDriver: module-null-sink.c
\tSample Specification: s16le 2ch 44100Hz
\tChannel Map: front-left,front-right
\tProperties:
\t\tdevice.description = "Name: nonsense"
\tFormats:
\t\tpcm

Source #51
\tName: alsa_input.usb-interface.pro-input-0
\tSample Specification: s32le 18ch 48000Hz
\tChannel Map: aux0,aux1,aux2

Source #52
\tName: half a record
"""


def test_sources_of_pulseaudio_and_pipewire(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, channels and rates as both servers print them; other records are passed over."""
    monkeypatch.setattr(devices, "_pactl", server({"list sources": LISTING}))
    assert devices.pulse_sources() == [
        PulseSource("music.monitor", 2, 44_100, numbered=False),
        PulseSource("alsa_input.usb-interface.pro-input-0", 18, 48_000, numbered=True),
    ]


def test_the_default_output_s_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default sink's monitor is named after it."""
    info = "Server Name: pulseaudio\nDefault Sink: music\nDefault Source: mic\n"
    monkeypatch.setattr(devices, "_pactl", server({"info": info}))
    assert devices.default_monitor() == "music.monitor"
    monkeypatch.setattr(devices, "_pactl", server({}))
    assert devices.default_monitor() is None


class TestPactl:
    """How ``pactl`` is asked (the fixture above is undone)."""

    @pytest.fixture(autouse=True)
    def undo(self, monkeypatch: pytest.MonkeyPatch, no_server: None) -> None:
        """Let the real function run."""
        monkeypatch.undo()

    def test_a_computer_without_pactl(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """No program, no sources."""
        monkeypatch.setattr("shutil.which", lambda _: None)
        assert devices.pulse_sources() == []

    @pytest.mark.parametrize(
        "outcome",
        [
            subprocess.TimeoutExpired("pactl", 3),
            OSError("not executable"),
            subprocess.CompletedProcess("pactl", 1, "Connection failure", ""),
        ],
    )
    def test_a_server_that_does_not_answer(
        self, monkeypatch: pytest.MonkeyPatch, outcome: Any
    ) -> None:
        """A hanging or failing ``pactl`` means no sources, not an error."""

        def run(*_: object, **__: object) -> Any:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/pactl")
        monkeypatch.setattr(subprocess, "run", run)
        assert devices.pulse_sources() == []
        assert devices.default_monitor() is None

    @pytest.mark.skipif(sys.platform == "win32", reason="a script of Unix")
    def test_it_is_asked_in_english(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """On a translated desktop ``pactl`` translates its labels: it is told not to."""
        program = tmp_path / "pactl"
        program.write_text(
            '#!/bin/sh\ncase "$LC_ALL$LANGUAGE" in C*|POSIX*) echo "Default Sink: music" ;;\n'
            '*) echo "Standard-Ziel: music" ;; esac\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        for name in ("LANG", "LC_ALL", "LC_MESSAGES"):
            monkeypatch.setenv(name, "de_DE.UTF-8")
        monkeypatch.setenv("LANGUAGE", "de:fr")
        assert devices.default_monitor() == "music.monitor"


def test_a_lost_device_is_found_by_its_whole_name() -> None:
    """Not by a part of another's; on whatever number ALSA gives it; two alike are not guessed."""
    again = Input(5, "USB Audio: Mic (hw:4,0)", 1, 48_000, "ALSA", False, False)
    longer = Input(6, "USB Audio: Mic Loopback (hw:1,0)", 1, 48_000, "ALSA", False, True)
    assert find_again("USB Audio: Mic (hw:1,0)", INPUTS).index == 3
    absent = [each for each in INPUTS if each.index != 3]
    assert find_again("USB Audio: Mic (hw:1,0)", [*absent, longer, again]) == again
    with pytest.raises(DeviceError, match="is not there"):
        find_again("USB Audio: Mic (hw:1,0)", [*absent, longer])
    with pytest.raises(DeviceError, match="is not there"):
        find_again("USB Audio", [*absent, again])
    twin = Input(7, "USB Audio: Mic (hw:5,0)", 1, 48_000, "ALSA", False, False)
    with pytest.raises(DeviceError, match="is not there"):
        find_again("USB Audio: Mic (hw:1,0)", [*absent, again, twin])
