"""Sounds that a gate has to know and nobody has to record, and music that differs in its notes.

``python -m makers sounds OUT`` writes them as a dataset in the *sounds* layout: hums, fans, noises,
animals, horns, hands, talk; sparse music, which the gate has to let through; and pairs of pieces,
each in two keys, one brighter than the other by what is known of mode and dissonance. Talk is
that of ``espeak-ng`` and of voices made from pulses and formants; music is played by the studio of
the example clip.
"""

from __future__ import annotations

import csv
import functools
import io
import itertools
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
import soundfile
import soxr
from numpy.typing import NDArray
from studio import percussion
from studio import synthesis as play

from streamer.processes import cores, workers
from streamer.training.acoustics import RATE, coloured, in_room

Samples = NDArray[np.float64]
#: Lowest and highest frequency of each formant, and its bandwidth, all in Hz.
_FORMANTS = ((250, 850, 80), (800, 2400, 110), (2100, 3200, 170), (3200, 4300, 250))
Maker = Callable[[np.random.Generator, int], Samples]
_SECONDS = 12.0
_LENGTH = round(_SECONDS * RATE)
_WORDS = (
    "time", "person", "year", "way", "day", "thing", "man", "world", "life", "hand", "part",
    "child", "eye", "woman", "place", "work", "week", "case", "point", "government", "company",
    "number", "group", "problem", "fact", "water", "room", "mother", "area", "money", "story",
    "month", "lot", "right", "study", "book", "word", "business", "issue", "side", "kind", "head",
    "house", "service", "friend", "father", "power",
)  # fmt: skip
_LANGUAGES = ("en-us", "en-gb", "de", "fr", "es", "it", "pt", "sv", "pl", "tr")
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9, 12, 14))
_MINORS = ((0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 8, 11))
#: How many pairs of each kind (see ``_piece``); how many keys each piece comes in.
_PAIRS, _KEYS = {"mode": 150, "dissonance": 100}, 2


