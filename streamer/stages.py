"""What sound goes through on its way to an estimate, for one stream or a thousand side by side.

Framing, level, MFCC and chroma, gain, network, attention (whether it is music), cadence (when an
estimate is due), in this order, state in and state out. A lone ``EmotionTracker`` and a
``TrackerPool`` both come here: there is no other path.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.circumplex import mood, quadrant, quadrant_probabilities
from streamer.events import Cadence, Estimate
from streamer.features.chroma import NO_HARMONY, NO_WINDOW, HarmonyState, WindowState
from streamer.features.framing import Framing, FramingState
from streamer.features.gain import Volume, VolumeState
from streamer.features.level import Loudness, LoudnessState
from streamer.features.state import State
from streamer.network.config import MusicConfig
from streamer.network.model import Model
from streamer.network.runtime import MUSIC, LstmState


@dataclass(frozen=True, slots=True, eq=False)
class Attention(State):
    """Whether there is something to judge.

    ``quiet``: silent frames among the newest. ``unjudged``: frames of silence or without music
    among the newest. ``music``: whether music was heard in the newest frame that was not silent.
    """

    quiet: int
    unjudged: int
    music: bool


#: Before the first frame and when a song is to begin; and when its music was just found.
_NOTHING, _MUSIC = Attention(0, 0, False), Attention(0, 0, True)


class Song(NamedTuple):
    """What is carried from frame to frame of one song, and begins afresh with the next."""

    volume: VolumeState
    harmony: HarmonyState
    lstm: LstmState


@dataclass(frozen=True, slots=True, eq=False)
class TrackerState(State):
    """All that a stream carries on.

    The states of its stages; ``ended``, where the newest frame ended, in samples since the stream
    began; and ``frames`` so far. Nothing of it depends on how a tracker judges (its interval, where
    its clock begins): another one can continue it in its own way.
    """

    framing: FramingState
    loudness: LoudnessState
    window: WindowState
    volume: VolumeState
    harmony: HarmonyState
    lstm: LstmState
    attention: Attention
    ended: int
    frames: int

    def _rules(self) -> dict[str, tuple[str, bool]]:
        return {"ended": ("must not be after 'position'", self.ended <= self.framing.position)}

    @property
    def song(self) -> Song:
        """What the judgement of the song rests on."""
        return Song(self.volume, self.harmony, self.lstm)


@dataclass(frozen=True, slots=True)
class Terms:
    """How a stream is to be judged.

    ``offset``: its first sample's position. ``cadence``: when estimates are due. ``silence_db``:
    under this level it is silent. ``music``: when what is heard counts as music; None judges
    everything. ``longest_silence``: frames of silence, or of no music, after which the judgement
    starts afresh; infinite for never.
    """

    offset: int
    cadence: Cadence
    silence_db: float
    music: MusicConfig | None
    longest_silence: float


class Stages:
    """The stages of a model; nothing here remembers."""

    def __init__(self, model: Model) -> None:
        features = model.config.features
        self._rate = features.sample_rate
        self._framing = Framing(features.frame, features.hop)
        self._loudness = Loudness(features.sample_rate, features.frame, features.hop)
        self._mfcc = model.mfcc
        self._chroma = model.chroma
        scale = 1.0 if features.append_energy else 1 / math.sqrt(features.filters)
        self._volume = Volume(model.config.volume, features.hop / features.sample_rate, scale)
        self._runtime = model.runtime

    def initial(self, terms: Terms) -> TrackerState:
        """The state of a stream of which nothing was heard."""
        return TrackerState(
            self._framing.initial(),
            self._loudness.initial(),
            self._no_window(),
            *self._no_song(),
            attention=_NOTHING,
            ended=0,
            frames=0,
        )

    def adopted(self, state: TrackerState, terms: Terms) -> TrackerState:
        """A copy of a state from anywhere, with which a stream can be continued.

        Raises ``ValueError`` where no stream of this model can have come to it.
        """
        copy = self.initial(terms).with_arrays(state.to_arrays())
        copy.check()
        self._framing.check(copy.framing)
        return copy

    def skip(self, samples: int, state: TrackerState) -> TrackerState:
        """The state after a gap: the clock moves on and no frame or window spans it.

        The song goes on: what was heard of its level, key and mood over seconds still holds.
        """
        return dataclasses.replace(
            state,
            framing=self._framing.skip(samples, state.framing),
            loudness=self._loudness.initial(),
            window=self._no_window(),
        )

    def forget(self, state: TrackerState) -> TrackerState:
        """The state with the judgement begun afresh while the clock runs on."""
        volume, harmony, lstm = self._no_song()
        return dataclasses.replace(
            state, volume=volume, harmony=harmony, lstm=lstm, attention=_NOTHING
        )

    def _no_window(self) -> WindowState:
        return NO_WINDOW if self._chroma is None else self._chroma.initial_window()

    def _no_song(self) -> Song:
        harmony = NO_HARMONY if self._chroma is None else self._chroma.initial()
        return Song(self._volume.initial(), harmony, self._runtime.initial())

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
        floors = [term.silence_db for term in terms]
        loud = levels >= (floors[0] if len(floors) == 1 else np.repeat(floors, lengths))
        heard: list[bool] = loud.tolist()
        every = all(heard)
        rows = self._mfcc.rows(frames if every else frames[loud])
        facts, windows_after = np.empty((len(rows), 0)), [state.window for state in states]
        if self._chroma is not None:
            # It stays in the long window all the same: what sounded before it is as long ago.
            windows, windows_after = self._chroma.windows_of_streams(frames, lengths, windows_after)
            facts = self._chroma.facts(windows if every else windows[loud])
        judged = self._judge(rows, facts, heard, lengths, states, terms)

        found: list[list[Estimate]] = []
        after: list[TrackerState] = []
        begin = 0
        for k, (state, term) in enumerate(zip(states, terms, strict=True)):
            _, ends, framing = cuts[k]
            estimates = self._due(judged[k], levels[begin:], ends, state.ended, term)
            begin += lengths[k]
            found.append(estimates)
            after.append(
                TrackerState(
                    framing,
                    loudness[k],
                    windows_after[k],
                    *judged[k].song,
                    attention=judged[k].attention,
                    ended=ends[-1] if ends else state.ended,
                    frames=state.frames + lengths[k],
                )
            )
        return found, after

    def _judge(
        self,
        rows: NDArray[np.float64],
        facts: NDArray[np.float64],
        heard: list[bool],
        lengths: Sequence[int],
        states: Sequence[TrackerState],
        terms: Sequence[Terms],
    ) -> list[_Judged]:
        """What is made of each stream's frames; ``rows`` and ``facts`` are those of heard ones.

        A stream in which a new song begins goes through as several: each song is judged alone.
        """
        songs: list[int] = []
        carried: list[Song] = []
        last: list[int | None] = []
        begin = 0
        for length, state, term in zip(lengths, states, terms, strict=True):
            flags = heard[begin : begin + length]
            begin += length
            first, *fresh = _songs(flags, state.attention.quiet, term.longest_silence)
            if first:
                songs.append(first)
                carried.append(state.song)
            songs += fresh
            carried += [self._no_song() for _ in fresh]
            last.append(len(songs) - 1 if first or fresh else None)

        told: list[list[float]] = []
        if songs:
            told, carried = self._listen(rows, facts, songs, carried)
        judged: list[_Judged] = []
        frame = row = 0
        for length, state, term, index in zip(lengths, states, terms, last, strict=True):
            flags = heard[frame : frame + length]
            count = sum(flags)
            outputs = told[row : row + count]
            song = state.song if index is None else carried[index]
            known, attention, begins = _attend(flags, outputs, state.attention, term)
            if begins is None:
                judged.append(_Judged(flags, known, outputs, song, attention))
            else:
                # Music after a long time of none: from there on it is judged as a new song.
                before, rest = sum(flags[:begins]), slice(frame + begins, frame + length)
                volume, harmony, lstm = self._no_song()
                afresh = dataclasses.replace(
                    state, volume=volume, harmony=harmony, lstm=lstm, attention=_MUSIC
                )
                part = slice(row + before, row + count)
                (new,) = self._judge(
                    rows[part], facts[part], heard[rest], [length - begins], [afresh], [term]
                )
                judged.append(
                    new._replace(
                        heard=flags,
                        known=known + new.known,
                        outputs=outputs[:before] + new.outputs,
                    )
                )
            frame += length
            row += count
        return judged

    def _listen(
        self,
        rows: NDArray[np.float64],
        facts: NDArray[np.float64],
        lengths: Sequence[int],
        songs: Sequence[Song],
    ) -> tuple[list[list[float]], list[Song]]:
        """The network's outputs for songs of these ``lengths`` one after the other, and states."""
        rows, volumes = self._volume.level_streams(rows, lengths, [song.volume for song in songs])
        harmonies = [song.harmony for song in songs]
        if self._chroma is not None:
            chroma, harmonies = self._chroma.rows_of_songs(facts, lengths, harmonies)
            rows = np.concatenate((rows, chroma), axis=1)
        outputs, lstm = self._runtime.forward_streams(
            rows.astype(np.float32), lengths, LstmState.joined([song.lstm for song in songs])
        )
        return outputs.tolist(), list(map(Song, volumes, harmonies, lstm.parted()))

    def _due(
        self,
        judged: _Judged,
        levels: NDArray[np.float64],
        ends: range,
        ended: int,
        terms: Terms,
    ) -> list[Estimate]:
        """The estimates that became due since the frame that ``ended`` there."""
        due = terms.cadence.index(ended + terms.offset)
        estimates: list[Estimate] = []
        row = 0
        for frame, end in enumerate(ends):
            reached = terms.cadence.index(end + terms.offset)
            if reached > due:
                due = reached
                outputs = judged.outputs[row] if judged.heard[frame] else None
                t, level_db = (end + terms.offset) / self._rate, float(levels[frame])
                estimates.append(estimate(t, outputs, level_db, known=judged.known[frame]))
            row += judged.heard[frame]
        return estimates


