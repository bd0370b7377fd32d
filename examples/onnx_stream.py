#!/usr/bin/env python3
"""Track a WAV file with an exported graph: NumPy and ONNX Runtime, and nothing else.

    streamer export hybrid-4 --onnx hybrid-4.onnx
    python3 examples/onnx_stream.py hybrid-4.onnx song.wav

The file must be 16-bit at the model's rate (sox song.flac -b 16 -r 16000 song.wav). Prints seconds,
valence and arousal of every frame of music. Everything that the features depend on is read from the
graph's own metadata; this program shows in two pages what a port to another language has to do.
"""

from __future__ import annotations

import json
import os
import sys
import wave
from collections import deque

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is imported: recent builds tell Microsoft
import onnxruntime

WINDOWS = {"hamming": np.hamming, "hann": np.hanning, "blackman": np.blackman}


def filterbank(f: dict) -> np.ndarray:
    """Triangles on the mel scale, as python_speech_features has them: (bins, filters)."""
    mel = 2595 * np.log10(1 + np.array([f["low_hz"], f["high_hz"]]) / 700)
    edges = 700 * (10 ** (np.linspace(*mel, f["filters"] + 2) / 2595) - 1)
    edges = np.floor((f["fft_size"] + 1) * edges / f["sample_rate"])
    bins = np.arange(f["fft_size"] // 2 + 1)[:, None]
    left, top, right = edges[:-2], edges[1:-1], edges[2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        up, down = (bins - left) / (top - left), (right - bins) / (right - top)
    rising, falling = (left <= bins) & (bins < top), (top <= bins) & (bins < right)
    return np.where(rising, up, 0) + np.where(falling, down, 0)


def cepstral_transform(f: dict) -> np.ndarray:
    """Orthonormal DCT-II with the lifter: (filters, coefficients)."""
    n, k = np.arange(f["filters"])[:, None], np.arange(f["coefficients"])
    scale = np.where(k == 0, np.sqrt(1 / f["filters"]), np.sqrt(2 / f["filters"]))
    lift = 1 + f["lifter"] / 2 * np.sin(np.pi * k / f["lifter"]) if f["lifter"] else 1
    return np.cos(np.pi * k * (2 * n + 1) / (2 * f["filters"])) * scale * lift


class Chroma:
    """Twelve pitch classes of a long window, their fading means, and how tonal each octave is."""

    def __init__(self, c: dict, f: dict) -> None:
        self.c, self.hop_s = c, f["hop"] / f["sample_rate"]
        time = np.arange(c["taps"]) - (c["taps"] - 1) / 2
        low_pass = np.sinc(2 * c["cutoff_hz"] / f["sample_rate"] * time)
        low_pass *= np.kaiser(c["taps"], c["beta"])
        self.low_pass = low_pass / low_pass.sum()
        self.sound = np.zeros(c["taps"] - c["decimation"] + c["window"] * c["decimation"])

        hertz = np.fft.rfftfreq(c["window"], c["decimation"] / f["sample_rate"])
        self.bins = slice(*np.searchsorted(hertz, (c["low_hz"], c["high_hz"])))
        pitch = 69 + 12 * np.log2(hertz[self.bins] / 440)
        self.left, self.right = (
            np.searchsorted(pitch, pitch + side * c["surround"]) for side in (-1, 1)
        )
        weight = np.exp(-0.5 * ((pitch - c["centre"]) / c["spread"]) ** 2)
        above_bass = 1 / (1 + np.exp((c["bass"] - pitch) / c["slope"]))
        apart = (pitch[:, None] - np.arange(12 * c["steps"]) / c["steps"] + 6) % 12 - 6
        self.places = np.exp(-0.5 * (apart / c["width"]) ** 2) * (weight * above_bass)[:, None]
        self.circle = weight * np.exp(2j * np.pi * pitch)
        octaves = int(np.ceil(np.log2(c["high_hz"] / c["low_hz"]) - 1e-9))
        octave = np.floor((pitch - 69 - 12 * np.log2(c["low_hz"] / 440)) / 12)
        self.octave = np.clip(octave, 0, octaves - 1) == np.arange(octaves)[:, None]

        self.tuning = 0j
        self.means = [(np.zeros(12), 0.0) for _ in c["memories_s"]]

    def hear(self, samples: np.ndarray) -> None:
        """What is heard moves into the long window, silent or not."""
        self.sound = np.append(self.sound, samples)[len(samples) :]

    def row(self) -> np.ndarray:
        """The newest window's row, which the fading sums remember."""
        c, windows = self.c, np.lib.stride_tricks.sliding_window_view
        taps = windows(self.sound, c["taps"])[:: c["decimation"]]
        decimated = (taps @ self.low_pass[::-1])[-c["window"] :]
        magnitude = np.sqrt(np.abs(np.fft.rfft(decimated * np.hanning(c["window"]))[self.bins]))
        total = np.append(0, np.cumsum(magnitude))
        local = (total[self.right] - total[self.left]) / (self.right - self.left)
        peaks = np.maximum(magnitude - local, 0)

        turn = (peaks**2 * self.circle).sum() / ((peaks**2 * abs(self.circle)).sum() + 1e-300)
        self.tuning = self.tuning * np.exp(-self.hop_s / c["tuning_s"]) + turn
        place = c["steps"] * (np.arange(12) + np.angle(self.tuning) / (2 * np.pi))
        below = np.floor(place).astype(int)
        ring, share = peaks @ self.places, place - below
        chroma = ring[below % len(ring)] * (1 - share) + ring[(below + 1) % len(ring)] * share
        chroma /= np.linalg.norm(chroma) + 1e-300
        parts = [chroma]
        for k, seconds in enumerate(c["memories_s"]):
            (total, weight), left = self.means[k], np.exp(-self.hop_s / seconds)
            self.means[k] = total * left + chroma, weight * left + 1
            parts.append(self.means[k][0] / self.means[k][1])
        if c["tonalness"]:
            parts.append((self.octave @ peaks) / (self.octave @ magnitude + 1e-300))
            parts.append([peaks.sum() / (magnitude.sum() + 1e-300)])
        return np.concatenate(parts)


def read(path: str, rate: int) -> np.ndarray:
    """The file's sound, one channel, which must have this rate in Hz."""
    with wave.open(path) as file:
        if (file.getframerate(), file.getsampwidth()) != (rate, 2):
            sys.exit(f"{path} must have {rate} Hz and 16 bits: resample it first")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        return samples.reshape(-1, file.getnchannels()).mean(axis=1)


def main(graph: str, path: str) -> None:
    """Frame by frame: MFCC with the level taken out, chroma, one step of the graph."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    config = json.loads(session.get_modelmeta().custom_metadata_map["config"])
    f, volume = config["features"], config["volume"]
    rate = f["sample_rate"]
    sound = np.append(0.0, read(path, rate))

    window, bank = WINDOWS[f["window"]](f["frame"]), filterbank(f)
    transform = cepstral_transform(f)
    to_log_power = 1.0 if f["append_energy"] else 1 / np.sqrt(f["filters"])
    longest = max(1, round(volume["seconds"] * rate / f["hop"]))
    power, heard = 0.0, 0
    chroma = Chroma(f["chroma"], f) if f.get("chroma") else None
    gate, music = config.get("music"), False
    last_second: deque[float] = deque(maxlen=max(1, -(-rate // f["hop"])))

    inputs = {part.name: part.shape for part in session.get_inputs()}
    del inputs["frames"]
    state = {
        name: np.zeros([size if isinstance(size, int) else 1 for size in shape], np.float32)
        for name, shape in inputs.items()
    }
    results = [result.name for result in session.get_outputs()]

    for begin in range(0, len(sound) - f["frame"], f["hop"]):
        frame = sound[begin : begin + f["frame"] + 1]
        t = (begin + f["frame"]) / rate
        newest = frame[-min(f["hop"], f["frame"]) :]
        if chroma:
            chroma.hear(newest if begin else frame[1:])
        last_second.append(np.var(newest))  # a constant is no sound
        if 10 * np.log10(max(1e-12, np.mean(last_second))) < config["silence_db"]:
            continue  # silence is not an emotion, and leaves the state as it is

        emphasised = (frame[1:] - f["preemphasis"] * frame[:-1]) * window
        spectrum = np.abs(np.fft.rfft(emphasised, f["fft_size"])) ** 2 / f["fft_size"]
        bands = spectrum @ bank
        row = np.log(np.where(bands == 0, np.finfo(float).eps, bands)) @ transform
        if f["append_energy"]:
            row[0] = np.log(spectrum.sum() or np.finfo(float).eps)
        if volume["first"] == "relative":
            log_power = row[0] * to_log_power
            heard = min(heard + 1, longest)
            power += (np.exp(log_power) - power) / heard
            relative = np.clip(log_power - np.log(power), volume["floor"], volume["ceiling"])
            row[0] = relative / to_log_power
        if chroma:
            row = np.append(row, chroma.row())

        found = session.run(results, {"frames": row.astype(np.float32)[None, None], **state})
        answer = dict(zip(results, found, strict=True))
        state = {name: answer[f"{name}_after"] for name in state}
        valence, arousal, _, _, *sure = answer["outputs"][0, 0]
        if gate:
            music = sure[0] >= gate["off" if music else "on"]
            if not music:
                continue  # neither is a talk or an empty room
        print(f"{t:.3f} {valence:+.6f} {arousal:+.6f}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