def write_sounds(folder: Path) -> int:
    """Write the dataset, always the same one; returns how many sounds it has."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    sounds: list[tuple[Any, ...]] = []
    for name, kind, count, make in _KINDS:
        sounds += [
            (_sound, name, number, kind, make, len(sounds) + number) for number in range(count)
        ]
    for name, count in _PAIRS.items():
        pieces = itertools.product(range(count), (1, 0), range(_KEYS))
        sounds += [(_of_pair, name, *numbers) for numbers in pieces]
    with workers(cores()) as pool:
        rows = list(pool.map(_written, itertools.repeat(folder), sounds, chunksize=8))
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def _written(folder: Path, sound: tuple[Any, ...]) -> dict[str, Any]:
    """Make one sound and write it; its row in the table."""
    make, *of_what = sound
    row: dict[str, Any] = make(folder, *of_what)
    return row


def _sound(
    folder: Path, name: str, number: int, kind: str, make: Maker, place: int
) -> dict[str, Any]:
    """One of :data:`_KINDS`, at its place among all of them."""
    random = np.random.default_rng([place, *name.encode()])
    identity = f"{name}-{number}"
    sound = make(random, _LENGTH)
    return _kept(folder, identity, sound, random, kind=kind, group=identity)


def _of_pair(folder: Path, name: str, number: int, brighter: int, key: int) -> dict[str, Any]:
    """One piece of a pair in one key.

    The same chance for all: they differ in key and tuning, and in the notes that make one darker.
    """
    random = np.random.default_rng([number, *name.encode()])
    other = np.random.default_rng([key, brighter, number, *name.encode()])
    up = other.integers(-5, 7) + other.uniform(-0.5, 0.5) if key else 0.0
    pair = f"{name}-{number}"
    identity = f"{pair}-{('darker', 'brighter')[brighter]}-{key}"
    sound = _piece(random, _LENGTH, name, bool(brighter), float(up))
    row = _kept(folder, identity, sound, random, kind="music", group=pair)
    return row | {"pair": pair, "brighter": brighter}


def _kept(
    folder: Path,
    identity: str,
    sound: Samples,
    random: np.random.Generator,
    *,
    kind: str,
    group: str,
) -> dict[str, Any]:
    """Write a sound at some level; its row in the table."""
    path = f"audio/{identity}.flac"
    sound = sound / (np.abs(sound).max() + 1e-9) * 10 ** (random.uniform(-30, -3) / 20)
    soundfile.write(folder / path, sound, RATE, subtype="PCM_24")
    return {
        "clip_id": identity,
        "path": path,
        "kind": kind,
        "group": group,
        "licence": "CC0",
        "doubtful": 0,
        "pair": "",
        "brighter": "",
    }


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
        sound += _voice(length / RATE, RATE, random)[:length] * 10 ** (random.uniform(-8, 0) / 20)
    return _over(sound, random, 8, 50)


def _voice(seconds: float, rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """One speaker, who says nothing: ``seconds`` of syllables, each of about unit power.

    They move as speech does: a tenth to a third of a second each, with a pitch, four formants and
    at times a fricative before it, and pauses between (source and filter: Fant 1960; resonators:
    Klatt 1980).
    """
    sound = np.zeros(round(seconds * rate))
    pitch, tract = 80 * 2 ** random.uniform(0, 1.7), random.uniform(0.85, 1.2)
    tilt, breath = random.uniform(0.6, 0.97), random.uniform(0.02, 0.08)
    pace = random.uniform(0.8, 1.3)
    at = 0
    while at < len(sound):
        if random.random() < 0.12:
            at += round(random.uniform(0.15, 0.6) * rate)
        parts = [_vowel(pitch, tract, tilt, breath, pace, rate, random)]
        if random.random() < 0.45:
            parts.insert(0, _fricative(rate, random))
        for part in parts:
            room = sound[at : at + len(part)]
            room += part[: len(room)]
            at += round(0.9 * len(part))
    return sound


def _vowel(
    pitch: float,
    tract: float,
    tilt: float,
    breath: float,
    pace: float,
    rate: int,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """A glide of glottal pulses through four resonances."""
    length = round(random.uniform(0.1, 0.3) * pace * rate)
    glide = random.normal(0, 0.15) + np.linspace(0, random.normal(0, 0.15), length)
    cycles = np.floor(np.cumsum(pitch * 2**glide) / rate)
    sound = scipy.signal.lfilter([1], [1, -tilt], np.diff(cycles, prepend=0))
    sound += breath * random.standard_normal(length)
    for low, high, width in _FORMANTS:
        hertz = min(random.uniform(low, high) * tract, 0.45 * rate)
        radius = math.exp(-math.pi * width / rate)
        turn = 2 * radius * math.cos(2 * math.pi * hertz / rate)
        gain = 1 - turn + radius**2
        sound = scipy.signal.lfilter([gain], [1, -turn, radius**2], sound)
    sound = np.diff(sound, prepend=0)
    place = np.arange(length) / rate
    sound *= np.minimum(1, place / 0.03) * np.minimum(1, place[::-1] / 0.05)
    loudness = 10 ** (random.uniform(-8, 0) / 20)
    return np.asarray(sound * loudness / (sound.std() + 1e-9))


def _fricative(rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A short burst of noise between 1.4 and 8 kHz."""
    centre = random.uniform(0.25, 0.75) * rate / 2
    band = [0.7 * centre, 1.3 * centre]
    sections = scipy.signal.butter(2, band, "bandpass", fs=rate, output="sos")
    length = round(random.uniform(0.04, 0.12) * rate)
    sound = scipy.signal.sosfilt(sections, random.standard_normal(length)) * np.hanning(length)
    loudness = 0.25 * 10 ** (random.uniform(-20, -4) / 20)
    return np.asarray(sound * loudness / (sound.std() + 1e-9))


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
    seeded = _seeded(random)
    sound = np.zeros(round((length / RATE + 3) * play.RATE))
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
            _lay(sound, hit, k * step, play.RATE)
    return np.asarray(soxr.resample(sound, play.RATE, RATE)[:length])


