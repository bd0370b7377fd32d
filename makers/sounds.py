"""Sounds that a gate has to know and nobody has to record: hums, fans, noises, hands, talk, drums.

``python -m makers sounds OUT`` writes them as a dataset in the *sounds* layout. Talk is
``espeak-ng``'s and that of ``streamer.training.voices``; sparse music, which the gate has to let
through, is played by the studio of the example clip.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
import soundfile
import soxr
from numpy.typing import NDArray

from streamer.training.acoustics import RATE, coloured, in_room
from streamer.training.voices import voice

Samples = NDArray[np.float64]
Maker = Callable[[np.random.Generator, int], Samples]
_SECONDS = 12.0
_STUDIO = Path(__file__).resolve().parent.parent / "examples"
_WORDS = (
    "time", "person", "year", "way", "day", "thing", "man", "world", "life", "hand", "part",
    "child", "eye", "woman", "place", "work", "week", "case", "point", "government", "company",
    "number", "group", "problem", "fact", "water", "room", "mother", "area", "money", "story",
    "month", "lot", "right", "study", "book", "word", "business", "issue", "side", "kind", "head",
    "house", "service", "friend", "father", "power",
)  # fmt: skip
_LANGUAGES = ("en-us", "en-gb", "de", "fr", "es", "it", "pt", "sv", "pl", "tr")
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9, 12, 14))


def write_sounds(folder: Path) -> int:
    """Write the dataset, always the same one; returns how many sounds it has."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    length = round(_SECONDS * RATE)
    rows: list[dict[str, Any]] = []
    for name, kind, count, make in _KINDS:
        for number in range(count):
            random = np.random.default_rng([len(rows), *name.encode()])
            sound = make(random, length)
            sound = sound / (np.abs(sound).max() + 1e-9) * 10 ** (random.uniform(-30, -3) / 20)
            identity = f"{name}-{number}"
            path = f"audio/{identity}.flac"
            soundfile.write(folder / path, sound, RATE, subtype="PCM_24")
            rows.append(
                {
                    "clip_id": identity,
                    "path": path,
                    "kind": kind,
                    "group": identity,
                    "licence": "CC0",
                    "doubtful": 0,
                }
            )
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def _over(sound: Samples, random: np.random.Generator, low_db: float, high_db: float) -> Samples:
    """A sound over noise of some colour, so many dB under it."""
    noise = coloured(len(sound), random)
    distance = random.uniform(low_db, high_db)
    return np.asarray(sound / (sound.std() + 1e-9) + noise / noise.std() * 10 ** (-distance / 20))


def _hum(random: np.random.Generator, length: int) -> Samples:
    """Mains hum: harmonics of 50 or 60 Hz, or a square."""
    turn = 2 * np.pi * random.choice([50, 60, 100, 120]) * np.arange(length) / RATE
    if random.random() < 0.2:
        return _over(np.sign(np.sin(turn)), random, 0, 50)
    fall, sound = random.uniform(0.3, 2.5), np.zeros(length)
    for k in range(1, int(random.integers(3, 40))):
        sound += np.sin(k * turn + random.uniform(0, 6.3)) * random.exponential() / k**fall
    return _over(sound, random, 0, 50)


def _fan(random: np.random.Generator, length: int) -> Samples:
    """Moving air, and blades that waver a little."""
    air = coloured(length, random, random.uniform(-2, -0.3))
    waver = 1 + 0.002 * np.sin(2 * np.pi * random.uniform(0.2, 3) * np.arange(length) / RATE)
    turn = 2 * np.pi * np.cumsum(random.uniform(20, 180) * waver) / RATE
    blades = sum(
        np.sin(k * turn + random.uniform(0, 6.3)) * random.exponential() / k
        for k in range(1, int(random.integers(3, 12)))
    )
    return np.asarray(air / air.std() + blades * 10 ** (random.uniform(-25, 0) / 20))


def _room_noise(random: np.random.Generator, length: int) -> Samples:
    """Noise of some colour, at times one that swells."""
    noise = coloured(length, random)
    if random.random() < 0.4:
        swell = 2 * np.pi * random.uniform(0.05, 6) * np.arange(length) / RATE
        noise *= 1 + 0.6 * np.sin(swell)
    return noise


