"""Change the code a little, one place at a time, and see whether a test notices.

    python tests/trust/mutation.py --count 60 -o mutants.jsonl     # about an hour on one core
    python tests/trust/mutation.py -o mutants.jsonl                # all of them: days; goes on
    python tests/trust/mutation.py --only streamer/audio/ring.py --count 20 -o ring.jsonl
    python tests/trust/mutation.py -o mutants.jsonl --again        # the survivors once more

A mutant is a copy of the checkout in which one comparison, operator, constant, condition or
statement of one file is another. It is killed when one of the tests that belong to that file fails,
or hangs. What does nothing in a program without mistakes is left out by kind: annotations, types,
decorators, the texts of errors, ``assert``, and ``strict`` of ``zip``, which is an assertion too.

The order is drawn by the seed, for each mutant by itself: the first 60 are a fair sample, a longer
run goes on from there, and a change elsewhere moves none of them. Finished ones are in the file of
``-o``, a line each, and are not run twice while their source stays as it is. Exit code 1 where the
tests do not pass unchanged.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[2]
#: Files that are mutated, and the tests that belong to them, the quickest first.
SUBJECTS = {
    "streamer/features/*.py": ("tests/features", "tests/test_tracker.py"),
    "streamer/network/[lhor]*.py": ("tests/network", "tests/test_tracker.py"),
    "streamer/network/[cmn]*.py": (
        "tests/network",
        "tests/cli/test_errors.py::test_a_model_directory_that_is_not_whole",
        "tests/trust/test_hostile_models.py",
    ),
    "streamer/stages.py": (
        "tests/test_tracker.py",
        "tests/test_gate.py",
        "tests/test_pool.py",
        "tests/trust/test_bad_numbers.py",
    ),
    "streamer/tracker.py": (
        "tests/test_tracker.py",
        "tests/test_gate.py",
        "tests/test_pool.py",
        "tests/trust/test_bad_numbers.py",
    ),
    "streamer/audio/ring.py": ("tests/audio/test_ring.py", "tests/audio/test_portaudio.py"),
    "streamer/audio/sample_clock.py": ("tests/audio/test_sample_clock.py",),
    "streamer/audio/resample.py": (
        "tests/audio/test_resample.py",
        "tests/audio/test_validity.py",
        "tests/test_tracker.py",
    ),
    "streamer/analysis/compare.py": ("tests/analysis/test_compare.py",),
    "streamer/training/metrics.py": (
        "tests/training/test_metrics.py",
        "tests/training/test_figures.py",
    ),
}
#: Not what is tested: a mutant of these would be another test.
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build"
)
#: A mutant may fill the memory; PyTorch alone reserves some gigabytes of addresses.
_ADDRESSES_KB = 16 << 20
_LEAST_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Mutant:
    """One change: in ``path``, the text from ``begin`` to ``end`` (in bytes) becomes ``new``.

    ``source`` is a digest of the file that it was made from, ``line`` where it is.
    """

    path: str
    source: str
    line: int
    begin: int
    end: int
    old: str
    new: str

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return f"{self.path}:{self.line}: {self.old} -> {self.new}"


_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
}


def changed(node: ast.AST) -> Iterator[ast.AST | str]:
    """What may stand in the place of a node: one other thing of its kind, or several."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=right):
            other = _COMPARISONS[type(operator)]()
            yield ast.Compare(left, [other], right)
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            yield ast.BinOp(left, _OPERATORS[type(operator)](), right)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.IfExp(test, orelse, body)
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=float() as value):
            yield ast.Constant(value * 2 if value else 1.0)
        case ast.Return(value=ast.Name() | ast.Attribute() | ast.Call()):
            yield "return None"
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Assign(targets=[ast.Attribute()]):
            yield "pass"


