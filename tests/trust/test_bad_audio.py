"""Sound files that are broken, absurd or hostile: heard or refused in one sentence."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from bad_audio import MEMORY, TIME_S, campaign, fault_of
from line_schema import valid_lines
from sound_seeds import DECODED, JOINED, SEEDS, mutant, seeds

from streamer.cli.main import main


@pytest.mark.slow
def test_hundreds_of_spoilt_files(tmp_path: Path) -> None:
    """Each ends with exit code 0, or 1 and a sentence, in bounded time and memory; no NaN.

    (Every second one starts a decoder's process, which takes most of the time.)
    """
    found = campaign(range(100_000, 100_150), tmp_path)
    assert found.faults == []
    assert found.files == 150
    assert found.heard > 30
    assert found.refused > 30
    assert found.slowest_s < TIME_S


def test_the_mutations_are_many_and_the_same_each_time() -> None:
    """A number names one file for ever; hundreds of numbers give hundreds of files of all kinds."""
    made = seeds()
    spoilt = [mutant(made, number) for number in range(300)]
    assert spoilt[7] == mutant(made, 7)
    assert {name for name, _ in spoilt} == {*SEEDS, *DECODED, *JOINED}
    assert len({content for _, content in spoilt} | set(made.values())) > 290


START, END = b'{"type":"start"}\n', b'{"type":"end","t":1}\n'


@pytest.mark.parametrize(
    ("code", "out", "said"),
    [
        (0, START + b'{"type":"emotion","t":0.5,"valence":NaN}\n' + END, ""),
        (0, START + b'{"type":"emotion","t":0.5,"valence":2}\n' + END, ""),
        (0, START + b'{"type":"emotion","t":2}\n' + END, ""),
        (0, START + END[:-1], ""),
        (0, START, ""),
        (0, b"", ""),
        (1, b"", ""),
        (1, b"", "streamer: one\nstreamer: two\n"),
        (1, b"", "Note: Illegal Audio-MPEG-Header\nstreamer: one\n"),
        (1, b"", "streamer: unexpected KeyError: 'x' (--debug shows where)\n"),
        (-11, b"", ""),
        (2, b"", "streamer: one\n"),
    ],
)
def test_the_judge_notices(code: int, out: bytes, said: str) -> None:
    """What the campaign looks for is found where it is."""
    assert fault_of(code, out, said) is not None
    assert fault_of(1, b"", "streamer: one sentence\n") is None
    assert fault_of(0, START + END, "") is None


def replayed(path: Path | str, model: Path, capture: pytest.CaptureFixture[bytes]) -> Any:
    """Exit code, output and standard error of a replay."""
    code = main(["replay", str(path), "--speed", "max", "--model", str(model)])
    said = capture.readouterr()
    return code, said.out, said.err


def test_words_of_decoders_are_not_passed_on(
    tmp_path: Path, model_directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """libmpg123 comments on a broken MP3 file on standard error: it is not heard."""
    path = tmp_path / "broken.mp3"
    content = bytearray(seeds()["mono.mp3"])
    content[2_000:2_100] = bytes(100)
    path.write_bytes(content)
    # Proof that there is something to hear:
    soundfile.read(path, frames=16_000)
    assert b"Illegal Audio-MPEG-Header" in capfdbinary.readouterr().err
    code, out, said = replayed(path, model_directory, capfdbinary)
    assert (code, b"Illegal" in said) == (0, False)
    assert valid_lines(out)
    os.write(2, b"standard error is as it was")
    assert capfdbinary.readouterr().err == b"standard error is as it was"


@pytest.mark.parametrize("name", ["w64", "rf64", "au", "caf", "flac"])
def test_a_header_that_promises_years(
    tmp_path: Path, model_directory: Path, name: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A length of 2^35 samples and more costs neither memory nor time: what is there is heard."""
    import resource

    path = tmp_path / f"long.{name}"
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000)
    soundfile.write(path, sound, 16_000, format=name.upper())
    content = bytearray(path.read_bytes())
    huge = 1 << 40
    if name == "w64":
        content[16:24] = struct.pack("<Q", huge)
        at = content.find(b"data\xf3\xac") + 16
        content[at : at + 8] = struct.pack("<Q", huge)
    elif name == "rf64":
        content[20:44] = struct.pack("<QQQ", huge, huge, huge)
    elif name == "au":
        content[8:12] = b"\xff\xff\xff\xfe"
    elif name == "caf":
        at = content.find(b"data") + 4
        content[at : at + 8] = struct.pack(">Q", huge)
    else:
        content[21] |= 0x0F
        content[22:26] = b"\xff\xff\xff\xff"
    assert content != path.read_bytes()
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    code, out, said = replayed(path, model_directory, capfdbinary)
    assert fault_of(code, out, said.decode()) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < MEMORY
    if code == 0:
        assert valid_lines(out)[-1]["t"] <= 1.1


@pytest.mark.parametrize("rate", [1, 4_294_967_295])
def test_a_rate_beyond_belief(
    tmp_path: Path, model_directory: Path, rate: int, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """One sample a second, or four thousand million, is a wrong header."""
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.zeros(1_000), 16_000)
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", rate)
    path.write_bytes(content)
    code, out, said = replayed(path, model_directory, capfdbinary)
    assert (code, out) == (1, b"")
    assert fault_of(code, out, said.decode()) is None


@pytest.mark.skipif(os.name != "posix", reason="file names are text there")
def test_a_file_name_that_is_no_text(
    tmp_path: Path, model_directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A name with bytes that are not UTF-8 is heard; its line is UTF-8 none the less."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    soundfile.write(os.fsencode(path), np.zeros(16_000), 16_000)
    code, out, said = replayed(path, model_directory, capfdbinary)
    assert (code, said) == (0, b"")
    assert valid_lines(out)[0]["source"]["name"].endswith("caf\ufffd.wav")
    code, out, said = replayed(path.replace("caf", "none"), model_directory, capfdbinary)
    assert (code, out) == (1, b"")
    assert said.startswith(b"streamer: no such file: ")


def test_a_file_name_that_steers_terminals(
    tmp_path: Path, model_directory: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Escape codes and line ends in a name are written out: one sentence, one line."""
    path = tmp_path / "a\x1b]0;owned\x07\x1b[2J\nb.wav"
    for content in (None, b"no sound", seeds()["s16.wav"][:20_000]):
        if content is not None:
            path.write_bytes(content)
        _, out, said = replayed(path, model_directory, capfdbinary)
        assert said.count(b"\n") == 1
        assert said.startswith(b"streamer: ")
        assert b"\x1b" not in said + out
        assert b"\x07" not in said + out
