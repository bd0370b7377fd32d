"""Forty seconds of music in four moods, composed and synthesised by this program alone.

    python examples/four_moods.py [OUT.flac]

writes `four_moods.flac` beside itself, or OUT.flac. It needs NumPy, SciPy and soundfile.

| section | s     | what a listener hears                                                        |
|---------|-------|------------------------------------------------------------------------------|
| happy   | 0-10  | G major, 144 bpm, loud: bells skip over strums, bouncing bass, drums, claps  |
| tense   | 10-20 | tritones and semitones, 168 bpm in 7/8, loud: distorted ostinato, stabs, toms |
| sad     | 20-30 | D minor, 60 bpm, soft: a cello sinks over a lament bass on a felt piano      |
| calm    | 30-40 | E flat major, 66 bpm, soft: pads, music box, harp and flute, no drums        |

The piece was composed before any model of this project was trained, by what listeners are known
to hear in mode, tempo, register, loudness, articulation and roughness. No model was asked about
it, and it is never to be tuned to one: it is there to be judged, not to flatter.

The same machine with the same NumPy and SciPy writes the same samples each time. Another machine
or version may round differently by a step or so of the 16 bits: the random numbers come from
NumPy's frozen `RandomState`, each section with a seed of its own.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile
from numpy.random import RandomState
from numpy.typing import NDArray
from studio import percussion as drum
from studio import synthesis as play
from studio.mixing import Track, joined, limited, mastered, reverberated
from studio.performing import Feel, score
from studio.synthesis import RATE, Sound, hertz

SECONDS = 10.0
"""The length of every section."""

SECTIONS = (("happy", 0.0, 10.0), ("tense", 10.0, 20.0), ("sad", 20.0, 30.0), ("calm", 30.0, 40.0))
"""Name, start and end of each section in seconds: they touch, and cover the whole clip."""

FADE = 0.3
"""How long each section rings on under the next, in seconds."""

LOUD_DB, SOFT_DB = -14.0, -24.0
"""RMS of happy and tense, and of sad and calm, over their ten seconds (0 dB: RMS 1)."""

_TAPE = SECONDS + FADE


def happy() -> Sound:
    """Six bars of four in G major: tune in bells and plucks, thirds below, strums, bass, drums."""
    rng, beat = RandomState(140), 60 / 144
    feel = Feel(rng, timing=0.004, touch=0.10)
    tune, strums, low, drums = Track(_TAPE), Track(_TAPE), Track(_TAPE), Track(_TAPE)

    melody = """D5:.5 G5:.5 B5:.5 D6:.5 B5:.5 G5:.5 A5:.5 B5:.5
             | C6:.5 E6:.5 r:.5 C6:.5 E6:1 D6:.5 C6:.5
             | B5:.5 D6:.5 r:.5 B5:.5 G5:.5 A5:.5 B5:.5 G5:.5
             | A5:.5 A5:.5 B5:.5 A5:.5 F#5:1 D5:.5 F#5:.5
             | E5:.5 G5:.5 C6:.5 E6:.5 D6:.5 F#6:.5 E6:.5 D6:.5
             | G6:.5 r:.5 D6:.5 B5:.5 G5:.5 r:.5 G6:.5 r:.5"""
    thirds = """r:4
             | G5:.5 C6:.5 r:.5 G5:.5 C6:1 B5:.5 G5:.5
             | G5:.5 B5:.5 r:3
             | r:4
             | C5:.5 E5:.5 G5:.5 C6:.5 A5:.5 D6:.5 C6:.5 A5:.5
             | B5:.5 r:.5 B5:.5 G5:.5 D5:.5 r:.5 B5:.5 r:.5"""
    for line, gain, pan in ((melody, 1.0, 0.12), (thirds, 0.55, -0.35)):
        for at, length, (hz,) in score(line, beat):
            accent = 0.9 if round(at / beat * 2) % 2 == 0 else 0.72
            bell = play.bell(hz, 0.8 * length + 0.12, feel.strength(accent))
            string = play.pluck(rng, hz, 0.7 * length + 0.1, feel.strength(accent), 0.5, 12_000.0)
            tune.add(bell, feel.when(at), 0.60 * gain, pan)
            tune.add(string, feel.when(at), 0.66 * gain, pan + 0.1)

    chords = {  # as a ukulele in C tuning lies, low string first
        "G": "G4 D4 G4 B4", "C": "G4 C4 E4 C5", "D": "A4 D4 F#4 A4",
    }  # fmt: skip
    half_bars = "GGCCGGDDCDGG"
    for half, chord in enumerate(half_bars):
        strings = [hertz(name) for name in chords[chord].split()]
        for eighth, velocity in ((0, 0.85), (1, 0.35), (2, 0.95), (3, 0.6)):  # down up down up
            at = feel.when((half * 2 + eighth / 2) * beat)
            order = strings if eighth % 2 == 0 else strings[::-1]
            for number, hz in enumerate(order):
                note = play.pluck(rng, hz, 0.34, feel.strength(velocity), 0.6, 6_500.0)
                strums.add(note, at + 0.009 * number, 0.50, -0.45)
                strums.add(note, at + 0.009 * number + 0.011, 0.36, 0.55)

    roots = {"G": ("G2", "D3", "G3"), "C": ("C3", "G2", "C3"), "D": ("D3", "A2", "D3")}
    for half, chord in enumerate(half_bars):
        root, fifth, octave = (hertz(name) for name in roots[chord])
        for eighth, hz in enumerate((root, octave, fifth, octave)):
            at = feel.when((half * 2 + eighth / 2) * beat)
            velocity = feel.strength(0.9 if eighth % 2 == 0 else 0.55)
            low.add(play.upright_bass(hz, 0.30 * beat + 0.06, velocity), at, 0.44)

    for count in range(24):  # beats
        at = count * beat
        drums.add(drum.kick(rng, feel.strength(0.9)), feel.when(at), 0.62)
        if count % 2 == 1:
            drums.add(drum.snare(rng, feel.strength(0.75)), feel.when(at), 0.42, 0.05)
            drums.add(drum.clap(rng, feel.strength(0.9)), feel.when(at + 0.004), 0.6, -0.15)
        for sixteenth, velocity in enumerate((0.7, 0.3, 0.9, 0.35)):
            ring = 0.12 if sixteenth == 2 else 0.04
            hit = drum.hat(rng, feel.strength(velocity), ring)
            drums.add(hit, feel.when(at + sixteenth * beat / 4), 0.50, 0.3)
    for step, velocity in enumerate((0.5, 0.65, 0.8, 0.95)):  # a fill into bar five
        drums.add(drum.snare(rng, velocity), feel.when((15 + step / 4) * beat), 0.4, 0.05)
    for count in (0, 16, 23):
        drums.add(drum.crash(rng, 0.7, 1.2), count * beat, 0.35, -0.3)

    dry = tune.audio + strums.audio + low.audio + drums.audio
    return reverberated(dry, rng, seconds=0.6, bright=9_000.0, wet=0.10)


def tense() -> Sound:
    """Eight bars of seven eighths (2+2+3), climbing by way of F and G from E to its tritone."""
    rng, eighth = RandomState(160), 30 / 168
    feel = Feel(rng, timing=0.002, touch=0.07)
    growls, blare, strings, drums = Track(_TAPE), Track(_TAPE), Track(_TAPE), Track(_TAPE)
    bar = 7 * eighth
    ostinato = (0, 0, 12, 0, 1, 0, 0, 6, 0, 0, 13, 0, 6, 5)  # sixteenths, in semitones
    for number, lift in enumerate((0, 0, 1, 1, 3, 3, 6, 6)):  # bars, in semitones above E
        start = number * bar
        push = 0.75 + 0.25 * number / 7
        for sixteenth, interval in enumerate(ostinato):
            strong = sixteenth in (0, 4, 8)
            hz = hertz("E2") * 2 ** ((lift + interval) / 12)
            note = play.growl(rng, hz / (2 if strong else 1), 0.078, feel.strength(push))
            growls.add(note, feel.when(start + sixteenth * eighth / 2), 0.30)

        cluster = [hertz("E4") * 2 ** ((lift + i) / 12) for i in (0, 1, 6, 13)]
        for position in (0, 4, 6.5) if number % 2 == 0 else (1.5, 4, 5.5):
            at = feel.when(start + position * eighth)
            for voice, hz in enumerate(cluster):
                stab = play.brass(rng, hz, 0.16, feel.strength(0.9 * push))
                blare.add(stab, at, 0.26, (-0.5, 0.5, -0.2, 0.3)[voice])

        top = hertz("B5") * 2 ** (number / 12)  # a semitone higher each bar, and its neighbour
        for hz, pan in ((top, -0.6), (top * 2 ** (1 / 12), 0.6), (top / 2**0.5, 0.0)):
            strings.add(play.tremolo(rng, hz, bar, push), start, 0.30 * push, pan)

        for sixteenth in range(14):
            at = feel.when(start + sixteenth * eighth / 2)
            if sixteenth in (0, 4, 8, 11):
                drums.add(drum.kick(rng, feel.strength(0.95)), at, 0.55)
            if number % 2 == 1 and sixteenth >= 8:  # toms run down every second bar
                hz = 230.0 * 2 ** (-(sixteenth - 8) / 6)
                pan = 0.6 - 0.2 * (sixteenth - 8)
                drums.add(drum.tom(rng, hz, feel.strength(0.9)), at, 0.45, pan)
            accent = 0.95 if sixteenth in (4, 12) else 0.32 + 0.25 * (number >= 6)
            drums.add(drum.snare(rng, feel.strength(accent)), at, 0.50, -0.1)
        if number % 2 == 0:
            drums.add(drum.crash(rng, 0.9), start, 0.5, 0.4)

    theme = """E3+E2:4 F3+F2:3 | Bb3+Bb2:4 A3+A2:3 | F3+F2:4 Gb3+Gb2:3 | B3+B2:4 Bb3+Bb2:3
             | G3+G2:4 Ab3+Ab2:3 | C#4+C#3:4 C4+C3:3 | Bb3+Bb2:4 B3+B2:3 | E4+E3:4 F4+F3:3"""
    for at, length, octaves in score(theme, eighth):
        for hz in octaves:
            blare.add(play.brass(rng, hz, length, feel.strength(0.9)), feel.when(at), 0.15, 0.15)
    for at, length in ((0.0, 4 * bar), (4 * bar, 4 * bar)):
        strings.add(drum.riser(rng, length, 1.0), at, 0.35)

    dry = np.tanh(1.5 * (growls.audio + blare.audio + strings.audio)) / 1.2 + drums.audio
    return reverberated(dry, rng, seconds=0.8, bright=7_000.0, wet=0.14)