def _offset(random: np.random.Generator, length: int) -> Samples:
    """A constant voltage with a little noise on it."""
    noise = coloured(length, random)
    return np.asarray(random.uniform(0.5, 50) + noise / noise.std() * random.choice([0.02, 0.2, 1]))


def _last_bits(random: np.random.Generator, length: int) -> Samples:
    """A quiet room at the converter's last bits."""
    noise = coloured(length, random)
    return np.asarray(np.round(noise / noise.std() * random.uniform(0.3, 12)) / 32_768)


def _knocks(random: np.random.Generator, length: int) -> Samples:
    """Clicks and knocks at no beat, in a room."""
    sound = np.zeros(length)
    for _ in range(random.integers(3, 80)):
        size = int(random.uniform(20, 2000))
        fall = np.exp(-np.arange(size) / size * random.uniform(3, 8))
        at = int(random.integers(length - size))
        sound[at : at + size] += random.standard_normal(size) * fall * random.uniform(0.1, 1)
    return _over(in_room(sound, random), random, 3, 40)


def _applause(random: np.random.Generator, length: int) -> Samples:
    """Three to sixty people who clap, each at a pace of their own."""
    sound, seconds = np.zeros(length + RATE), length / RATE
    for _ in range(random.integers(3, 60)):
        size, centre = int(random.uniform(0.004, 0.03) * RATE), random.uniform(500, 3000)
        edges = [0.6 * centre, min(1.7 * centre, 7500)]
        b, a = scipy.signal.butter(1, edges, "band", fs=RATE)
        hand = random.standard_normal(size) * np.geomspace(1, 0.01, size)
        hand = scipy.signal.lfilter(b, a, hand) * random.uniform(0.2, 1)
        times = np.cumsum(random.normal(random.uniform(0.18, 0.5), 0.03, int(6 * seconds)))
        for at in (times[(times > 0) & (times < seconds)] * RATE).astype(int):
            sound[at : at + size] += hand
    return _over(in_room(sound[:length], random), random, 3, 40)


def _chatter(random: np.random.Generator, length: int) -> Samples:
    """One to eight made voices that say nothing."""
    sound = np.zeros(length)
    for _ in range(random.choice([1, 1, 2, 3, 5, 8])):
        sound += voice(length / RATE, RATE, random)[:length] * 10 ** (random.uniform(-8, 0) / 20)
    return _over(sound, random, 8, 50)


def _read_aloud(random: np.random.Generator, length: int) -> Samples:
    """A voice of ``espeak-ng`` that reads words in some language's way."""
    tongue = random.choice(_LANGUAGES) + random.choice(["", "+m1", "+m3", "+m7", "+f1", "+f4"])
    pitch, speed = str(random.integers(20, 80)), str(random.integers(110, 220))
    text = " ".join(random.choice(_WORDS, 30))
    command = ["espeak-ng", "-v", tongue, "-p", pitch, "-s", speed, "--stdout", text]
    wave = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(wave))
    return _over(np.resize(soxr.resample(samples, rate, RATE), length), random, 8, 60)


def _wind(random: np.random.Generator, length: int) -> Samples:
    """Low noise in gusts."""
    noise = coloured(length, random, random.uniform(-3, -1.2))
    knots = np.arange(0, length / RATE + 2, 0.7)
    gusts = np.exp(random.normal(0, 0.8, len(knots)))
    return np.asarray(noise * np.interp(np.arange(length) / RATE, knots, gusts))


def _drums(random: np.random.Generator, length: int) -> Samples:
    """A drummer alone: a random pattern of sixteen steps again and again."""
    percussion, synthesis, seeded = _studio(random)
    sound = np.zeros(round((length / RATE + 3) * synthesis.RATE))
    step = 60 / random.uniform(70, 180) / random.choice([1, 2, 2, 4])
    pattern = random.random((4, 16)) < np.array([[0.25], [0.15], [0.5], [0.12]])
    pattern[0, 0] = True
    for k in range(int(length / RATE / step)):
        for part in np.flatnonzero(pattern[:, k % 16]):
            strength = random.uniform(0.5, 1)
            hit = (
                percussion.kick(seeded, strength),
                percussion.snare(seeded, strength),
                percussion.hat(seeded, strength, 0.05),
                percussion.tom(seeded, random.uniform(80, 200), strength),
            )[part]
            _lay(sound, hit, k * step, synthesis.RATE)
    return np.asarray(soxr.resample(sound, synthesis.RATE, RATE)[:length])


