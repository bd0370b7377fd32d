"""Mode, key and tuning: what a model makes of music that differs in its notes alone.

Pieces of the project's own studio, with the same instruments, rhythm and loudness: three textures
in major and in the parallel minor, in every key, and out of tune as a whole.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

import numpy as np
import soxr
from numpy.random import RandomState
from studio import synthesis as play
from studio.mixing import Track, mastered, reverberated

from streamer import EmotionTracker, Model
from streamer.errors import ModelError
from streamer.training.figures import Figures

SECONDS, BEAT = 8.0, 0.5
#: Judged from here on: the first seconds of a song are its least certain.
SETTLED_S = 3.0
MODES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
#: A chord every two seconds, by the degree of its root: home, the fourth, the fifth, home.
ROOTS = (0, 3, 4, 0)
MELODY = (0, 2, 4, 2, 5, 3, 7, 5, 6, 4, 8, 6, 7, 4, 2, 0)
#: Semitones from C: every key, none further from it than half an octave.
KEYS = range(-5, 7)
#: So far out of tune, higher and lower.
CENTS = 30


def chords(hertz: functools.partial[float], rng: RandomState) -> Iterator[tuple[float, play.Sound]]:
    """Warm triads, held, over their root."""
    for number, root in enumerate(ROOTS):
        for degree, octave in ((root, -1), (root, 0), (root + 2, 0), (root + 4, 0)):
            yield number * 2.0, play.pad(rng, hertz(degree, octave), 2.2, 0.1, 2_000.0)


def arpeggios(
    hertz: functools.partial[float], rng: RandomState
) -> Iterator[tuple[float, play.Sound]]:
    """The same triads, plucked note by note."""
    for number, root in enumerate(ROOTS):
        for step, degree in enumerate((0, 2, 4, 7, 4, 2, 4, 2)):
            note = play.pluck(rng, hertz(root + degree, 0), 0.6, 0.7, 1.5, 5_000.0)
            yield number * 2.0 + step * BEAT / 2, note
            yield number * 2.0 + 1.0 + step * BEAT / 4, 0.5 * note


def melody(hertz: functools.partial[float], rng: RandomState) -> Iterator[tuple[float, play.Sound]]:
    """A flute over a bouncing bass: no chord is ever struck."""
    for number, degree in enumerate(MELODY):
        yield number * BEAT, play.flute(rng, hertz(degree, 0), 0.55, 0.8)
        root = ROOTS[number // 4] + (4 if number % 2 else 0)
        yield number * BEAT, 1.5 * play.upright_bass(hertz(root, -2), 0.45, 0.8)


TEXTURES = {"chords": chords, "arpeggios": arpeggios, "melody": melody}


def _hertz(mode: str, semitones: float, degree: int, octave: int) -> float:
    octaves, place = divmod(degree, 7)
    pitch = MODES[mode][place] + 12 * (octaves + octave) + semitones
    return float(play.hertz("C4") * 2 ** (pitch / 12))


def piece(texture: str, mode: str, semitones: float) -> np.ndarray:
    """Eight seconds, (samples,) float32 at 16 kHz, at an RMS of -20 dB."""
    tape, rng = Track(SECONDS), RandomState(3)
    for at, note in TEXTURES[texture](functools.partial(_hertz, mode, semitones), rng):
        tape.add(note, at, 0.3)
    room = reverberated(tape.audio, RandomState(4), seconds=0.8, bright=6_000.0, wet=0.15)
    mono = mastered(room, -20.0, SECONDS).mean(axis=1)
    return np.asarray(soxr.resample(mono, play.RATE, 16_000), dtype=np.float32)


@functools.cache
def valence(model: Model, texture: str, mode: str, semitones: float) -> float:
    """The mean valence of a piece once it has settled, as a stream that begins with it.

    Raises ``ModelError`` where it is not judged all the way.
    """
    estimates = EmotionTracker(model).push(piece(texture, mode, semitones))
    settled = [estimate.valence for estimate in estimates if estimate.t > SETTLED_S]
    if not settled or None in settled:
        raise ModelError(f"{model.name} takes {texture} in {mode} for no music: nothing to measure")
    return float(np.mean(np.array(settled, dtype=float)))


def harmony(model: Model) -> Figures:
    """How far major is above its parallel minor, and how far keys and tunings are apart.

    ``pairs`` of a piece in major and in minor, the share that is ``brighter`` in major, and by how
    much in the mean (``apart``); of each texture and mode the standard deviation over twelve
    ``keys``, and the largest move by :data:`CENTS` up or down (``tuning``).
    """
    pieces = list(itertools.product(TEXTURES, MODES))
    heard = {piece: [valence(model, *piece, key) for key in KEYS] for piece in pieces}
    apart = np.concatenate(
        [np.subtract(heard[texture, "major"], heard[texture, "minor"]) for texture in TEXTURES]
    )
    keys = {piece: float(np.std(heard[piece])) for piece in pieces}
    tuning = {
        piece: max(
            abs(valence(model, *piece, side * CENTS / 100) - heard[piece][KEYS.index(0)])
            for side in (-1, 1)
        )
        for piece in pieces
    }
    return {
        "pairs": len(apart),
        "brighter": float(np.mean(apart > 0)),
        "apart": float(np.mean(apart)),
        "cents": CENTS,
        "pieces": {
            f"{texture} in {mode}": {"keys": keys[texture, mode], "tuning": tuning[texture, mode]}
            for texture, mode in pieces
        },
    }
