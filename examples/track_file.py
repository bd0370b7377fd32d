"""How a song feels, every half second: python examples/track_file.py song.flac [MODEL]."""

import sys

import streamer

if len(sys.argv) < 2:
    sys.exit(__doc__)
model = sys.argv[2] if len(sys.argv) > 2 else None
for estimate in streamer.track(sys.argv[1], model=model):
    if estimate.sound != "music":
        print(f"{estimate.t:6.1f} s  ({estimate.sound})")
    else:
        print(
            f"{estimate.t:6.1f} s  valence {estimate.valence:+.2f}  "
            f"arousal {estimate.arousal:+.2f}  {estimate.mood}"
        )