def sad() -> Sound:
    """Ten beats in D minor: the bass walks down D C B flat A, the cello sinks an octave."""
    rng, beat = RandomState(60), 1.0
    feel = Feel(rng, timing=0.018, touch=0.10)
    keys, bows = Track(_TAPE), Track(_TAPE)

    melody = "F4:1.5 E4:.5 | E4:1 C4:1 | D4:1.5 Bb3:.5 | D4:1 C#4:1 | A3:1 F3:1.3"
    second = "A3:2 | A3:2 | G3:2 | G3:1 E3:1 | D3:2.3"
    for line, gain, pan in ((melody, 1.0, 0.15), (second, 0.5, -0.3)):
        notes = [(feel.when(at), length, hz) for at, length, (hz,) in score(line, beat)]
        bows.add(play.cello(rng, notes, _TAPE), 0.03, gain, pan)

    bass = "D2+D3:2 | C2+C3:2 | Bb1+Bb2:2 | A1+A2:2 | D2+A2:2"
    inner = """r:1 F3:.5 A3:.5 | r:1 E3:.5 A3:.5 | r:1 D3:.5 G3:.5 | r:1 E3+A3:.5 G3:.5
             | r:.66 D3:.66 F3:.68"""
    for line, velocity, gain in ((bass, 0.42, 0.62), (inner, 0.28, 0.66)):
        for at, length, chord in score(line, beat):
            for number, hz in enumerate(chord):
                note = play.piano(rng, hz, length + 2.2, feel.strength(velocity))
                keys.add(note, feel.when(at + 0.03 * number), gain, -0.2 + 0.1 * number)

    dry = play.filtered(keys.audio, "lowpass", 1_800.0, 1) + 0.5 * bows.audio
    return reverberated(dry, rng, seconds=3.2, bright=2_200.0, wet=0.42, delay=0.03)


