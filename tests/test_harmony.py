"""Musical facts about mode, key and tuning, on music made by the project's own studio.

The same instruments, rhythm and loudness; only the notes differ. Each piece is judged by the
default model as a stream that begins with it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from makers.harmony import MODES, TEXTURES, harmony, piece
from streamer import Model, load_model
from streamer.training.figures import Figures

#: Every texture in both modes.
PIECES = [f"{texture} in {mode}" for texture in TEXTURES for mode in MODES]


@pytest.fixture(scope="module")
def model() -> Model:
    """The default model, where it hears harmony."""
    model = load_model()
    if model.config.features.chroma is None:
        pytest.skip(f"the default model, {model.name}, hears no harmony")
    return model


@pytest.fixture(scope="module")
def figures(model: Model) -> Figures:
    """What it makes of mode, key and tuning; it must judge every piece all the way."""
    return harmony(model)


def test_the_pieces_differ_in_their_notes_alone() -> None:
    """Major and minor are as loud as each other and as rich in partials, and not the same."""
    for texture in TEXTURES:
        major, minor = (piece(texture, mode, 0) for mode in MODES)
        assert major.shape == minor.shape == (128_000,)
        levels = [20 * np.log10(np.sqrt(np.mean(part**2))) for part in (major, minor)]
        np.testing.assert_allclose(levels, levels[0], atol=0.3)
        spectra = [np.abs(np.fft.rfft(part)) for part in (major, minor)]
        centres = [(part * np.arange(len(part))).sum() / part.sum() for part in spectra]
        assert centres[0] / centres[1] == pytest.approx(1, abs=0.1)
        assert np.abs(major - minor).max() > 0.05


def test_major_is_brighter_than_its_parallel_minor(figures: Figures) -> None:
    """In at least 90 % of 36 pairs: three textures in twelve keys."""
    assert figures["pairs"] == 36
    assert figures["brighter"] >= 0.9


def test_major_is_brighter_by_a_tenth(figures: Figures) -> None:
    """The mean over all pairs is at least .10."""
    assert figures["apart"] >= 0.10


#: What is not reached, with the figure: six pieces, of which one differs by a little more.
UNSTEADY = pytest.mark.xfail(strict=True, reason="the arpeggios in minor differ by .0501")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=UNSTEADY) if name == "arpeggios in minor" else name
        for name in PIECES
    ],
)
def test_a_piece_is_the_same_in_every_key(figures: Figures, name: str) -> None:
    """In twelve keys its valence has a standard deviation under .05."""
    assert figures["pieces"][name]["keys"] < 0.05


@pytest.mark.parametrize("name", PIECES)
def test_tuning_is_no_emotion(figures: Figures, name: str) -> None:
    """Out of tune by 30 cents as a whole, it is judged within .05 of itself in tune."""
    assert figures["cents"] == 30
    assert figures["pieces"][name]["tuning"] < 0.05


def test_the_metrics_tell_what_is_reached(model: Model, figures: Figures) -> None:
    """What the model's metrics.json says of harmony is what the model reaches."""
    metrics = Path(__file__).resolve().parent.parent / "models" / model.name / "metrics.json"
    told = json.loads(metrics.read_text(encoding="utf-8"))["harmony"]
    assert (told["pairs"], told["cents"]) == (figures["pairs"], figures["cents"])
    assert told["brighter"] == pytest.approx(figures["brighter"], abs=0.03)
    assert told["apart"] == pytest.approx(figures["apart"], abs=0.005)
    for name in PIECES:
        assert told["pieces"][name] == pytest.approx(figures["pieces"][name], abs=0.005)
