"""NumPy arrays in, NumPy arrays out: python examples/feed_arrays.py song.flac [MODEL].

Your samples may come from anywhere: floats in [-1, 1], of any rate, mono or with channels. Here
they are read from a file. (Samples that come block by block go to ``EmotionTracker.push``.)
"""

import sys

import numpy as np
import soundfile

import streamer

if len(sys.argv) < 2:
    sys.exit(__doc__)
samples, rate = soundfile.read(sys.argv[1], dtype="float32")  # (n,) or (n, channels)
model = sys.argv[2] if len(sys.argv) > 2 else None
moods = streamer.track(samples, rate, model=model, interval=1.0)

columns = moods.columns()  # what pandas.DataFrame takes as it is
judged = ~np.isnan(columns["valence"])
end = moods.run()
print(f"{end.t:.1f} s heard in {end.frames} frames, {judged.sum()} estimates")
if judged.any():
    valence, arousal = columns["valence"][judged].mean(), columns["arousal"][judged].mean()
    print(f"mean valence {valence:+.2f}, mean arousal {arousal:+.2f}")
