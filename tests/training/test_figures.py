"""The figures of a table, worked by hand; their form, held by the schema that is shipped."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from streamer.errors import DatasetError
from streamer.training.crossval import write_metrics
from streamer.training.figures import evaluation_text, five_fold, five_fold_text, summarised
from streamer.training.out_of_fold import Row, by_song, read_table, write_table

SCHEMA = json.loads(
    resources.files("streamer.training").joinpath("metrics.schema.json").read_text("utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)


def song_rows(
    predictor: str, seed: int, name: str, level: float, said: float, seconds: int = 20
) -> Iterator[Row]:
    """Labels of a song that rise slowly, estimates that are off by ``said`` and rise with them."""
    for half in range(1, 2 * seconds + 1):
        t = half / 2
        label = level + 0.004 * t
        estimate = label + said
        yield Row(
            predictor, seed, 0, "songs", name, t, estimate, -estimate, 0.1, 0.2, label, -label
        )


@pytest.fixture
def rows() -> list[Row]:
    """Two songs with labels judged by two seeds and the baselines, and two clips."""
    found: list[Row] = []
    for seed, off in ((3, 0.1), (5, 0.2)):
        found += song_rows("network", seed, "a", 0.3, off)
        found += song_rows("network", seed, "b", -0.4, off)
        for clip, (v, a), sides in (("c", (0.4, 0.3), (1, 1)), ("d", (0.1, -0.3), (0, 0))):
            found.append(
                Row(
                    "network", seed, 1, "clips", clip, -1.0, v, a, 0.2, 0.2,
                    2 * sides[0] - 1, 2 * sides[1] - 1, *sides,
                )
            )  # fmt: skip
    for name, off in (("constant", 0.0), ("ridge", 0.15)):
        for song, level in (("a", 0.3), ("b", -0.4)):
            for row in song_rows(name, 0, song, level, off):
                held = {"valence": 0.0, "arousal": 0.0} if name == "constant" else {}
                found.append(dataclasses.replace(row, **held, valence_sd=0.0, arousal_sd=0.0))
    return found


def test_pooled_and_per_song(rows: list[Row]) -> None:
    """RMSE is the offset, its deviation over seeds that of the offsets; labels up to 2 s wait."""
    figures = five_fold(rows)
    assert figures["seeds"] == [3, 5]
    assert (figures["songs"], figures["labels"]) == (2, 2 * 36)
    for axis in ("valence", "arousal"):
        spread = {"mean": pytest.approx(0.15), "sd": pytest.approx(np.std([0.1, 0.2], ddof=1))}
        assert figures["pooled"][axis]["rmse"] == spread
        assert figures["per_song"][axis]["rmse"] == spread
        assert figures["pooled"][axis]["r"]["mean"] == pytest.approx(1)
        assert figures["per_song"][axis]["r"] == {
            "mean": pytest.approx(1),
            "sd": pytest.approx(0, abs=1e-9),
        }
        assert figures["song_means"][axis]["r"]["mean"] == pytest.approx(1)
        # The labels: two bands .7 apart, each rising by .004 a second.
        variance = 0.35**2 + 0.004**2 * np.var(np.arange(2.5, 20.5, 0.5))
        concordances = [2 * variance / (2 * variance + off**2) for off in (0.1, 0.2)]
        assert figures["pooled"][axis]["ccc"]["mean"] == pytest.approx(np.mean(concordances))
        constant = figures["baselines"]["constant"]
        assert constant["pooled"][axis]["ccc"] == pytest.approx(0, abs=1e-9)
        assert constant["pooled"][axis]["r"] is None
        assert figures["baselines"]["ridge"]["pooled"][axis]["rmse"] == pytest.approx(0.15)


def test_figures_on_the_raters_own_zero(rows: list[Row]) -> None:
    """What is off by the same everywhere agrees perfectly, where other folds tell by how much.

    A fold's own labels have no say in its shift.
    """
    folded = [dataclasses.replace(row, fold=int(row.song == "b")) for row in rows]
    found = five_fold(folded)["own_zero"]
    for axis in ("valence", "arousal"):
        assert found[axis]["ccc"]["mean"] == pytest.approx(1)
        assert found[axis]["rmse"]["mean"] == pytest.approx(0, abs=1e-9)
    off = [
        dataclasses.replace(row, valence=row.valence + 0.1 * (row.song == "b")) for row in folded
    ]
    # Each song is moved as far as the other one needs: both are wrong by .1.
    assert five_fold(off)["own_zero"]["valence"]["rmse"]["mean"] == pytest.approx(0.1)


def test_movement_counts_long_excerpts(rows: list[Row]) -> None:
    """Only excerpts of 15 s and more have an r within, with an interval that holds it."""
    figures = five_fold(rows)["movement"]["valence"]
    assert figures["n"] == 2
    assert figures["r"]["mean"] == pytest.approx(1)
    assert figures["low"]["mean"] <= figures["r"]["mean"] + 1e-9
    short = [row for row in rows if row.t <= 10]
    assert five_fold(short)["movement"]["valence"] == {"n": 0, "r": None, "low": None, "high": None}


def test_calibration_counts_labels_inside(rows: list[Row]) -> None:
    """At off = .1 and .2 with sd .1: inside 50 % (.067) neither, inside 90 % (.164) the first."""
    figures = five_fold(rows)["calibration"]
    assert figures["valence"]["inside_50"]["mean"] == 0
    assert figures["valence"]["inside_90"] == {"mean": 0.5, "sd": pytest.approx(0.7071, abs=1e-4)}
    # sd .2: off .1 lies inside 50 % (.135), and both inside 90 % (.329).
    assert figures["arousal"]["inside_50"]["mean"] == 0.5
    assert figures["arousal"]["inside_90"]["mean"] == 1
    # Half of the labels are +v -a, half -v +a: base rates of a half each.
    rates = {name: value["mean"] for name, value in figures["base_rates"].items()}
    assert rates == {"happy": 0, "tense": 0.5, "sad": 0, "calm": 0.5}
    assert figures["brier_base"]["mean"] == pytest.approx(0.5)
    assert 0 <= figures["brier"]["mean"] < 0.5


def test_confusion_adds_up(rows: list[Row]) -> None:
    """Shares over labelled and found quadrants are 1 together, and right ones on the diagonal."""
    shares = five_fold(rows)["confusion"]
    assert sum(cell["mean"] for row in shares.values() for cell in row.values()) == pytest.approx(1)
    assert shares["calm"]["calm"]["mean"] == shares["tense"]["tense"]["mean"] == 0.5


def test_over_time_looks_around_each_second(rows: list[Row]) -> None:
    """The labels within half a second; none, where no excerpt is that long."""
    figures = five_fold(rows)["over_time"]
    assert list(figures) == ["1", "2", "5", "10", "20"]
    assert figures["5"]["labels"] == 6
    assert figures["20"]["labels"] == 4
    assert figures["5"]["valence"]["mean"] > 0.9
    short = [row for row in rows if row.t <= 10]
    assert five_fold(short)["over_time"]["20"] == {"labels": 0, "valence": None, "arousal": None}


def test_quadrants_and_sides(rows: list[Row]) -> None:
    """One of two clips is in the right quadrant; with the fold's middle as the border, both."""
    figures = five_fold(rows)["quadrants"]
    assert figures["clips"] == 2
    assert figures["quadrant"]["mean"] == 0.5
    assert {axis: side["mean"] for axis, side in figures["sides"].items()} == {
        "valence": 0.5,
        "arousal": 1,
    }
    assert figures["centred"]["quadrant"]["mean"] == 1
    assert figures["r"]["arousal"]["mean"] == pytest.approx(1)


