"""Recipes: every choice of a run in one file, strictly read."""

from __future__ import annotations

from pathlib import Path

import pytest
from annotated_music import RECIPE

from streamer.cli.learning import read
from streamer.errors import DatasetError
from streamer.network.config import Convolution
from streamer.training.recipe import RECIPES, Recipe, read_recipe


def test_a_recipe_is_read_to_the_last_field(recipe: Recipe) -> None:
    """Nested tables become records, whole numbers become floats where floats belong."""
    assert recipe.network.convolutions == (Convolution(filters=4, width=3, stride=2),)
    assert recipe.features.hop == 800
    assert recipe.silence_db == -75.0
    assert recipe.features.chroma is not None
    assert recipe.features.chroma.memories_s == (0.5,)
    assert recipe.acoustics.takes == 1
    assert recipe.acoustics.noise_snr_db == (-2.0, 25.0)
    assert recipe.loss.concordance == 0.5


def test_every_shipped_recipe_can_be_read() -> None:
    """Each file in the package, by its name; its network is no larger than a model may be."""
    names = [path.stem for path in RECIPES.glob("*.toml")]
    assert "hybrid-4" in names
    for name in names:
        recipe = read_recipe(name)
        assert recipe.network.coefficients == recipe.features.coefficients
        assert recipe.fit.epochs > 0


#: Where the makers of the shipped models work.
MAKERS = Path(__file__).resolve().parents[2] / "makers"


def test_every_shipped_variant_can_be_read() -> None:
    """Each is another recipe or is told less, but for the first; no two come to the same.

    They may be trained for fewer epochs, all for as many.
    """
    pytest.importorskip("torch", reason="experiments need the extra `train`")
    from makers.variants import read_ablations

    paths = list(MAKERS.glob("*.toml"))
    assert paths
    for path in paths:
        variants = read_ablations(path).values()
        made = [(read_recipe(path.stem, variant.changes), variant.unheard) for variant in variants]
        epochs = {recipe.fit.epochs for recipe, _ in made}
        assert len(epochs) == 1
        assert made[0] == (read_recipe(path.stem, {"fit.epochs": epochs.pop()}), ())
        assert len(set(made)) == len(made) > 5


def test_changes_by_dotted_name(recipe_file: Path) -> None:
    """``--set`` changes a field, an inner table, a table that the file leaves out."""
    changed = read(
        str(recipe_file),
        [
            "fit.epochs=5",
            "network.convolutions=[[6,5,1],[4,3,2]]",
            "loss.sides=2.5",
            "seed = 9",
        ],
    )
    assert (changed.fit.epochs, changed.seed) == (5, 9)
    assert changed.network.convolutions == (Convolution(6, 5, 1), Convolution(4, 3, 2))
    assert changed.loss.sides == 2.5
    assert changed.features == read_recipe(recipe_file).features
    assert read_recipe(recipe_file).music is not None
    gone = {"music": None, "network.gate": False}
    assert read_recipe(recipe_file, gone).music is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs = 3", "epoch = 3", "recipe.fit has an unknown field 'epoch'"),
        ("epochs = 3", 'epochs = "3"', "recipe.fit.epochs must be of type int"),
        ("epochs = 3", "epochs = 3.5", "recipe.fit.epochs must be of type int"),
        ("movement = true", "movement = 1", "recipe.network.movement must be of type bool"),
        ("dropout = 0.2", "dropout = true", "recipe.fit.dropout must be of type float"),
        ("hop = 800", "hop = 0", "hop must be between 32 and 65536"),
        ("lstm = 8", "lstm = 99999", "layer sizes must be between 1 and 4096"),
        ("silence_db = -75.0", "", "recipe lacks 'silence_db'"),
        ("lstm = 8", "", "recipe.network lacks 'lstm'"),
        ("seed = 7", "seeed = 7", "recipe has an unknown field 'seeed'"),
        ("seed = 7", "seed = ", "cannot be read"),
        ("[loss]", "[losses]", "recipe has an unknown field 'losses'"),
        ("[[4, 3, 2]]", "[[4, 3]]", "recipe.network.convolutions must hold lists of"),
        ("[[4, 3, 2]]", "[4, 3, 2]", "recipe.network.convolutions must hold lists of"),
        ('window = "hamming"', 'window = "round"', "window must be one of"),
    ],
)
def test_a_wrong_recipe_is_a_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Unknown fields, wrong types, values out of range: the file and the field are named."""
    path = tmp_path / "wrong.toml"
    assert old in RECIPE
    path.write_text(RECIPE.replace(old, new))
    with pytest.raises(DatasetError) as error:
        read_recipe(path)
    assert said in str(error.value)
    assert "wrong.toml" in str(error.value)


def test_no_recipe(tmp_path: Path) -> None:
    """An unknown name is answered with the shipped ones."""
    with pytest.raises(DatasetError, match=r"there is no recipe mozart: .* hybrid-4"):
        read_recipe("mozart")
    with pytest.raises(DatasetError, match="there is no recipe"):
        read_recipe(tmp_path / "gone.toml")


def test_a_change_of_what_is_no_table(recipe_file: Path) -> None:
    """A dotted name through a number is refused like an unknown field."""
    with pytest.raises(DatasetError, match="seed"):
        read_recipe(recipe_file, {"seed.deep": 1})
