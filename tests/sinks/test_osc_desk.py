"""OSC at a real light desk: QLC+ without a screen, its fader read back over its web interface."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from receivers import demand, free_port, wait_for
from scripted_session import estimate

from streamer.sinks.osc import Osc

pytest.importorskip("pythonosc", reason="extra 'osc'")
pytest.importorskip("websockets", reason="extra 'web'")

#: QLC+ listens to OSC here, one port a universe from the first on.
PORT = 7700

WORKSPACE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE Workspace>
<Workspace xmlns="http://www.qlcplus.org/Workspace" CurrentWindow="VirtualConsole">
 <Engine><InputOutputMap>
  <Universe Name="Universe 1" ID="0"><Input Plugin="OSC" UID="127.0.0.1" Line="0"/></Universe>
 </InputOutputMap></Engine>
 <VirtualConsole><Frame Caption="">
  <Slider Caption="valence" ID="1" WidgetStyle="Slider" InvertedAppearance="false">
   <WindowState Visible="True" X="30" Y="30" Width="60" Height="200"/>
   <SliderMode ValueDisplayStyle="Exact" ClickAndGoType="None" Monitor="false">Level</SliderMode>
   <Level LowLimit="0" HighLimit="255" Value="0"/>
   <Playback><Function>4294967295</Function></Playback>
   <Input Universe="0" Channel="{channel}"/>
  </Slider>
 </Frame></VirtualConsole>
</Workspace>
"""


def channel(address: str) -> int:
    """The input channel that QLC+ gives an OSC address: CRC-16/X-25 of its letters."""
    crc = 0xFFFF
    for byte in address.encode():
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
    return crc ^ 0xFFFF


@pytest.fixture
def fader(tmp_path: Path) -> Iterator[Callable[[], int]]:
    """Where the fader of ``/emotion/valence`` stands at the desk, 0 to 255."""
    demand("qlcplus")
    from websockets.sync.client import connect

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            pytest.skip(f"port {PORT} is taken: another desk is running")
    workspace = tmp_path / "desk.qxw"
    workspace.write_text(WORKSPACE.format(channel=channel("/emotion/valence")))
    own = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    web = free_port()
    desk = subprocess.Popen(
        ["qlcplus", "-w", "-wp", str(web), "-p", "-o", str(workspace)],
        env={**os.environ, **own},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", web)) == 0

    try:
        wait_for(listens, "QLC+ to start", 60)
        with connect(f"ws://127.0.0.1:{web}/qlcplusWS") as line:

            def stands() -> int:
                line.send("QLC+API|getWidgetStatus|1")
                return int(str(line.recv(timeout=20)).rpartition("|")[2])

            yield stands
    finally:
        desk.kill()
        desk.wait()


@pytest.mark.parametrize("span", ["0..1", "-1..1"])
def test_a_fader_follows(fader: Callable[[], int], span: str) -> None:
    """In 0 to 1 the fader is where the valence is; as it is, QLC+ takes -.01 for nearly full."""
    sink = Osc("127.0.0.1", PORT, span=span)
    expected = {
        "0..1": {-1.0: 0, -0.5: 63, -0.01: 126, 0.5: 191, 1.0: 255},
        "-1..1": {0.5: 127, -0.01: 254, 1.0: 255},
    }
    try:
        for valence, byte in expected[span].items():

            def arrived(v: float = valence, wanted: int = byte) -> bool:
                sink.write(estimate(1.0, v, 0.2))
                return abs(fader() - wanted) <= 1

            wait_for(arrived, f"the fader at {byte}")
    finally:
        sink.close()
