"""What sound goes through on its way to an estimate, for one stream or a thousand side by side.

Framing, level, MFCC, gain, network, cadence (when an estimate is due), in this order, state in and
state out. A lone ``EmotionTracker`` and a ``TrackerPool`` both come here: there is no other path.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.circumplex import mood, quadrant, quadrant_probabilities
from streamer.events import Estimate
from streamer.features.framing import Framing, FramingState
from streamer.features.gain import Volume, VolumeState
from streamer.features.level import Loudness, LoudnessState
from streamer.features.state import State
from streamer.network.model import Model
from streamer.network.runtime import LstmState


class Cadence:
    """Which frames are due: the first whose end reaches each multiple of the interval.

    ``interval`` in seconds, 0 for every frame; ``rate`` in Hz.
    """

    def __init__(self, interval: float, rate: int) -> None:
        if not (math.isfinite(interval) and interval >= 0):
            raise ValueError(f"the interval must be 0 or more seconds, not {interval}")
        self._step = interval * rate

    def index(self, position: int) -> int:
        """How many multiples of the interval (zero apart) lie at or before a stream position."""
        # A hair is added so that 0.1 s at 16 kHz is due at sample 1,600 and not one frame later.
        return position if not self._step else math.floor(position / self._step + 1e-9)


@dataclass(frozen=True, slots=True, eq=False)
class TrackerState(State):
    """All that a stream carries on.

    The states of its stages; ``due``, the interval of the last estimate; ``frames`` so far; and
    ``quiet``, the silent ones among the newest.
    """

    framing: FramingState
    loudness: LoudnessState
    volume: VolumeState
    lstm: LstmState
    due: int
    frames: int
    quiet: int


@dataclass(frozen=True, slots=True)
class Terms:
    """How a stream is to be judged: its first sample's position, its cadence, and when to reset.

    ``longest_silence``: silent frames after which the judgement starts afresh; infinite for never.
    """

    offset: int
    cadence: Cadence
    longest_silence: float


class Stages:
    """The stages of a model; nothing here remembers."""

    def __init__(self, model: Model) -> None:
        features = model.config.features
        self._silence_db = model.config.silence_db
        self._rate = features.sample_rate
        self._framing = Framing(features.frame, features.hop)
        self._loudness = Loudness(features.sample_rate, features.frame, features.hop)
        self._mfcc = model.mfcc
        scale = 1.0 if features.append_energy else 1 / math.sqrt(features.filters)
        self._volume = Volume(model.config.volume, features.hop / features.sample_rate, scale)
        self._runtime = model.runtime

    def initial(self, terms: Terms) -> TrackerState:
        """The state of a stream of which nothing was heard."""
        return TrackerState(
            self._framing.initial(),
            self._loudness.initial(),
            self._volume.initial(),
            self._runtime.initial(),
            due=terms.cadence.index(terms.offset),
            frames=0,
            quiet=0,
        )

    def skip(self, samples: int, state: TrackerState) -> TrackerState:
        """The state after a gap: the clock moves on, no frame spans it, the LSTM state is kept."""
        return dataclasses.replace(
            state,
            framing=self._framing.skip(samples, state.framing),
            loudness=self._loudness.initial(),
        )

    def forget(self, state: TrackerState) -> TrackerState:
        """The state with the judgement begun afresh while the clock runs on."""
        return dataclasses.replace(
            state, volume=self._volume.initial(), lstm=self._runtime.initial()
        )

    def hear(
        self,
        pieces: Sequence[NDArray[np.float32]],
        states: Sequence[TrackerState],
        terms: Sequence[Terms],
    ) -> tuple[list[list[Estimate]], list[TrackerState]]:
        """The estimates that become due in each stream with its piece, and the states after them.

        ``pieces`` are valid mono samples of any lengths, one piece a stream.
        """
        cuts = [
            self._framing.cut(piece, state.framing)
            for piece, state in zip(pieces, states, strict=True)
        ]
        lengths = [len(ends) for _, ends, _ in cuts]
        frames = cuts[0][0] if len(cuts) == 1 else np.concatenate([cut[0] for cut in cuts])
        levels, loudness = self._loudness.measure_streams(
            frames, lengths, [state.loudness for state in states]
        )
        # Silence is not an emotion: its frames reach neither the running level nor the network.
        loud = levels >= self._silence_db
        heard: list[bool] = loud.tolist()
        rows = self._mfcc.rows(frames if all(heard) else frames[loud])
        outputs, judged = self._judge(rows, heard, lengths, states, terms)

        due = self._due(heard, levels, outputs, [cut[1] for cut in cuts], states, terms)
        after = [
            TrackerState(cut[2], level, volume, lstm, last, state.frames + length, quiet)
            for cut, level, (volume, lstm, quiet), (last, _), state, length in zip(
                cuts, loudness, judged, due, states, lengths, strict=True
            )
        ]
        return [estimates for _, estimates in due], after

    def _judge(
        self,
        rows: NDArray[np.float64],
        heard: list[bool],
        lengths: list[int],
        states: Sequence[TrackerState],
        terms: Sequence[Terms],
    ) -> tuple[NDArray[np.float32], list[tuple[VolumeState, LstmState, int]]]:
        """The network's outputs (len(rows), 4), and each stream's states and newest silence.

        A stream in which a new song begins goes through as several: each song is judged alone.
        """
        songs: list[int] = []
        volumes: list[VolumeState] = []
        lstms: list[LstmState] = []
        last: list[int | None] = []
        quiets: list[int] = []
        begin = 0
        for length, state, term in zip(lengths, states, terms, strict=True):
            flags = heard[begin : begin + length]
            (carried, *fresh), quiet = _songs(flags, state.quiet, term.longest_silence)
            begin += length
            if carried:
                songs.append(carried)
                volumes.append(state.volume)
                lstms.append(state.lstm)
            for song in fresh:
                songs.append(song)
                volumes.append(self._volume.initial())
                lstms.append(self._runtime.initial())
            last.append(len(songs) - 1 if carried or fresh else None)
            quiets.append(quiet)

        outputs = np.empty((0, 4), dtype=np.float32)
        if songs:
            levelled, volumes = self._volume.level_streams(rows, songs, volumes)
            outputs, lstm = self._runtime.forward_streams(
                levelled.astype(np.float32), songs, LstmState.joined(lstms)
            )
            lstms = lstm.parted()
        return outputs, [
            (state.volume, state.lstm, quiet)
            if index is None
            else (volumes[index], lstms[index], quiet)
            for index, state, quiet in zip(last, states, quiets, strict=True)
        ]

    def _due(
        self,
        heard: list[bool],
        levels: NDArray[np.float64],
        outputs: NDArray[np.float32],
        ends: list[range],
        states: Sequence[TrackerState],
        terms: Sequence[Terms],
    ) -> list[tuple[int, list[Estimate]]]:
        """For each stream the last interval reached and the estimates that became due."""
        found: list[tuple[int, list[Estimate]]] = []
        frame = row = 0
        for positions, state, term in zip(ends, states, terms, strict=True):
            due, estimates = state.due, []
            for end in positions:
                reached = term.cadence.index(end + term.offset)
                if reached > due:
                    due = reached
                    estimates.append(
                        estimate(
                            (end + term.offset) / self._rate,
                            outputs[row].tolist() if heard[frame] else None,
                            float(levels[frame]),
                        )
                    )
                row += heard[frame]
                frame += 1
            found.append((due, estimates))
        return found


def _songs(heard: list[bool], quiet: int, longest_silence: float) -> tuple[list[int], int]:
    """How many heard frames belong to each song, and the silent frames at the end.

    The first song is the one that the stream was in; it may have none. ``quiet`` is the number of
    silent frames before the first one here.
    """
    songs = [0]
    for loud in heard:
        if not loud:
            quiet += 1
            continue
        if quiet and quiet >= longest_silence:
            songs.append(0)
        songs[-1] += 1
        quiet = 0
    return songs, quiet


def estimate(t: float, outputs: list[float] | None, level_db: float) -> Estimate:
    """The event for the network's four ``outputs`` at ``t``; ``None`` while silent."""
    if outputs is None:
        return Estimate(t, None, None, None, None, None, None, None, level_db, True)
    valence, arousal, valence_sd, arousal_sd = outputs
    return Estimate(
        t=t,
        valence=valence,
        arousal=arousal,
        valence_sd=valence_sd,
        arousal_sd=arousal_sd,
        quadrant=quadrant(valence, arousal),
        quadrant_p=quadrant_probabilities(valence, arousal, valence_sd, arousal_sd),
        mood=mood(valence, arousal),
        level_db=level_db,
        silent=False,
    )
