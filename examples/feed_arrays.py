"""NumPy arrays into the tracker: python examples/feed_arrays.py song.flac [MODEL].

Your arrays may come from anywhere: a radio, a game, a network. Cut them as you like; the estimates
are the same. Here they are read from a file in blocks, stereo and at the file's own rate.
"""

import sys

import numpy as np
import soundfile
import soxr

from streamer import EmotionTracker, load_model

tracker = EmotionTracker(load_model(sys.argv[2] if len(sys.argv) > 2 else None), interval=1.0)
rate = soundfile.info(sys.argv[1]).samplerate
# A resampler that remembers: block by block it gives what it would give for the whole.
resampler = soxr.ResampleStream(rate, tracker.sample_rate, 1, dtype="float32")

valence, arousal = [], []
for block in soundfile.blocks(sys.argv[1], blocksize=1024, dtype="float32", always_2d=True):
    mono = resampler.resample_chunk(block.mean(axis=1))  # (samples,), float32, in [-1, 1]
    for estimate in tracker.push(mono):
        if estimate.sound == "music":
            valence.append(estimate.valence)
            arousal.append(estimate.arousal)

print(f"{tracker.t:.1f} s heard in {tracker.frames} frames, {len(valence)} estimates")
if valence:
    print(f"mean valence {np.mean(valence):+.2f}, mean arousal {np.mean(arousal):+.2f}")