def _melody(random: np.random.Generator, length: int) -> Samples:
    """One instrument or a humming voice alone, without chords."""
    _, play, seeded = _studio(random)
    sound = np.zeros(round((length / RATE + 9) * play.RATE))
    instruments: tuple[Callable[[float, float, float], Samples], ...] = (
        lambda hz, s, v: play.flute(seeded, hz, s + 0.1, v),
        lambda hz, s, v: play.pluck(seeded, hz, s + 0.5, v, 0.8, 6000.0),
        lambda hz, s, v: play.bell(2 * hz, s + 0.4, v),
        lambda hz, s, v: play.piano(seeded, hz, s + 0.3, v),
        lambda hz, s, v: play.music_box(2 * hz, s + 0.6, v),
        lambda hz, s, v: v * play.pad(seeded, hz / 2, 4 * s + 2, 0.8, 1500.0),
        lambda hz, s, v: v * play.cello(seeded, [(0.0, s + 0.2, hz / 2)], s + 0.4),
        lambda hz, s, v: v * _hummed(hz, s + 0.1, play.RATE, random),
    )
    sing = instruments[random.integers(len(instruments))]
    scale, root = _SCALES[random.integers(3)], random.uniform(45, 65)
    pace, place, at = random.uniform(0.2, 0.9), 3, 0.0
    while at < length / RATE:
        place = int(np.clip(place + random.integers(-2, 3), 0, 13))
        note = root + scale[place % 7] + 12 * (place // 7)
        seconds = pace * random.choice([0.5, 1, 1, 2])
        hz = 440 * 2 ** ((note - 69) / 12)
        _lay(sound, sing(hz, seconds, random.uniform(0.5, 0.9)), at, play.RATE)
        at += seconds
    heard = np.asarray(soxr.resample(sound, play.RATE, RATE)[:length])
    return _over(in_room(heard, random) if random.random() < 0.5 else heard, random, 25, 70)


def _hummed(hz: float, seconds: float, rate: int, random: np.random.Generator) -> Samples:
    """A note with vibrato through one resonance, as through closed lips."""
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.008 * np.sin(2 * np.pi * 5 * time))) / rate
    lips = random.uniform(250, 600)
    tone = sum(
        np.sin(k * phase) / (1 + ((k * hz - lips) / 150) ** 2 + 0.3 * k) for k in range(1, 14)
    )
    return np.asarray(tone * np.clip(np.minimum(time / 0.05, (time[-1] - time) / 0.08), 0, 1))


def _lay(sound: Samples, note: Samples, at: float, rate: int) -> None:
    begin = int(at * rate)
    mono = note if note.ndim == 1 else note.mean(axis=1)
    sound[begin : begin + len(mono)] += mono[: max(0, len(sound) - begin)]


def _studio(random: np.random.Generator) -> tuple[Any, Any, np.random.RandomState]:
    """The example's percussion and instruments, and the kind of chance that they want."""
    if str(_STUDIO) not in sys.path:
        sys.path.insert(0, str(_STUDIO))
    from studio import percussion, synthesis

    return percussion, synthesis, np.random.RandomState(int(random.integers(1 << 30)))


#: Names, the kinds that figures are told by, how many of each, and who makes them.
_KINDS: tuple[tuple[str, str, int, Maker], ...] = (
    ("hum", "machine", 24, _hum),
    ("fan", "machine", 24, _fan),
    ("offset", "machine", 10, _offset),
    ("noise", "noise", 32, _room_noise),
    ("last-bits", "noise", 12, _last_bits),
    ("wind", "environment", 12, _wind),
    ("knocks", "environment", 16, _knocks),
    ("applause", "crowd", 36, _applause),
    ("chatter", "speech", 24, _chatter),
    ("read", "speech", 24, _read_aloud),
    ("drums", "music", 30, _drums),
    ("melody", "music", 30, _melody),
)
