"""A scripted session without a model: a wandering point, a silence, a gap, a clipped second."""

from __future__ import annotations

import math

import numpy as np

from streamer.circumplex import mood, quadrant, quadrant_probabilities
from streamer.events import Estimate, Gap, Start
from streamer.sinks.history import History

RATE = 16000
HOP_S = 0.032


def start(name: str = "Gymnopédie No. 1.flac", **source: object) -> Start:
    """The first event of a scripted session."""
    about = {"kind": "file", "name": name, "rate": 44100, "channels": 2, "duration_s": 225.0}
    return Start(
        version="0",
        time="2026-11-22T20:15:03.120Z",
        model="deam-hybrid-1",
        source={**about, **source},
        sample_rate=RATE,
        hop_s=HOP_S,
        interval_s=0.5,
        resampler_delay_s=0.0,
    )


def estimate(
    t: float,
    valence: float = 0.3,
    arousal: float = -0.2,
    sd: tuple[float, float] = (0.19, 0.16),
    level_db: float = -18.0,
) -> Estimate:
    """An estimate at a point of the plane."""
    return Estimate(
        t=t,
        valence=valence,
        arousal=arousal,
        valence_sd=sd[0],
        arousal_sd=sd[1],
        quadrant=quadrant(valence, arousal),
        quadrant_p=quadrant_probabilities(valence, arousal, *sd),
        mood=mood(valence, arousal),
        level_db=level_db,
        silent=False,
    )


def silence(t: float, level_db: float = -120.0) -> Estimate:
    """An estimate while nothing is heard."""
    return Estimate(t, None, None, None, None, None, None, None, level_db, True)


def noise(t: float, music: float = 0.1) -> Estimate:
    """An estimate while something is heard that is no music."""
    return Estimate(t, None, None, None, None, None, None, None, -30.0, False, music)


def wander(t: float) -> tuple[float, float]:
    """Where the scripted music is: slow, with a little movement on top."""
    valence = 0.28 * math.sin(t / 17) + 0.12 * math.sin(t / 3.1) + 0.02 * math.sin(t * 2.3)
    arousal = 0.30 * math.cos(t / 13) + 0.10 * math.sin(t / 2.3 + 1) + 0.02 * math.sin(t * 3.1)
    return valence, arousal


class Script:
    """Feeds a history with scripted sound and estimates, hop by hop."""

    def __init__(
        self,
        history: History,
        silent: tuple[float, float] = (40.0, 52.0),
        gap: tuple[float, float] = (63.0, 0.4),
    ) -> None:
        self.history, self.silent, self.gap = history, silent, gap
        self.hops = 0
        self._noise = np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)
        self._lost = False

    def advance(self, seconds: float) -> None:
        """Play on for some seconds."""
        for _ in range(round(seconds / HOP_S)):
            self.hops += 1
            t = self.hops * HOP_S
            block = self._noise[: round(HOP_S * RATE)] * (1 + 0.7 * math.sin(t * 2.2))
            if self.gap[0] <= t < self.gap[0] + self.gap[1]:
                if not self._lost:
                    self._lost = True
                    length = self.gap[1]
                    self.history.write(Gap(t, length, round(length * 44100), False, "ring overrun"))
                continue
            quiet = self.silent[0] <= t < self.silent[1]
            self.history.hear(block * (0.0 if quiet else 1.0), RATE)
            event = silence(t) if quiet else estimate(t, *wander(t))
            self.history.write(event)
            self.history.progress(t, self.hops, 0.004 * t)
