"""Documents hold no figure that a command did not write."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from makers.passages import names, replaced
from streamer.network.names import DEFAULT_MODEL
from streamer.training.figures import markdown_table

ROOT = Path(__file__).resolve().parent.parent
CARDS = sorted(path.parent for path in ROOT.glob("models/*/config.json"))


def test_a_passage_is_replaced_between_its_markers() -> None:
    """Only what stands between the two markers changes, and a second time changes nothing."""
    document = "before\n<!-- a:begin -->\nold\n<!-- a:end -->\nafter\n"
    new = replaced(document, {"a": "new \\1 lines\n"})
    assert new == "before\n<!-- a:begin -->\nnew \\1 lines\n<!-- a:end -->\nafter\n"
    assert replaced(new, {"a": "new \\1 lines"}) == new
    assert names(new) == ["a"]
    empty = "<!-- a:begin -->\n<!-- a:end -->\n"
    assert replaced(empty, {"a": "text"}) == "<!-- a:begin -->\ntext\n<!-- a:end -->\n"


@pytest.mark.parametrize(
    "document",
    ["nothing here\n", "<!-- a:end -->\n<!-- a:begin -->\n", "<!-- a:begin -->\n" * 2],
)
def test_missing_or_torn_markers_are_refused(document: str) -> None:
    """A passage whose markers are not there once, in order, raises ``ValueError``."""
    with pytest.raises(ValueError, match="one passage 'a'"):
        replaced(document, {"a": "text"})


def test_a_table_lines_its_columns_up() -> None:
    """Every line of a table has the same length and number of cells."""
    lines = markdown_table(["", "long heading"], [["a", "1"], ["longer", "2"]]).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert {line.count("|") for line in lines} == {3}


def test_there_is_a_card_for_every_model() -> None:
    """Every shipped model has a card, metrics, estimates and a reliability plot."""
    assert CARDS
    for directory in CARDS:
        for name in (
            "README.md",
            "metrics.json",
            "out_of_fold.csv.gz",
            "left_out.csv.gz",
            "reliability.png",
        ):
            assert (directory / name).is_file(), f"{directory.name}/{name}"


@pytest.mark.parametrize("directory", CARDS, ids=lambda directory: directory.name)
def test_cards_are_what_the_metrics_say(directory: Path) -> None:
    """Writing every passage of a model card again changes nothing."""
    from makers.card import passages

    card = (directory / "README.md").read_text(encoding="utf-8")
    assert set(names(card)) == set(passages(directory))
    assert replaced(card, passages(directory)) == card


@pytest.mark.parametrize("directory", CARDS, ids=lambda directory: directory.name)
def test_metrics_are_what_the_estimates_say(directory: Path) -> None:
    """Figures of folds, corpora left out and the gate follow from the estimates beside them."""
    import json

    from streamer.training.crossval import rounded
    from streamer.training.figures import five_fold, left_out, music
    from streamer.training.out_of_fold import read_table

    metrics = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))
    rows = read_table(directory / "out_of_fold.csv.gz")
    assert metrics["five_fold"] == rounded(five_fold(rows))
    assert metrics["music"] == rounded(music(rows))
    apart = read_table(directory / "left_out.csv.gz")
    assert metrics["left_out"] == rounded(left_out(apart))


@pytest.mark.parametrize("directory", CARDS, ids=lambda directory: directory.name)
def test_the_hub_reads_a_cards_head(directory: Path) -> None:
    """A card begins with YAML: the terms, and figures that are those of the metrics."""
    import json

    from makers.card import front_matter

    card = (directory / "README.md").read_text(encoding="utf-8")
    assert card.startswith(front_matter(directory))
    _, head, rest = card.split("---\n", 2)
    assert rest.startswith(f"\n# {directory.name}\n")
    read = yaml.safe_load(head)
    assert read["license"] == "cc-by-nc-4.0"
    (model,) = read["model-index"]
    assert model["name"] == directory.name
    five_fold = json.loads((directory / "metrics.json").read_text(encoding="utf-8"))["five_fold"]
    told = {
        metric["name"]: metric["value"]
        for result in model["results"]
        for metric in result["metrics"]
    }
    assert told["arousal CCC, pooled"] == five_fold["pooled"]["arousal"]["ccc"]["mean"]
    assert told["right quadrant"] == five_fold["quadrants"]["quadrant"]["mean"]


@pytest.mark.parametrize(
    ("document", "passage"),
    [
        ("README.md", "headline"),
        ("docs/accuracy.md", "accuracy"),
        ("docs/training.md", "own"),
    ],
)
def test_documents_say_what_the_default_model_does(document: str, passage: str) -> None:
    """Writing the accuracy passages of README and manual again changes nothing."""
    from makers import card

    text = (ROOT / document).read_text(encoding="utf-8")
    assert passage in names(text)
    written = getattr(card, passage)(ROOT / "models" / DEFAULT_MODEL)
    assert replaced(text, {passage: written}) == text
