"""Annotated music on disk: three layouts read alike, and every fault told in a sentence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from annotated_music import FEW_CLIPS, FEW_SONGS, song_labels

from streamer.errors import DatasetError
from streamer.training.dataset import FOLDS, read_dataset


def test_excerpts(excerpts: Path) -> None:
    """Second 0 of a file is second ``start_s`` of the clip; labels outside the excerpt are left."""
    dataset = read_dataset(excerpts)
    assert (dataset.name, dataset.dynamic, dataset.folds) == ("songs", True, [0, 1, 2])
    assert len(dataset.clips) == FEW_SONGS
    for number, clip in enumerate(dataset.clips):
        seconds = 6 + number % 3
        assert (clip.song, clip.group, clip.fold) == (f"{number + 1}", f"{number + 1}", number % 3)
        np.testing.assert_allclose(clip.times, np.arange(0.5, seconds + 0.25, 0.5))
        truth = [song_labels(number, t) for t in clip.times]
        np.testing.assert_allclose(clip.labels, truth, atol=1e-4)
        assert clip.sides is None
        assert clip.path.is_file()


def test_clips_with_a_quadrant(quadrant_clips: Path) -> None:
    """Sides follow from the quadrant, tags from the numbers, groups from the artists."""
    dataset = read_dataset(quadrant_clips)
    assert (dataset.dynamic, len(dataset.clips)) == (False, FEW_CLIPS)
    for number, clip in enumerate(dataset.clips):
        valence, arousal = song_labels(number, 0)
        assert clip.sides == (int(valence >= 0), int(arousal >= 0))
        assert clip.tags == pytest.approx((valence, arousal), abs=1e-3)
        assert (clip.group, clip.fold, len(clip.times)) == (f"{number % 6}", number % 3, 0)
    assert {clip.sides for clip in dataset.clips} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_the_original_release(deam: Path) -> None:
    """Files begin at second 0, labels at 15; the songs' folds depend on their names alone."""
    dataset = read_dataset(deam)
    assert [clip.song for clip in dataset.clips] == ["2", "3", "10"]
    for clip in dataset.clips:
        np.testing.assert_allclose(clip.times, [15.0, 15.5, 16.0, 16.5, 17.0])
        truth = [song_labels(int(clip.song), 0)] * 5
        np.testing.assert_allclose(clip.labels, truth, atol=1e-4)
        assert 0 <= clip.fold < FOLDS
    alone = deam.parent / "alone"
    shutil.copytree(deam, alone, ignore=shutil.ignore_patterns("2.mp3", "10.mp3"))
    assert [clip.fold for clip in read_dataset(alone).clips] == [dataset.clips[1].fold]


def line(path: str, number: int, change: Callable[[str], str]) -> Callable[[Path], None]:
    """Spoils one line of a file."""

    def spoil(folder: Path) -> None:
        lines = (folder / path).read_text().splitlines()
        lines[number] = change(lines[number])
        (folder / path).write_text("\n".join(lines) + "\n")

    return spoil


def gone(path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).unlink()


def swapped(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new)


