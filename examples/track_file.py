"""How a song feels, every half second: python examples/track_file.py song.flac [MODEL].

The samples come from any source (here a file of any rate), are brought to the model's rate, and go
to the tracker as they come: a song of any length needs no more memory than a short one.
"""

import sys
from contextlib import closing

from streamer import EmotionTracker, Estimate, load_model
from streamer.audio.files import FileSource
from streamer.audio.resample import Resampled, Skipped
from streamer.audio.source import Remark


def show(estimate: Estimate) -> None:
    """Print one line."""
    if estimate.sound != "music":
        print(f"{estimate.t:6.1f} s  ({estimate.sound})")
    else:
        print(
            f"{estimate.t:6.1f} s  valence {estimate.valence:+.2f}  "
            f"arousal {estimate.arousal:+.2f}  {estimate.mood}"
        )


tracker = EmotionTracker(load_model(sys.argv[2] if len(sys.argv) > 2 else None), interval=0.5)
with closing(FileSource(sys.argv[1])) as source:
    for piece in Resampled(source, tracker.sample_rate):
        if isinstance(piece, Skipped):
            tracker.skip(piece.samples)  # what was lost moves the clock on
        elif isinstance(piece, Remark):
            print(piece.message, file=sys.stderr)
        else:
            for estimate in tracker.push(piece):
                show(estimate)