def calm() -> Sound:
    """Eleven beats in E flat major, home, the fourth above the same bass, home; with ninths."""
    rng, beat = RandomState(66), 60 / 66
    feel = Feel(rng, timing=0.010, touch=0.08)
    pads, harp, air = Track(_TAPE), Track(_TAPE), Track(_TAPE)

    voices = (  # each voice keeps its note or moves by a step
        "Eb2:4 Eb2:4 Eb2:3.4", "Bb2:4 C3:4 Bb2:3.4", "G3:4 Ab3:4 G3:3.4",
        "Bb3:4 Bb3:4 Bb3:3.4", "F4:4 Eb4:4 F4:3.4",
    )  # fmt: skip
    for number, line in enumerate(voices):
        for at, length, (hz,) in score(line, beat):
            attack = 0.35 if at == 0 else 0.9
            note = play.pad(rng, hz, length + 0.9, attack, 1_400.0)
            pads.add(
                note, max(0.0, at - 0.3), (0.2, 0.24, 0.27, 0.27, 0.27)[number], number * 0.3 - 0.6
            )

    ripple = """Eb4:.5 Bb4:.5 F5:.5 G5:.5 Bb5:.5 G5:.5 F5:.5 Bb4:.5
              | Ab4:.5 C5:.5 Eb5:.5 Bb5:.5 C6:.5 Bb5:.5 Eb5:.5 C5:.5
              | Eb4:.5 Bb4:.5 F5:.5 G5:.5 Bb5:2"""
    for at, _, (hz,) in score(ripple, beat):
        tooth = play.music_box(hz, 2.2, feel.strength(0.5))
        string = play.pluck(rng, hz, 2.2, feel.strength(0.4), 2.5, 2_200.0)
        soft = string * play.envelope(2.2, 0.015, 0.5)
        harp.add(tooth, feel.when(at), 0.42, 0.35)
        harp.add(soft, feel.when(at), 0.42, -0.25)

    song = "r:1 Bb4:2 G4:1 | C5:2 Eb5:1 C5:1 | Bb4:3"
    for at, length, (hz,) in score(song, beat):
        air.add(play.flute(rng, hz, length + 0.15, feel.strength(0.5)), feel.when(at), 0.34, 0.05)

    dry = pads.audio + harp.audio + air.audio
    wet = reverberated(dry, rng, seconds=2.4, bright=4_500.0, wet=0.32)
    ending = np.clip((SECONDS - play.clock(_TAPE)) / 1.6, 0, 1)
    return wet * np.sin(ending * np.pi / 2)[:, None] ** 2


def compose() -> NDArray[np.int16]:
    """The whole clip, `(time, 2)` 16-bit samples at `RATE`, some seconds of work."""
    levels = {"happy": LOUD_DB, "tense": LOUD_DB, "sad": SOFT_DB, "calm": SOFT_DB}
    players = {"happy": happy, "tense": tense, "sad": sad, "calm": calm}
    parts = [mastered(players[name](), levels[name], SECONDS) for name, _, _ in SECTIONS]
    whole = limited(joined(parts, SECONDS, FADE), 0.92)
    return np.round(whole * 32_767).astype(np.int16)


def main(arguments: list[str]) -> None:
    """Compose the clip and write it to the path given, or beside this program."""
    out = Path(arguments[0]) if arguments else Path(__file__).with_name("four_moods.flac")
    soundfile.write(out, compose(), RATE, subtype="PCM_16", compression_level=1.0)
    print(f"wrote {out}: " + ", ".join(f"{name} {a:g}-{b:g} s" for name, a, b in SECTIONS))


if __name__ == "__main__":
    main(sys.argv[1:])
