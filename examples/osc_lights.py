"""A lamp that follows the music: python examples/osc_lights.py [PORT].

Then, in another window: streamer live --osc 127.0.0.1:9000

The colour is that of the place on the plane (gold happy, red tense, blue sad, green calm, grey in
the middle), brightness follows the arousal; while nothing is judged the lamp goes dark. Put your
own lamp where the colour is printed.
"""

import sys

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer

felt: dict[str, tuple[float | str, ...]] = {}


def shade(red: float, green: float, blue: float, arousal: float) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of a colour of the plane: as bright as the music is lively."""
    bright = (0.3 + 0.35 * (1 + arousal)) / max(red, green, blue)
    red, green, blue = (round(255 * bright * part) for part in (red, green, blue))
    return red, green, blue


def feel(address: str, *values: float | str) -> None:
    """Keep what an OSC message tells: the last word of its address is the name."""
    felt[address.rsplit("/", 1)[1]] = values


def light(_address: str, _silent: int) -> None:
    """``silent`` is the last message of each estimate: now the lamp can change."""
    judged = felt["sound"] == ("music",)
    red, green, blue = shade(*felt["colour"], *felt["arousal"]) if judged else (0, 0, 0)
    print(f"lamp {red:3d} {green:3d} {blue:3d}", flush=True)  # <- your lamp here


if __name__ == "__main__":
    dispatcher = Dispatcher()
    for name in ("colour", "arousal", "sound"):
        dispatcher.map(f"/emotion/{name}", feel)
    dispatcher.map("/emotion/silent", light)
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    with BlockingOSCUDPServer(("127.0.0.1", port), dispatcher) as server:
        print(f"listening on port {server.server_address[1]}", flush=True)
        server.serve_forever()
