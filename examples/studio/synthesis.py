"""Pitched instruments out of arithmetic: sums of sines, plucked delay lines, filtered saws.

Every instrument returns one mono sound, `(time,)` float64, near [-1, 1], at `RATE` samples a
second. Pitches are hertz, lengths are seconds, `velocity` is how hard the note is played, 0 to 1.
Chance comes only from the `RandomState` handed in: NumPy has frozen that generator, so the notes
are the same with every version of it. No oscillator has a jump that a rounding error could move
by a sample, so another processor changes nothing that can be heard.
"""

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy import signal

RATE = 44_100
Sound = NDArray[np.float64]

_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def hertz(name: str) -> float:
    """The equal-tempered frequency of a note such as `A4` (440 Hz), `F#3` or `Bb2`."""
    accidentals = name.count("#") - name.count("b")
    semitone = _SEMITONES[name[0]] + accidentals + 12 * int(name.lstrip("ABCDEFG#b"))
    return 440.0 * 2.0 ** ((semitone - 57) / 12)


def clock(seconds: float) -> Sound:
    """The time of every sample of a sound, in seconds from its start."""
    return np.arange(round(seconds * RATE)) / RATE


def envelope(seconds: float, attack: float, release: float) -> Sound:
    """Rise, hold and fall inside `seconds`, with rounded (raised cosine) corners."""
    time = clock(seconds)
    rise = np.clip(time / attack, 0, 1)
    fall = np.clip((seconds - time) / release, 0, 1)
    return np.sin(rise * np.pi / 2) ** 2 * np.sin(fall * np.pi / 2) ** 2


def filtered(sound: Sound, kind: str, hz: float | tuple[float, float], order: int = 2) -> Sound:
    """A Butterworth filter along time; `kind` is lowpass, highpass or bandpass."""
    sections = signal.butter(order, hz, kind, fs=RATE, output="sos")
    return signal.sosfilt(sections, sound, axis=0)


def saw(frequency: Sound, start: float = 0.0) -> Sound:
    """A sawtooth that follows `frequency` sample by sample; `start` is its phase in cycles.

    Its edge is rounded (polyBLEP), so that it does not alias.
    """
    step = frequency / RATE
    phase = (start + np.cumsum(step)) % 1.0
    after = np.clip(phase / step, 0, 1)
    before = np.clip((phase - 1) / step, -1, 0)
    return 2 * phase - 1 + (1 - after) ** 2 - (1 + before) ** 2


def ensemble(rng: RandomState, frequency: Sound, voices: int, cents: float) -> Sound:
    """Several saws around one pitch, spread evenly over `cents` either side."""
    spread = 2.0 ** (np.linspace(-cents, cents, voices) / 1200)
    total = sum(saw(frequency * ratio, rng.uniform()) for ratio in spread)
    return total / np.sqrt(voices)


def pluck(
    rng: RandomState, hz: float, seconds: float, velocity: float, ring: float, bright: float
) -> Sound:
    """A string (Karplus and Strong 1983): a burst of noise in a delay line that loses its treble.

    `ring` is the time to fall by 60 dB, `bright` the cut-off of the finger in hertz.
    """
    period = RATE / hz - 0.5  # the averaging filter in the loop itself delays by half a sample
    whole = int(period)
    taps = np.convolve([1 - (period - whole), period - whole], [0.5, 0.5])
    loop = np.zeros(whole + 3)
    loop[0] = 1.0
    loop[whole:] -= 10.0 ** (-3 / (hz * ring)) * taps
    burst = np.zeros(round(seconds * RATE))
    burst[:whole] = rng.uniform(-1, 1, whole)
    burst = filtered(burst, "lowpass", min(bright * (0.5 + velocity), 18_000.0))
    string = signal.lfilter([1.0], loop, filtered(burst, "highpass", 60.0, 1))
    return velocity * string / np.max(np.abs(string)) * envelope(seconds, 0.001, 0.03)