def test_the_form_of_the_metrics(rows: list[Row], tmp_path: Path) -> None:
    """What the command writes is valid, wherever the songs come from; parts are kept apart."""
    Draft202012Validator.check_schema(SCHEMA)
    path = tmp_path / "metrics.json"
    dynamic = [row for row in rows if row.t >= 0]
    clips = [row for row in rows if row.t < 0]
    for part in (dynamic, clips, rows):
        write_metrics(path, "five_fold", five_fold(part))
        VALIDATOR.validate(json.loads(path.read_text()))
    write_metrics(path, "streams", {"stream_s": 12.3456789})
    record = json.loads(path.read_text())
    VALIDATOR.validate(record)
    assert record["streams"] == {"stream_s": 12.3457}
    ccc = record["five_fold"]["pooled"]["arousal"]["ccc"]
    assert set(ccc) == {"mean", "sd"}
    assert 0.9 < ccc["mean"] < 1
    for damage in ("pooled", "baselines", "seeds"):
        broken = json.loads(path.read_text())
        del broken["five_fold"][damage]
        del broken["five_fold"]["quadrants"]
        with pytest.raises(ValidationError):
            VALIDATOR.validate(broken)
    record["five_fold"]["pooled"]["valence"]["ccc"] = 0.99
    with pytest.raises(ValidationError):
        VALIDATOR.validate(record)
    # A file of metrics is written whole or not at all, and never with a NaN in it.
    with pytest.raises(ValueError, match="JSON"):
        write_metrics(path, "streams", {"stream_s": float("nan")})
    assert json.loads(path.read_text())["streams"] == {"stream_s": 12.3457}
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.json"]