def _melody(random: np.random.Generator, length: int) -> Samples:
    """One instrument or a humming voice alone, without chords."""
    seeded = _seeded(random)
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


def _calls(
    length: int,
    random: np.random.Generator,
    call: Callable[[], Samples],
    rests: tuple[float, float],
) -> Samples:
    """A call again and again, in bursts of a few, with rests of so many seconds between."""
    sound, at = np.zeros(length), random.uniform(0, 0.5)
    while at < length / RATE:
        for _ in range(int(random.integers(1, 6))):
            one = call() * random.uniform(0.4, 1)
            _lay(sound, one, min(at, length / RATE), RATE)
            at += len(one) / RATE + random.uniform(0.01, 0.15)
        at += random.uniform(*rests)
    return sound


def _glide(
    random: np.random.Generator,
    seconds: float,
    begin: float,
    end: float,
    partials: int,
) -> Samples:
    """A tone that glides from one frequency in Hz to another, with a flutter in it."""
    time = np.arange(max(64, int(seconds * RATE))) / RATE
    path = np.geomspace(begin, end, len(time))
    flutter = random.uniform(0, 0.12) * np.sin(2 * np.pi * random.uniform(5, 45) * time)
    phase = 2 * np.pi * np.cumsum(path * (1 + flutter)) / RATE
    fall, top = random.uniform(0.5, 2), 7600 / max(begin, end)
    tone = sum(np.sin(k * phase) / k**fall for k in range(1, 1 + max(1, min(partials, int(top)))))
    return np.asarray(tone * np.sin(np.pi * np.arange(len(time)) / len(time)) ** 0.5)


def _birds(random: np.random.Generator, length: int) -> Samples:
    """One to five birds: chirps that sweep, or the harmonic cries of gulls and crows."""
    sound = np.zeros(length)
    for _ in range(int(random.integers(1, 6))):
        gull = random.random() < 0.4
        low, high = (500, 1800) if gull else (1500, 6500)
        seconds, home = random.uniform(0.04, 0.9 if gull else 0.25), random.uniform(low, high)
        partials = int(random.integers(4, 12)) if gull else int(random.integers(1, 3))

        def call(s: float = seconds, hz: float = home, n: int = partials) -> Samples:
            bent = hz * 2 ** random.uniform(-0.6, 0.6)
            return _glide(random, s * random.uniform(0.6, 1.5), hz, bent, n)

        near = random.uniform(0.1, 1)
        sound += near * _calls(length, random, call, (0.1, 2.5))
    return _over(in_room(sound, random), random, 0, 40)


def _animals(random: np.random.Generator, length: int) -> Samples:
    """Barks, bleats and lowing: a rough glottis through the resonances of a muzzle."""
    pitch, seconds = 2 ** random.uniform(6, 9.5), random.choice([0.12, 0.2, 0.7, 1.5])
    formants, shake = random.uniform([300, 900, 2000], [1100, 2200, 3800]), random.uniform(0, 0.5)

    def call() -> Samples:
        size = seconds * random.uniform(0.7, 1.3)
        tone = _glide(random, size, pitch * 1.1, pitch * random.uniform(0.5, 1.1), 40)
        tone = tone + shake * random.standard_normal(len(tone))
        heard = np.zeros(len(tone))
        for hz in formants:
            b, a = scipy.signal.iirpeak(hz, random.uniform(2, 8), fs=RATE)
            heard += scipy.signal.lfilter(b, a, tone)
        tremble = 1 + shake * np.sin(2 * np.pi * 8 * np.arange(len(tone)) / RATE)
        return np.asarray(heard * tremble)

    return _over(in_room(_calls(length, random, call, (0.2, 3)), random), random, 3, 40)