def first_label(cells: str) -> Callable[[str], str]:
    """Puts another song and first label into a row."""
    return lambda text: f"{cells},{text.split(',', 2)[2]}"


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a missing column": (line("excerpts.csv", 0, swapped("fold", "fald")), "no column 'fold'"),
    "a short line": (line("excerpts.csv", 2, swapped(",30.0", "")), "line 3: too few columns"),
    "a word": (
        line("excerpts.csv", 2, swapped("30.0,", "late,")),
        "start_s 'late' is not a number",
    ),
    "no labels": (gone("annotations/valence.csv"), "valence.csv is missing"),
    "no file": (gone("audio/1_30.0.flac"), "names 1_30.0.flac, but the file is missing"),
    "a label of 1.2": (
        line("annotations/arousal.csv", 3, first_label("3,1.2")),
        "sample_15000ms 1.2 is beyond [-1, 1]",
    ),
    "a label that is a word": (
        line("annotations/arousal.csv", 3, first_label("3,loud")),
        "'loud' is not a number",
    ),
    "a label that is NaN": (
        line("annotations/arousal.csv", 3, first_label("3,nan")),
        "'nan' is not a number",
    ),
    "another value": (
        line("annotations/arousal.csv", 3, first_label("2,.9")),
        "song 2 has two values of sample_15000ms",
    ),
    "two columns of one name": (
        line("annotations/arousal.csv", 0, swapped("sample_15500ms", "sample_15000ms")),
        "has two columns 'sample_15000ms'",
    ),
    "decimal commas between commas": (
        line("excerpts.csv", 2, swapped("30.0,", "30,0,")),
        "line 3: more cells than columns",
    ),
    "half a fold": (
        line("excerpts.csv", 2, lambda text: text[:-1] + "1.5"),
        "fold 1.5 is not a whole number",
    ),
    "a fold beyond counting": (
        line("excerpts.csv", 2, lambda text: text[:-1] + "1e300"),
        "fold 1e300 is beyond [-1, 9999]",
    ),
    "no id": (line("annotations/valence.csv", 0, swapped("song_id", "id")), "no column 'song_id'"),
    "elsewhere": (
        line("excerpts.csv", 1, swapped("30.0,6.0", "80.0,6.0")),
        "song 1 has no label between 80.0 and 86.0 s",
    ),
    "twice": (
        line("excerpts.csv", 2, lambda text: "1" + text[text.index(",") :]),
        "names 1 twice",
    ),
    "no songs": (
        lambda folder: (
            (folder / "excerpts.csv").write_text("song_id,path,start_s,duration_s,fold\n") and None
        ),
        "holds no annotated song",
    ),
    "no text": (
        lambda folder: (folder / "excerpts.csv").write_bytes(b"\xff\xfe\x00") and None,
        "cannot be read",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_excerpts_is_a_sentence(excerpts: Path, tmp_path: Path, fault: str) -> None:
    """Missing and mismatched files and numbers: one sentence that names the place."""
    spoil, said = FAULTS[fault]
    folder = tmp_path / "songs"
    shutil.copytree(excerpts, folder)
    spoil(folder)
    with pytest.raises(DatasetError) as error:
        read_dataset(folder)
    assert said in str(error.value)
    assert "songs" in str(error.value)
    assert "\n" not in str(error.value)


def test_faults_of_the_other_layouts(deam: Path, quadrant_clips: Path, tmp_path: Path) -> None:
    """A fifth quadrant, a missing clip, a release without a table or without an annotated song."""
    folder = tmp_path / "clips"
    shutil.copytree(quadrant_clips, folder)
    line("clips.csv", 1, lambda text: text.replace(",Q", ",Q9"))(folder)
    with pytest.raises(DatasetError, match="is none of Q1 to Q4"):
        read_dataset(folder)
    shutil.copytree(quadrant_clips, folder, dirs_exist_ok=True)
    (folder / "audio" / "C3.ogg").unlink()
    with pytest.raises(DatasetError, match=r"C3\.ogg, but the file is missing"):
        read_dataset(folder)
    release = tmp_path / "DEAM"
    shutil.copytree(deam, release)
    for song in ("2", "3", "10"):
        (release / "MEMD_audio" / f"{song}.mp3").rename(release / "MEMD_audio" / f"9{song}.mp3")
    with pytest.raises(DatasetError, match="holds no annotated song"):
        read_dataset(release)
    (next(release.glob("annotations/*/*")) / "valence.csv").unlink()
    with pytest.raises(DatasetError, match=r"valence\.csv is missing"):
        read_dataset(release)


@pytest.mark.parametrize("unannotated", ["no row", "empty row"])
def test_songs_that_nobody_annotated_are_left_out(
    deam: Path, excerpts: Path, tmp_path: Path, unannotated: str
) -> None:
    """One song without labels costs that song alone, and the remark names it."""
    release = tmp_path / "DEAM"
    shutil.copytree(deam, release)
    (release / "MEMD_audio" / "4.mp3").touch()
    table = next(release.glob("annotations/*/*")) / "valence.csv"
    if unannotated == "empty row":
        width = table.read_text().splitlines()[0].count(",")
        table.write_text(table.read_text() + "4" + "," * width + "\n")
    found = read_dataset(release)
    assert [clip.song for clip in found.clips] == ["2", "3", "10"]
    assert found.remarks == (f"{release}: song 4 left out: no annotations",)

    folder = tmp_path / "songs"
    shutil.copytree(excerpts, folder)
    for number in range(2, 9):
        line("annotations/valence.csv", number, lambda text: "99" + text)(folder)
    found = read_dataset(folder)
    assert len(found.clips) == FEW_SONGS - 7
    assert found.remarks == (f"{folder}: songs 2, 3, 4, 5, 6 and 2 more left out: no annotations",)


def test_tables_as_spreadsheets_leave_them(excerpts: Path, deam: Path, tmp_path: Path) -> None:
    """A byte order mark, blanks around names and ids, and ids such as 10.0 read like the plain."""
    for layout in (excerpts, deam):
        plain = read_dataset(layout)
        folder = tmp_path / layout.name
        shutil.copytree(layout, folder)
        for table in folder.rglob("*.csv"):
            head, *rows = table.read_text().splitlines()
            head = ",".join(f" {name} " for name in head.split(","))
            rows = [row.replace(",", ".0 ,", 1) for row in rows]
            table.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8-sig")
        read = read_dataset(folder)
        assert [clip.song for clip in read.clips] == [clip.song for clip in plain.clips]
        for ours, theirs in zip(read.clips, plain.clips, strict=True):
            np.testing.assert_array_equal(ours.labels, theirs.labels)
            assert ours.labels.size


@pytest.mark.parametrize(
    ("encoding", "between", "ends"),
    [("utf-16", "\t", "\r\n"), ("utf-8-sig", ";", "\r\n"), ("utf-8", ";", "\r")],
)
def test_tables_of_other_countries(
    excerpts: Path, deam: Path, tmp_path: Path, encoding: str, between: str, ends: str
) -> None:
    """Semicolons, tabs, decimal commas, UTF-16, quotes, and zeros before a number read alike."""
    for layout in (excerpts, deam):
        plain = read_dataset(layout)
        folder = tmp_path / layout.name
        shutil.copytree(layout, folder)
        for table in folder.rglob("*.csv"):
            rows = [row.split(",") for row in table.read_text().splitlines()]
            for row in rows[1:]:
                row[0] = f'"0{row[0]}"'
                row[1:] = [cell if "/" in cell else cell.replace(".", ",") for cell in row[1:]]
            lines = [between.join([*row, ""]) for row in rows] + [between * 3, ""]
            table.write_bytes(ends.join(lines).encode(encoding))
        read = read_dataset(folder)
        assert [clip.song for clip in read.clips] == [clip.song for clip in plain.clips]
        for ours, theirs in zip(read.clips, plain.clips, strict=True):
            assert (ours.fold, ours.path.name) == (theirs.fold, theirs.path.name)
            np.testing.assert_array_equal(ours.times, theirs.times)
            np.testing.assert_array_equal(ours.labels, theirs.labels)
            assert ours.labels.size


def test_numbers_of_clips_have_their_range(
    quadrant_clips: Path, felt_clips: Path, tmp_path: Path
) -> None:
    """A tag beyond the plane, or a share in percent, is named instead of learnt."""
    clips, felt = tmp_path / "clips", tmp_path / "felt"
    shutil.copytree(quadrant_clips, clips)
    shutil.copytree(felt_clips, felt)
    for folder, column, value, said in (
        (clips, "arousal", "7", r"arousal 7 is beyond \[-1, 1\]"),
        (felt, "joyful_activation", "37", r"joyful_activation 37 is beyond \[0, 1\]"),
    ):
        head, first, *rest = (folder / "clips.csv").read_text().splitlines()
        row = first.split(",")
        row[head.split(",").index(column)] = value
        (folder / "clips.csv").write_text("\n".join([head, ",".join(row), *rest]) + "\n")
        with pytest.raises(DatasetError, match=said):
            read_dataset(folder)


def test_no_dataset(tmp_path: Path) -> None:
    """A folder that is not there, and one that holds none, say what would make them one."""
    with pytest.raises(DatasetError, match="there is no dataset folder"):
        read_dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"no excerpts\.csv, no clips\.csv and no MEMD_audio"):
        read_dataset(tmp_path)