def _places(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are code: no annotation, decorator, type, assertion or error message."""
    yield node
    skipped = {"annotation", "returns", "decorator_list", "type_params"}
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "zip":
        skipped = {"keywords"}
    if isinstance(node, ast.Raise | ast.Assert):
        return
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"TypeVar", "cast", "slice"}:
        return
    for name, value in ast.iter_fields(node):
        if name in skipped:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _places(child)


def mutants(path: str, text: str) -> list[Mutant]:
    """Every mutant of a file, in the order of the text."""
    data = text.encode()
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    digest = hashlib.sha256(data).hexdigest()[:12]
    found = []
    for node in _places(ast.parse(text)):
        for other in changed(node):
            begin = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
            end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
            old = data[begin:end].decode()
            # Within an expression, parentheses keep what belongs together.
            new = (
                other
                if isinstance(other, str)
                else f"({ast.unparse(ast.fix_missing_locations(other))})"
            )
            mutant = Mutant(
                path,
                digest,
                node.lineno,
                begin,
                end,
                " ".join(old.split()),
                new,  # type: ignore[attr-defined]
            )
            found.append(mutant)
    return sorted(found, key=lambda mutant: (mutant.begin, mutant.end, mutant.new))


def drawn(found: list[Mutant], seed: int) -> list[Mutant]:
    """Mutants of one file or several in an order that depends on nothing but each and the seed."""
    alike: Counter[tuple[str, str, str]] = Counter()
    places = {}
    for mutant in found:
        kind = (mutant.path, mutant.old, mutant.new)
        alike[kind] += 1  # the first of them in its file, the second, ...
        said = json.dumps([seed, *kind, alike[kind]]).encode()
        places[mutant] = hashlib.sha256(said).digest()
    return sorted(found, key=places.__getitem__)


def subjects() -> dict[str, tuple[str, ...]]:
    """Each file that is mutated, with its tests: those that have its name first."""
    found = {}
    for pattern, tests in SUBJECTS.items():
        for path in sorted(ROOT.glob(pattern)):
            own = f"{tests[0]}/test_{path.stem}.py"
            if path.name != "__init__.py":
                first = (own,) if (ROOT / own).is_file() else ()
                found[path.relative_to(ROOT).as_posix()] = (*first, *tests)
    return found


class Copy:
    """A copy of the checkout in which one file at a time is a mutant."""

    def __init__(self, folder: Path) -> None:
        self.root = shutil.copytree(ROOT, folder / "checkout", ignore=_LEFT_OUT, symlinks=True)
        self.said = folder / "said"  # by the newest run of the tests

    def passes(self, tests: tuple[str, ...], timeout_s: float) -> bool:
        """Whether these tests pass in time."""
        environment = os.environ | {
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        apart = ("live", "wheel", "cluster", "docs", "browser", "slow", "shared")
        command = [
            *("sh", "-c", f'ulimit -v {_ADDRESSES_KB}; exec "$@"', "sh"),
            *(sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"),
            *("-m", " and ".join(f"not {kind}" for kind in apart)),
        ]
        with (
            self.said.open("wb") as said,
            subprocess.Popen(
                [*command, *tests],
                cwd=self.root,
                env=environment,
                stdout=said,
                stderr=said,
                start_new_session=True,
            ) as running,
        ):
            try:
                return running.wait(timeout_s) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                if running.poll() is None:
                    os.killpg(running.pid, signal.SIGKILL)

    def survives(self, mutant: Mutant, tests: tuple[str, ...], timeout_s: float) -> bool:
        """Whether no test notices the mutant."""
        file = self.root / mutant.path
        whole = file.read_bytes()
        try:
            file.write_bytes(whole[: mutant.begin] + mutant.new.encode() + whole[mutant.end :])
            return self.passes(tests, timeout_s)
        finally:
            file.write_bytes(whole)


def finished(out: Path) -> dict[Mutant, bool]:
    """The mutants that an earlier run has tried, and whether they survived."""
    if not out.is_file():
        return {}
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    return {Mutant(**record["mutant"]): record["survived"] for record in records}


def main() -> int:
    """Run what the command line names, and print the figure and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="what is finished, a line each"
    )
    parser.add_argument("--count", type=int, help="how many; default: all")
    parser.add_argument("--seed", type=int, default=0, help="of the order")
    parser.add_argument("--only", action="append", help="this file alone; may be repeated")
    parser.add_argument("--jobs", type=int, default=1, help="copies at once")
    parser.add_argument("--again", action="store_true", help="run the survivors once more")
    chosen = parser.parse_args()
    tests = {path: own for path, own in subjects().items() if path in (chosen.only or subjects())}
    order = [one for path in tests for one in mutants(path, (ROOT / path).read_text("utf-8"))]
    order = drawn(order, chosen.seed)[: chosen.count]
    known = finished(chosen.out)
    todo = [one for one in order if one not in known or (chosen.again and known[one])]
    needed = {tests[one.path] for one in todo}
    with tempfile.TemporaryDirectory() as folder:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(chosen.jobs):
            copies.put(Copy(Path(folder, str(number))))
        timeouts = {}
        for own in sorted(needed):
            copy = copies.get()
            began = time.monotonic()
            if not copy.passes(own, 3600):
                print(copy.said.read_text(errors="replace")[-3000:], file=sys.stderr)
                print(f"the tests do not pass unchanged: {' '.join(own)}", file=sys.stderr)
                return 1
            timeouts[own] = max(_LEAST_TIMEOUT_S, 5 * (time.monotonic() - began))
            copies.put(copy)

        def run(mutant: Mutant) -> None:
            copy, own = copies.get(), tests[mutant.path]
            try:
                known[mutant] = copy.survives(mutant, own, timeouts[own])
            finally:
                copies.put(copy)
            record = {"mutant": asdict(mutant), "survived": known[mutant]}
            with chosen.out.open("a", encoding="utf-8") as out:
                out.write(json.dumps(record) + "\n")
            print("SURVIVED" if known[mutant] else "killed  ", mutant.name, flush=True)

        with ThreadPoolExecutor(chosen.jobs) as pool:
            list(pool.map(run, todo))
    alive = [one for one in order if known[one]]
    share = 1 - len(alive) / len(order)
    print(f"{len(order) - len(alive)} of {len(order)} mutants killed ({share:.0%})")
    for mutant in sorted(alive, key=lambda one: one.name):
        print(" ", mutant.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