def bell(hz: float, seconds: float, velocity: float) -> Sound:
    """A glockenspiel: two-operator FM whose modulation dies before the tone.

    Beside it, a struck bar's second mode, 2.76 times as high.
    """
    time = clock(seconds)
    index = (0.6 + 1.8 * velocity) * np.exp(-time * 14)
    tone = np.sin(2 * np.pi * hz * time + index * np.sin(2 * np.pi * 4 * hz * time))
    bar = 0.25 * np.sin(2 * np.pi * 2.76 * hz * time) * np.exp(-time * 22)
    return velocity * (tone * np.exp(-time * 6.0) + bar) * envelope(seconds, 0.002, 0.04)


def piano(rng: RandomState, hz: float, seconds: float, velocity: float) -> Sound:
    """A felt piano: stretched partials, two strings a little apart, and the thud of the hammer.

    Each partial has a decay of its own; soft touches excite fewer of them.
    """
    time = clock(seconds)
    tone = np.zeros_like(time)
    for n in range(1, min(24, int(9_000 / hz)) + 1):
        partial = n * hz * np.sqrt(1 + 0.0004 * n * n)
        strength = np.exp(-(n - 1) * (0.62 - 0.4 * velocity)) * (0.3 + np.sin(np.pi * n / 7.3) ** 2)
        fade = (0.35 + 0.0011 * hz) * (1 + 0.28 * n)
        for detune in (0.9997, 1.0004):
            wave = np.sin(2 * np.pi * partial * detune * time + rng.uniform(0, 2 * np.pi))
            tone += strength * wave * (0.7 * np.exp(-fade * time) + 0.3 * np.exp(-fade / 4 * time))
    thud = filtered(rng.standard_normal(time.size), "lowpass", 250.0) * np.exp(-time * 60)
    return velocity * (0.4 * tone + 0.5 * thud) * envelope(seconds, 0.006, 0.4)


def cello(rng: RandomState, line: list[tuple[float, float, float]], seconds: float) -> Sound:
    """One legato line of `(start, length, hz)` notes on one bow.

    Pitch glides from note to note, vibrato comes late in each, the bow leans into each note and
    lets go.
    """
    time = clock(seconds)
    frequency = np.full_like(time, line[0][2])
    vibrato, bow = np.zeros_like(time), np.zeros_like(time)
    for start, length, hz in line:
        frequency[time >= start] = hz
        inside = (time >= start) & (time < start + length)
        along = (time[inside] - start) / length
        vibrato[inside] = np.clip((along * length - 0.35) / 0.5, 0, 1)
        bow[inside] = 0.45 + 0.55 * np.sin(np.pi * np.clip(along * 0.85 + 0.12, 0, 1)) ** 1.5
    glide = signal.windows.hann(round(0.09 * RATE))
    glide /= glide.sum()
    padded = np.pad(np.log(frequency), glide.size, mode="edge")
    frequency = np.exp(signal.fftconvolve(padded, glide, "same")[glide.size : -glide.size])
    frequency *= 1 + 0.005 * vibrato * np.sin(2 * np.pi * 5.1 * time + 0.4 * np.sin(3.1 * time))
    lean = signal.windows.hann(round(0.22 * RATE))
    bow = signal.fftconvolve(bow, lean / lean.sum(), "same")
    string = ensemble(rng, frequency, 2, 3.0)
    hair = 0.06 * filtered(rng.standard_normal(time.size), "bandpass", (300.0, 1_500.0))
    body = filtered(string + hair, "lowpass", 750.0, 1)
    body += 0.6 * filtered(string, "bandpass", (180.0, 320.0), 1)  # the wood answers here
    return 0.5 * bow * filtered(body, "lowpass", 2_000.0)


def pad(rng: RandomState, hz: float, seconds: float, attack: float, bright: float) -> Sound:
    """A warm, slowly breathing chord tone: detuned saws behind a low-pass filter, and a sine."""
    time = clock(seconds)
    swell = 0.75 + 0.25 * np.sin(2 * np.pi * 0.11 * time + rng.uniform(0, 2 * np.pi))
    saws = filtered(ensemble(rng, np.full_like(time, hz), 5, 7.0), "lowpass", bright)
    body = 0.35 * saws * swell + 0.6 * np.sin(2 * np.pi * hz * time)
    return 0.5 * body * envelope(seconds, attack, min(2.0, seconds / 2))