def test_the_shipped_metrics_are_valid() -> None:
    """Every model in the package or the checkout has metrics of this form, with five folds."""
    from streamer.network.names import list_models

    for path in list_models().values():
        record = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
        VALIDATOR.validate(record)
        assert {"pooled", "baselines"} <= set(record["five_fold"])


def test_the_report_names_what_it_shows(rows: list[Row]) -> None:
    """The text that crossval prints has the songs, the baselines' and the network's figures."""
    text = five_fold_text(five_fold(rows))
    assert "Out of fold, 2 songs, 72 labels later than 2 s, 2 seed(s)" in text
    line = next(line for line in text.splitlines() if "arousal RMSE, pooled" in line)
    assert [cell.strip() for cell in line.split("|")[3:5]] == ["0.150", "0.150 ± 0.071"]
    assert "CCC, pooled" in text
    from streamer.training.figures import agreement, calibration

    own = [row for row in rows if row.predictor == "network" and row.t >= 0]
    judged = {"model": "m", "clips": 2, "in_sample": 1} | agreement(own)
    text = evaluation_text(judged | {"calibration": calibration(own)})
    assert text.startswith("m on 2 clips; in_sample: 1 of them were trained on")


def test_means_over_seeds_of_what_is_known() -> None:
    """A figure that some seed lacks is the mean of the others; one that all lack is null."""
    assert summarised([{"r": None, "n": 4}, {"r": 0.5, "n": 4}]) == {
        "r": {"mean": 0.5, "sd": 0.0},
        "n": 4,
    }
    assert summarised([{"r": None}, {"r": None}]) == {"r": None}


numbers = st.floats(-2, 2).map(lambda value: round(value, 4) + 0.0)
table_rows = st.builds(
    Row,
    st.sampled_from(["network", "ridge"]),
    st.integers(0, 9),
    st.integers(0, 4),
    st.text(max_size=8, alphabet=st.characters(blacklist_categories=["C", "Z"])),
    st.text(max_size=8, alphabet="abc,\"'; é"),
    *[numbers] * 7,
    st.integers(-1, 1),
    st.integers(-1, 1),
)


@given(found=st.lists(table_rows, max_size=5))
def test_a_table_survives_the_disk(
    found: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Rows with numbers to four places come back as they went; the same rows, the same bytes."""
    path = tmp_path_factory.mktemp("table") / "deep" / "rows.csv.gz"
    write_table(path, found)
    assert read_table(path) == found
    before = path.read_bytes()
    write_table(path, iter(found))
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["rows.csv.gz"]


def test_a_damaged_table_is_a_sentence(tmp_path: Path, rows: list[Row]) -> None:
    """Missing, cut off, of other columns: ``DatasetError`` with the file's name."""
    path = tmp_path / "rows.csv.gz"
    with pytest.raises(DatasetError, match=r"rows\.csv\.gz cannot be read"):
        read_table(path)
    write_table(path, rows)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DatasetError, match=r"rows\.csv\.gz cannot be read"):
        read_table(path)


def test_rows_of_a_song_stay_together(rows: list[Row]) -> None:
    """Songs are told apart by dataset and name, in the order in which they come."""
    songs = by_song([row for row in rows if row.seed == 3])
    assert [song[0].song for song in songs] == ["a", "b", "c", "d"]
    assert sum(map(len, songs)) == 82
