"""A small annotated library to learn from: python examples/own_annotations.py OUT.

Cuts the example clip into twenty-four songs of sixteen seconds, each going from one of its four
moods to another, and writes them to OUT with the files that a dataset has: `excerpts.csv`, which
says where the songs are, and `annotations/valence.csv` and `annotations/arousal.csv`, which say
every half second what was felt. "Felt" is by the composer here: put what your listeners told in its
place.
"""

import csv
import itertools
import sys
from pathlib import Path

import numpy as np
import soundfile

CLIP = Path(__file__).resolve().with_name("four_moods.flac")
#: Where each ten seconds of the clip are on the plane: valence, arousal.
MOODS = {"happy": (0.6, 0.5), "tense": (-0.5, 0.6), "sad": (-0.5, -0.4), "calm": (0.4, -0.5)}
SECTION_S, HALF_S = 10, 8
#: A listener takes a moment to answer.
DELAY_S = 1.0
#: Played faster or slower, and so higher or lower, a section is another song.
SPEEDS = (0.94, 1.06)
FOLDS = 3


def section(sound: np.ndarray, rate: int, mood: int, speed: float) -> np.ndarray:
    """Eight seconds from the middle of a mood, at another speed."""
    begin = (SECTION_S * mood + 1) * rate
    positions = begin + speed * np.arange(HALF_S * rate)
    return np.interp(positions, np.arange(len(sound)), sound)


def felt(first: str, second: str, t: float) -> tuple[float, float]:
    """Valence and arousal told at second ``t`` of a song that goes from one mood to another."""
    return MOODS[first if t < HALF_S + DELAY_S else second]


def main(out: Path) -> None:
    """Write the dataset."""
    sound, rate = soundfile.read(CLIP, dtype="float32", always_2d=True)
    mono = sound.mean(axis=1)
    (out / "audio").mkdir(parents=True, exist_ok=True)
    (out / "annotations").mkdir(exist_ok=True)
    times = [k / 2 for k in range(1, 4 * HALF_S + 1)]
    songs, told = [], []
    for number, (speed, (first, second)) in enumerate(
        itertools.product(SPEEDS, itertools.permutations(MOODS, 2)), 1
    ):
        halves = [section(mono, rate, list(MOODS).index(mood), speed) for mood in (first, second)]
        path = f"audio/{number}_{first}_{second}.flac"
        soundfile.write(out / path, np.concatenate(halves), rate)
        songs.append([number, path, 0.0, 2.0 * HALF_S, number % FOLDS])
        told.append([felt(first, second, t) for t in times])
    with (out / "excerpts.csv").open("w", newline="") as file:
        columns = ["song_id", "path", "start_s", "duration_s", "fold"]
        csv.writer(file).writerows([columns, *songs])
    for axis, name in enumerate(("valence", "arousal")):
        with (out / "annotations" / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["song_id", *(f"sample_{round(1000 * t)}ms" for t in times)])
            writer.writerows(
                [song[0], *(f"{one[axis]:.2f}" for one in labels)]
                for song, labels in zip(songs, told, strict=True)
            )
    print(f"{len(songs)} songs in {out}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
