"""``streamer models``: what can be given to ``--model``."""

from __future__ import annotations

import click

from streamer.cli.sentence import say, sentence
from streamer.network.names import DEFAULT_MODEL, list_models


@click.command(name="models")
def command() -> None:
    """List the models that can be used, with their size and frame rate.

    Example: streamer models
    """
    from streamer.network.model import load_model

    for name, path in list_models().items():
        model = load_model(path)
        features = model.config.features
        weights = sum(array.size for array in model.weights.values())
        songs = sum(len(songs) for songs in model.config.songs.values())
        rate = features.sample_rate / features.hop
        default = " (default)" if name == DEFAULT_MODEL else ""
        say(
            f"{sentence(name)}{default}: {weights:,} weights, "
            f"{features.coefficients} MFCCs at {features.sample_rate} Hz, "
            f"{rate:g} frames a second, trained on {songs:,} clips; {sentence(path)}"
        )
