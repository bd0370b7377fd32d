"""Sinks of other packages: found without importing them, and harmless when broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streamer.errors import OutputError, StreamerError
from streamer.events import Notice
from streamer.sinks import plugins

CODE = """
from streamer.errors import StreamerError

class Lamp:
    opened = []
    def __init__(self, argument):
        self.argument, self.events, self.closed = argument, [], False
        Lamp.opened.append(self)
    def write(self, event):
        if event.message == "break":
            raise KeyError("lamp 7")
        if event.message == "gone":
            raise BrokenPipeError(32, "Broken pipe")
        if event.message == "leave":
            raise SystemExit(3)
        self.events.append(event)
    def close(self):
        self.closed = True

def explode(argument):
    raise RuntimeError("no\\nhands")

def refuse(argument):
    raise StreamerError("the lamp is not plugged in: plug it in")

def nothing(argument):
    return None
"""
ENTRY_POINTS = """
[streamer.sinks]
lamp = lamp_for_tests:Lamp
explodes = lamp_for_tests:explode
refuses = lamp_for_tests:refuse
nothing = lamp_for_tests:nothing
missing = lamp_for_tests:not_there
absent = no_such_module_at_all:open
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with sinks, as pip would leave it."""
    (tmp_path / "lamp_for_tests.py").write_text(CODE)
    metadata = tmp_path / "lamp_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lamp-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "lamp_for_tests", raising=False)


def test_names_are_known_without_importing_anything(installed: None) -> None:
    """The names come from the packages' metadata; the modules stay unimported."""
    assert set(plugins.available()) >= {"lamp", "explodes", "absent"}
    assert list(plugins.available()) == sorted(plugins.available())
    assert "lamp_for_tests" not in sys.modules


def test_a_sink_gets_its_argument_and_the_events(installed: None) -> None:
    """``NAME:ARG`` opens the sink with ARG (None without one); events and close reach it."""
    sink = plugins.open_sink("lamp", "red:left")
    sink.write(Notice(1.0, "hello"))
    sink.close()
    import lamp_for_tests

    lamp = lamp_for_tests.Lamp.opened[-1]
    assert (lamp.argument, lamp.events, lamp.closed) == ("red:left", [Notice(1.0, "hello")], True)
    plugins.open_sink("lamp")
    assert lamp_for_tests.Lamp.opened[-1].argument is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("explodes", "the package lamp-package cannot be opened: RuntimeError: no hands"),
        ("nothing", "gave a NoneType without write"),
        ("missing", "cannot be opened: AttributeError"),
        ("absent", "cannot be opened: ModuleNotFoundError"),
        ("unknown", "there is no sink 'unknown': choose from absent, explodes, lamp"),
    ],
)
def test_a_broken_plugin_is_one_sentence(installed: None, name: str, said: str) -> None:
    """What fails at opening names the sink, the package and the reason, in one line."""
    with pytest.raises(OutputError, match=said) as caught:
        plugins.open_sink(name)
    assert "\n" not in str(caught.value)


def test_a_plugin_may_say_it_itself(installed: None) -> None:
    """A sink's own ``StreamerError`` reaches the user as it is."""
    with pytest.raises(StreamerError, match=r"^the lamp is not plugged in: plug it in$"):
        plugins.open_sink("refuses")


def test_a_failure_while_running_is_an_output_error(installed: None) -> None:
    """Whatever a sink raises later becomes an ``OutputError``, its own peer's going away too."""
    sink = plugins.open_sink("lamp")
    with pytest.raises(OutputError, match=r"the sink 'lamp' .* failed: KeyError: 'lamp 7'"):
        sink.write(Notice(0.0, "break"))
    with pytest.raises(OutputError, match=r"failed: BrokenPipeError: \[Errno 32\] Broken pipe"):
        sink.write(Notice(0.0, "gone"))
    with pytest.raises(OutputError, match=r"failed: SystemExit: 3"):
        sink.write(Notice(0.0, "leave"))
