"""Replays spoilt sound files by the thousand, in a process with bounds on time and memory.

Run as a program it is that process: numbers of files in on standard input, JSON lines out.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Bounds of one file: seconds of wall clock, and bytes of memory beyond what a good file needs.
TIME_S, MEMORY = 20, 256 << 20


@dataclass
class Findings:
    """What came of the files."""

    files: int = 0
    heard: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    memory: int = 0
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The figures in a few lines."""
        return (
            f"{self.files} files: {self.heard} heard (exit 0), {self.refused} refused in one "
            f"sentence (exit 1), {len(self.faults)} faults; slowest {self.slowest_s:.2f} s, "
            f"peak memory of the process {self.memory / 1e6:.0f} MB"
        )


def campaign(numbers: Sequence[int], folder: Path) -> Findings:
    """Replay the spoilt files of these numbers; a file at which the process dies is a fault."""
    found = Findings()
    left = list(numbers)
    while left:
        told = 0
        for result in _results(left, folder):
            told += 1
            found.files += 1
            found.memory = max(found.memory, result["memory"])
            found.slowest_s = max(found.slowest_s, result["seconds"])
            found.heard += result["code"] == 0
            found.refused += result["code"] == 1
            if result["fault"]:
                found.faults.append(
                    f"file {result['number']} ({result['name']}): {result['fault']}"
                )
        if told < len(left):
            found.files += 1
            found.faults.append(f"file {left[told]}: the process died or hung at it")
        left = left[told + 1 :]
    return found


def _results(numbers: Sequence[int], folder: Path) -> Iterator[dict[str, Any]]:
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(list(numbers)))
        process.stdin.close()
        yield from map(json.loads, process.stdout)


def fault_of(code: int, out: bytes, said: str) -> str | None:
    """What is wrong with the way a replay ended, if anything."""
    sentences = said.splitlines()
    if code not in (0, 1):
        return f"exit code {code}: {said[:300]}"
    if "Traceback" in said or "unexpected" in said:
        return said[-300:]
    if any(not sentence.startswith("streamer: ") for sentence in sentences):
        return f"foreign words on standard error: {said[:300]}"
    if len(sentences) > 1 or (code == 1 and not sentences):
        return f"{len(sentences)} sentences with exit code {code}: {said[:300]}"
    if out or code == 0:
        return _fault_of_lines(out)
    return None


def _fault_of_lines(out: bytes) -> str | None:
    def refuse(name: str) -> float:
        raise ValueError(f"{name} in a line")

    try:
        lines = [json.loads(line, parse_constant=refuse) for line in out.decode().splitlines()]
        kinds = [line["type"] for line in lines]
        if not out.endswith(b"\n") or kinds[0] != "start" or kinds[-1] != "end":
            return f"not a whole session: {kinds[:1]} to {kinds[-1:]}"
        for line in lines:
            for name in ("valence", "arousal"):
                if line.get(name) is not None and not -1 <= line[name] <= 1:
                    return f"{name} {line[name]}"
            for name in ("t", "seconds", "valence_sd", "arousal_sd", "duration_s"):
                value = line.get(name, line.get("source", {}).get(name))
                if value is not None and not (value >= 0 and math.isfinite(value)):
                    return f"{name} {value}"
        times = [line["t"] for line in lines[1:]]
        if times != sorted(times):
            return "time goes back"
    except (ValueError, KeyError, IndexError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _serve(folder: Path) -> None:
    """In the child: replay one file after the other and tell what came of each."""
    numbers = json.loads(sys.stdin.read())
    tell = os.fdopen(os.dup(1), "w", buffering=1)
    complain = os.fdopen(os.dup(2), "w", buffering=1)
    from small_network import random_weights, small_config
    from sound_seeds import mutant, seeds

    from streamer.cli.main import main
    from streamer.network.model import save_model

    model = folder / "model"
    save_model(model, small_config(), random_weights(small_config()))
    made = seeds()
    outputs = [tempfile.TemporaryFile(dir=folder) for _ in range(2)]  # noqa: SIM115
    for descriptor, file in enumerate(outputs, 1):
        os.dup2(file.fileno(), descriptor)
    options = ["--speed", "max", "--model", str(model), "--interval", "0.1"]

    def replay(path: Path, *more: str) -> tuple[int, bytes, str]:
        for file in outputs:
            file.seek(0)
            file.truncate()
        code = main(["replay", str(path), *options, *more])
        sys.stderr.flush()
        texts = [os.pread(file.fileno(), 64 << 20, 0) for file in outputs]
        return code, texts[0], texts[1].decode(errors="replace")

    # Everything that a good file needs is imported before the bound is set.
    for name, content in made.items():
        path = folder / f"good.{name}"
        path.write_bytes(content)
        code, out, said = replay(path)
        if (code, said, _fault_of_lines(out)) != (0, "", None):
            print(f"{name}: {code} {said}", file=complain)
            sys.exit(1)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))

    for number in numbers:
        name, content = mutant(made, number)
        path = folder / f"bad.{name}"
        path.write_bytes(content)
        # The default action: a decoder that hangs in C ends with the process.
        signal.alarm(TIME_S)
        begun = time.monotonic()
        # One in four begins later: files are searched in another way than they are read.
        code, out, said = replay(path, *(["--start-at", "0.3"] if number % 4 == 0 else []))
        seconds = time.monotonic() - begun
        signal.alarm(0)
        result = {
            "number": number,
            "name": name,
            "code": code,
            "seconds": seconds,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "fault": fault_of(code, out, said.replace(str(folder), "")),
        }
        print(json.dumps(result), file=tell)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]
    _serve(Path(sys.argv[1]))
