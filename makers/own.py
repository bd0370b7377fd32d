"""What `streamer train --from` buys: clips of a corpus as if they were a listener's own.

The model that is gone on with never heard the corpus, and all clips that were not drawn, but for
those of the same artists, judge what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from streamer.errors import DatasetError
from streamer.network.model import load_model
from streamer.training import figures
from streamer.training.figures import Figures
from streamer.training.material import Song
from streamer.training.out_of_fold import Row, read_table, write_table
from streamer.training.own import AS_IS, FROM_NOTHING, MOVED, Trials, learnable, own_recipe

#: How many clips somebody may have labelled, and how often so many are drawn.
SIZES, DRAWS = (30, 100, 300), 3


def own_clips(songs: Sequence[Song], out: Path, seed: int) -> Iterator[tuple[int, Figures]]:
    """The figures for each number of clips, again after each draw, of one corpus's ``songs``.

    Each draw's estimates are kept in ``out``: called again, what was drawn is not trained again.
    Raises ``DatasetError`` where the corpus has too few songs.
    """
    known = [song for song in songs if song.clip.emotional and song.clip.learnt]
    if len(known) <= min(SIZES):
        raise DatasetError("there are too few songs with labels to draw a listener's own from")
    rows: dict[int, list[Row]] = {size: [] for size in SIZES}
    for draw in range(DRAWS):
        for size in SIZES:
            if size < len(known):
                rows[size] += _drawn(known, size, draw, out, seed)
                yield size, figures.own(rows[size])


def _drawn(songs: Sequence[Song], size: int, draw: int, out: Path, seed: int) -> list[Row]:
    """What all judges say of the clips that were not drawn."""
    corpus = songs[0].clip.dataset
    table = out / "own" / f"{corpus}-{size}-{draw}.csv.gz"
    if not table.is_file():
        start = load_model(out / f"seed-{seed}" / f"without-{corpus}")
        order = np.random.default_rng([draw, size]).permutation(len(songs))
        own = learnable([songs[place] for place in order[:size]])
        groups = {song.clip.group for song in own}
        others = [songs[place] for place in order[size:] if songs[place].clip.group not in groups]
        trials = Trials(own_recipe(start, {}), start, own, draw)
        rows = [row for song in others for row in trials.rows(AS_IS, start, song)]
        for name, begun in ((FROM_NOTHING, None), (MOVED, start)):
            trial = trials.of(begun)
            model = trial.result(trial.best())
            rows += [row for song in others for row in trials.rows(name, model, song)]
        write_table(table, rows)
    return read_table(table)