def _horns(random: np.random.Generator, length: int) -> Samples:
    """Signals: horns of trains and cars, whistles, sirens, beeps."""
    kind = random.choice(["horn", "whistle", "siren", "beep"])
    root = {"horn": 250, "whistle": 900, "siren": 600, "beep": 1500}[kind]
    root *= 2 ** random.uniform(-0.7, 0.7)
    voices = root * np.cumprod(random.uniform(1, 1.4, int(random.integers(1, 5))))
    seconds = random.uniform(0.05, 0.4) if kind == "beep" else random.uniform(0.3, 4)

    def call() -> Samples:
        if kind == "siren":
            turns = [
                _glide(random, seconds / 2, a, b, 6)
                for a, b in ((root, 1.8 * root), (1.8 * root, root))
            ]
            return np.concatenate(turns * int(random.integers(1, 4)))
        partials = 1 if kind == "beep" else 14
        return np.asarray(sum(_glide(random, seconds, hz, hz, partials) for hz in voices))

    return _over(in_room(_calls(length, random, call, (0.2, 3)), random), random, 3, 45)


def _ticks(random: np.random.Generator, length: int) -> Samples:
    """One small noise at an even pace: a clock, a drip, steps, a wheel, a machine that beats."""
    sound, beat = np.zeros(length), 2 ** random.uniform(-3.5, 0.3)
    size = int(random.uniform(0.003, 0.4 * min(beat, 0.5)) * RATE)
    b, a = scipy.signal.butter(1, np.sort(random.uniform(100, 7000, 2)), "band", fs=RATE)
    parts = [random.standard_normal(size) * np.geomspace(1, 0.003, size) for _ in range(2)]
    if random.random() < 0.3:
        parts = [part * np.sin(random.uniform(0.1, 1) * np.arange(size)) for part in parts]
    uneven = random.choice([0.001, 0.01, 0.08]) * beat
    for k in range(int(length / RATE / beat)):
        hit = scipy.signal.lfilter(b, a, parts[k % 2]) * random.uniform(0.7, 1)
        _lay(sound, hit, max(0.0, k * beat + random.normal(0, uneven)), RATE)
    return _over(in_room(sound, random), random, 0, 40)


def _water(random: np.random.Generator, length: int) -> Samples:
    """Water: many drops and bubbles, each a short rising tone, over its rush."""
    sound = np.zeros(length)
    for _ in range(int(random.uniform(3, 60) * length / RATE)):
        hz = 2 ** random.uniform(8.5, 11.8)
        drop = _glide(random, random.uniform(0.006, 0.05), hz, 1.3 * hz, 1)
        _lay(sound, drop * random.exponential(), random.uniform(0, length / RATE), RATE)
    return _over(sound, random, -8, 20)


def _babble(random: np.random.Generator, length: int) -> Samples:
    """A full room: eight to thirty made voices at all distances."""
    sound = np.zeros(length)
    for _ in range(int(random.integers(8, 31))):
        near = 10 ** (random.uniform(-15, 0) / 20)
        sound += near * np.roll(
            _voice(length / RATE, RATE, random)[:length], random.integers(length)
        )
    return _over(in_room(sound, random), random, 5, 40)


def _laughter(random: np.random.Generator, length: int) -> Samples:
    """People who laugh, boo or cheer: vowels, cut into syllables or drawn out."""
    sound, drawn = np.zeros(length), random.random() < 0.5
    for _ in range(int(random.choice([1, 2, 5, 15, 40]))):
        pitch = 2 ** random.uniform(6.6, 8.8)
        formants = random.uniform([300, 700], [900, 1800])

        def call(hz: float = pitch, peaks: Any = formants) -> Samples:
            seconds = random.uniform(0.8, 2.5) if drawn else random.uniform(0.08, 0.16)
            tone = _glide(random, seconds, hz, hz * random.uniform(0.6, 1.2), 30)
            tone = tone + 0.15 * random.standard_normal(len(tone))
            heard = np.zeros(len(tone))
            for peak in peaks:
                b, a = scipy.signal.iirpeak(peak, random.uniform(3, 8), fs=RATE)
                heard += scipy.signal.lfilter(b, a, tone)
            return heard

        sound += random.uniform(0.2, 1) * _calls(length, random, call, (0.05, 1.5))
    return _over(in_room(sound, random), random, 5, 40)