def test_felt_emotions(felt_clips: Path) -> None:
    """Nine shares a clip, and a coarse valence and arousal that follow from them."""
    dataset = read_dataset(felt_clips)
    assert len(dataset.clips) == 6
    assert not dataset.dynamic
    for number, clip in enumerate(dataset.clips):
        valence, arousal = song_labels(number, 0)
        assert clip.felt is not None
        assert len(clip.felt) == 9
        assert clip.sides is None
        assert clip.emotional
        # Joy less sadness is the song's valence; what the other shares add is the same for all.
        others = 0.1 * (1 + 0.5 + 0.5 - 1 - 0.5)
        assert clip.tags == pytest.approx(
            (valence + others, valence + arousal / 2 + 0.3 - 0.1), abs=2e-3
        )


def test_sounds_that_are_no_music(sounds: Path) -> None:
    """Kinds are kept, doubtful ones left out; terms and groups decide what is learnt and held."""
    dataset = read_dataset(sounds)
    assert [clip.kind for clip in dataset.clips] == ["speech", "crowd", "music"] * 2
    assert [clip.learnt for clip in dataset.clips] == [True, False, True, True, True, True]
    assert all(not clip.emotional and -1 <= clip.fold < FOLDS for clip in dataset.clips)
    assert all(fold >= 0 for fold in dataset.folds)