class _Judged(NamedTuple):
    """A stream's newest frames: which were not silent, and which were judged to be music.

    ``outputs``: the network's, of those not silent. ``song`` and ``attention``: the states after.
    """

    heard: list[bool]
    known: list[bool]
    outputs: list[list[float]]
    song: Song
    attention: Attention


def _songs(heard: list[bool], quiet: int, longest_silence: float) -> list[int]:
    """How many heard frames belong to each song.

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
    return songs


def _attend(
    heard: list[bool], outputs: list[list[float]], attention: Attention, terms: Terms
) -> tuple[list[bool], Attention, int | None]:
    """Which frames are known to be music, and the attention after them.

    ``outputs`` are those of the frames that were ``heard``. Where a frame is the first of music
    after the longest time without any, its number comes third, and nothing is said of it or of
    what follows: its song is to be judged afresh.
    """
    quiet, unjudged, music = attention.quiet, attention.unjudged, attention.music
    longest, borders = terms.longest_silence, terms.music
    known: list[bool] = []
    row = 0
    for frame, loud in enumerate(heard):
        if not loud:
            quiet += 1
            unjudged += 1
            known.append(False)
            continue
        if quiet and quiet >= longest:
            unjudged, music = 0, False
        quiet = 0
        before = music
        if borders is None:
            music = True
        else:
            # Two borders: a judgement does not come and go where the network wavers.
            music = outputs[row][MUSIC] >= (borders.off if before else borders.on)
        row += 1
        if music and not before and unjudged and unjudged >= longest:
            return known, attention, frame
        unjudged = 0 if music else unjudged + 1
        known.append(music)
    return known, Attention(quiet, unjudged, music), None


def estimate(t: float, outputs: list[float] | None, level_db: float, *, known: bool) -> Estimate:
    """The event for the network's ``outputs`` at ``t``; ``None`` while silent.

    ``known``: whether they are of music; if not, only how sure the network is of that is told.
    """
    if outputs is None:
        return Estimate(t, None, None, None, None, None, None, None, level_db, True)
    valence, arousal, valence_sd, arousal_sd, *gate = outputs
    music = gate[0] if gate else None
    if not known:
        return Estimate(t, None, None, None, None, None, None, None, level_db, False, music)
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
        music=music,
    )