def _piece(
    random: np.random.Generator,
    length: int,
    pair: str,
    brighter: bool,
    semitones: float,
) -> Samples:
    """A few chords on random instruments: the ``brighter`` piece of a ``pair``, or the darker one.

    The whole is so many ``semitones`` higher, any number of cents among them.

    "mode": in major, or in the parallel minor. "dissonance": in either mode; the darker one has a
    neighbour a semitone beside one of the notes of each chord, which the runs step on, too. Of mode
    and valence: Hevner 1935; of dissonance: Blood, Zatorre et al. 1999.
    """
    seeded = _seeded(random)
    minor, sad = _MINORS[int(random.integers(2))], not brighter
    if pair == "dissonance":
        sad = random.random() < 0.5
    scale = minor if sad else _SCALES[0]
    root, beat = int(random.integers(48, 60)), random.uniform(0.3, 0.8)
    line = [0, *random.integers(0, 6, 3).tolist()]
    # A diminished chord is no home of either mode: the second of minor, the seventh of major.
    line = [degree if degree not in (1, 6) else 3 for degree in line]
    instruments: tuple[Callable[[float, float, float], Samples], ...] = (
        lambda hz, s, v: play.flute(seeded, hz, s + 0.1, v),
        lambda hz, s, v: play.pluck(seeded, hz, s + 0.5, v, 0.9, 5000.0),
        lambda hz, s, v: play.piano(seeded, hz, s + 0.3, v),
        lambda hz, s, v: play.music_box(hz, s + 0.6, v),
        lambda hz, s, v: v * play.pad(seeded, hz, s + 0.3, 0.1, 2000.0),
        lambda hz, s, v: v * play.cello(seeded, [(0.0, s + 0.1, hz)], s + 0.2),
    )
    # A note that comes again sounds the same: a piano's takes a while to make.
    chord_by, run_by = (
        functools.cache(instruments[k]) for k in random.integers(0, len(instruments), 2)
    )
    parts = random.random(3) < (0.7, 0.6, 0.6)
    parts[int(random.integers(2))] = True
    walk = random.integers(0, 5, 64)
    beside = int(random.integers(3))

    def hz(degree: int, octave: int) -> float:
        note = root + semitones + scale[degree % 7] + 12 * (degree // 7 + octave)
        return float(440 * 2 ** ((note - 69) / 12))

    sound = np.zeros(round((length / RATE + 9) * play.RATE))
    for number in range(int(length / RATE / (4 * beat)) + 1):
        home, at = line[number % 4], 4 * number * beat
        chord = [hz(home + step, 0) for step in (0, 2, 4)]
        if pair == "dissonance" and not brighter:
            chord.append(chord[beside] * 2 ** (1 / 12))
        if parts[0]:
            for pitch in chord:
                _lay(sound, 0.6 * chord_by(pitch, 4 * beat, 0.7), at, play.RATE)
        if parts[1]:
            for step in range(8):
                tone = chord[int(walk[8 * (number % 8) + step]) % len(chord)]
                _lay(sound, run_by(2 * tone, beat / 2, 0.7), at + step * beat / 2, play.RATE)
        if parts[2]:
            for step in (0, 2):
                bass = play.upright_bass(hz(home, -1), 2 * beat, 0.8)
                _lay(sound, bass, at + step * beat, play.RATE)
    heard = np.asarray(soxr.resample(sound, play.RATE, RATE)[:length])
    return _over(in_room(heard, random) if random.random() < 0.5 else heard, random, 30, 70)


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


def _seeded(random: np.random.Generator) -> np.random.RandomState:
    """The kind of chance that the studio's instruments want."""
    return np.random.RandomState(int(random.integers(1 << 30)))


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
    ("birds", "environment", 30, _birds),
    ("animals", "environment", 24, _animals),
    ("horns", "environment", 24, _horns),
    ("ticks", "environment", 24, _ticks),
    ("water", "environment", 16, _water),
    ("babble", "crowd", 20, _babble),
    ("laughter", "crowd", 30, _laughter),
)