def test_pairs_of_pieces(sounds: Path, tmp_path: Path) -> None:
    """Clips of a pair are learnt from and never held out; half a pair is refused."""
    folder = tmp_path / "sounds"
    shutil.copytree(sounds, folder)
    head, *lines = (folder / "clips.csv").read_text().splitlines()
    assert ",music," in lines[2]
    assert ",music," in lines[5]

    def written(*pairs: str) -> Path:
        ends = dict(zip((2, 5), pairs, strict=True))
        rows = [f"{line},{ends.get(number, ',')}" for number, line in enumerate(lines)]
        (folder / "clips.csv").write_text("\n".join([f"{head},pair,brighter", *rows]) + "\n")
        return folder

    clips = read_dataset(written("thirds,1", "thirds,0")).clips
    assert [clip.pair for clip in clips] == ["", "", "thirds", "", "", "thirds"]
    assert [clip.brighter for clip in clips] == [False, False, True, False, False, False]
    assert [clip.fold for clip in clips if clip.pair] == [-1, -1]
    for wrong in (("thirds,1", "thirds,1"), ("thirds,1", "fifths,0"), ("thirds,1", "thirds,")):
        with pytest.raises(DatasetError, match="pair thirds needs clips with brighter 1"):
            read_dataset(written(*wrong))


def test_hints_beside_a_dataset(excerpts: Path, tmp_path: Path) -> None:
    """``../hints/NAME.npz`` gives each clip its windows; a damaged file is named."""
    folder = tmp_path / "songs"
    shutil.copytree(excerpts, folder)
    assert all(clip.hints is None for clip in read_dataset(folder).clips)
    paths = [f"audio/{path.name}" for path in sorted((folder / "audio").iterdir())]
    windows = np.arange(len(paths)) % 3 + 1
    file = tmp_path / "hints" / "songs.npz"
    file.parent.mkdir()
    embedding = np.arange(64 * windows.sum()).reshape(-1, 64).astype(np.float16)
    np.savez(
        file,
        path=np.array(paths),
        windows=windows,
        embedding=embedding,
        tags=np.full((windows.sum(), 50), 0.25, np.float16),
    )
    found = {clip.path.name: clip.hints for clip in read_dataset(folder).clips}
    for path, count, begin in zip(paths, windows, np.cumsum(windows) - windows, strict=True):
        hints = found[Path(path).name]
        assert hints is not None
        assert hints.shape == (count, 114)
        assert np.array_equal(hints[:, :64], embedding[begin : begin + count])
    whole = file.read_bytes()
    for damaged in (b"nothing", b"", whole[:100], whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"songs\.npz cannot be read as hints"):
            read_dataset(folder)
    for wrong in (np.zeros((3, 64)), np.full((windows.sum(), 64), np.nan)):
        tags = np.zeros((len(wrong), 50))
        np.savez(file, path=np.array(paths), windows=windows, embedding=wrong, tags=tags)
        with pytest.raises(DatasetError, match="114 numbers for each window"):
            read_dataset(folder)