def music_box(hz: float, seconds: float, velocity: float) -> Sound:
    """A soft comb tooth: almost a sine, with a breath of its upper modes, and no click."""
    time = clock(seconds)
    modes = ((1.0, 1.0, 1.9), (2.003, 0.18, 3.5), (3.01, 0.06, 6.0), (5.4, 0.03, 14.0))
    tone = sum(a * np.sin(2 * np.pi * m * hz * time) * np.exp(-d * time) for m, a, d in modes)
    return velocity * tone * envelope(seconds, 0.018, 0.3)


def flute(rng: RandomState, hz: float, seconds: float, velocity: float) -> Sound:
    """A round, breathy tone that swells in and wavers late."""
    time = clock(seconds)
    waver = 0.0025 * np.clip((time - 0.5) / 0.8, 0, 1) * np.sin(2 * np.pi * 4.6 * time)
    phase = 2 * np.pi * np.cumsum(hz * (1 + waver)) / RATE
    breath = filtered(rng.standard_normal(time.size), "bandpass", (0.8 * hz, 3.0 * hz), 1)
    tone = np.sin(phase) + 0.16 * np.sin(2 * phase) + 0.05 * np.sin(3 * phase) + 0.025 * breath
    return velocity * tone * envelope(seconds, 0.16, 0.35)


def upright_bass(hz: float, seconds: float, velocity: float) -> Sound:
    """A round, short, bouncing bass note."""
    time = clock(seconds)
    index = 1.6 * velocity * np.exp(-time * 18)
    tone = np.sin(2 * np.pi * hz * time + index * np.sin(2 * np.pi * hz * time))
    tone += 0.35 * np.sin(4 * np.pi * hz * time) * np.exp(-time * 7)
    return velocity * tone * np.exp(-time * 3) * envelope(seconds, 0.004, 0.05)


def growl(rng: RandomState, hz: float, seconds: float, velocity: float) -> Sound:
    """A distorted low saw: detuned, opened by a fast filter, overdriven, opened again."""
    time = clock(seconds)
    raw = ensemble(rng, np.full_like(time, hz), 3, 14.0) + 0.6 * saw(np.full_like(time, hz / 2))
    bite = np.exp(-time * 22)
    open_then_closed = bite * filtered(raw, "lowpass", 7_000.0)
    open_then_closed += (1 - bite) * filtered(raw, "lowpass", 1_800.0)
    dirty = np.tanh(4.5 * open_then_closed + 0.4) - np.tanh(0.4)
    return velocity * filtered(dirty, "highpass", 50.0) * envelope(seconds, 0.003, 0.015)


def brass(rng: RandomState, hz: float, seconds: float, velocity: float) -> Sound:
    """A hard section of saws with a falling blare, for stabs and for a theme."""
    time = clock(seconds)
    scoop = 2.0 ** (-0.6 / 12 * np.exp(-time * 40))
    raw = ensemble(rng, hz * scoop, 4, 11.0)
    blare = 0.25 + 0.75 * np.exp(-time * 5)
    tone = blare * filtered(raw, "lowpass", 6_500.0) + (1 - blare) * filtered(raw, "lowpass", 1_600)
    return velocity * np.tanh(1.6 * tone) * envelope(seconds, 0.012, min(0.08, seconds / 3))


def tremolo(rng: RandomState, hz: float, seconds: float, velocity: float) -> Sound:
    """High strings, sawing 15 times a second and growing."""
    time = clock(seconds)
    raw = filtered(ensemble(rng, np.full_like(time, hz), 4, 18.0), "bandpass", (500.0, 9_000.0), 1)
    shake = 0.45 + 0.55 * np.abs(np.sin(np.pi * 15 * time + rng.uniform(0, np.pi)))
    return velocity * raw * shake * (0.5 + 0.5 * time / seconds) * envelope(seconds, 0.03, 0.04)
