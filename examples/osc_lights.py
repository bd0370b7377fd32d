"""A lamp that follows the music: python examples/osc_lights.py [PORT].

Then, in another window: streamer live --osc 127.0.0.1:9000

Hue follows the place on the plane (gold happy, red tense, blue sad, green calm), brightness the
arousal; while nothing plays the lamp goes dark. Put your own lamp where the colour is printed.
"""

import colorsys
import math
import sys

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer

#: Hue in degrees at each quarter of the plane: happy, tense, sad, calm, and happy again.
HUES = (45, 0, -120, -220, -315)

felt: dict = {"valence": 0.0, "arousal": 0.0, "sound": "silence"}


def colour(valence: float, arousal: float) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of a place on the plane."""
    quarter = (math.degrees(math.atan2(arousal, valence)) - 45) % 360 / 90
    index = int(quarter)
    hue = HUES[index] + (HUES[index + 1] - HUES[index]) * (quarter - index)
    strength = min(1.0, 2 * math.hypot(valence, arousal))  # pale near the middle of the plane
    red, green, blue = colorsys.hsv_to_rgb(hue % 360 / 360, strength, 0.3 + 0.35 * (1 + arousal))
    return round(255 * red), round(255 * green), round(255 * blue)


def feel(address: str, value: float | str) -> None:
    """Keep what an OSC message tells: the last word of its address is the name."""
    felt[address.rsplit("/", 1)[1]] = value


def light(_address: str, _silent: int) -> None:
    """``silent`` is the last message of each estimate: now the lamp can change."""
    dark = felt["sound"] != "music"  # silence, or what is no music
    red, green, blue = (0, 0, 0) if dark else colour(felt["valence"], felt["arousal"])
    print(f"lamp {red:3d} {green:3d} {blue:3d}", flush=True)  # <- your lamp here


if __name__ == "__main__":
    dispatcher = Dispatcher()
    dispatcher.map("/emotion/valence", feel)
    dispatcher.map("/emotion/arousal", feel)
    dispatcher.map("/emotion/sound", feel)
    dispatcher.map("/emotion/silent", light)
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    with BlockingOSCUDPServer(("127.0.0.1", port), dispatcher) as server:
        print(f"listening on port {server.server_address[1]}", flush=True)
        server.serve_forever()
