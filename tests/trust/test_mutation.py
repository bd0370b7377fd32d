"""The mutation run: what it changes, and that it has something to change everywhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from mutation import ROOT, Mutant, drawn, mutants, subjects

TEXT = '''\
"""Not this."""
from typing import TypeVar

T = TypeVar("T", bound=int)


def f(x: float = 1.5, *, deep: bool = False) -> float | None:
    """Nor this."""
    if x < 3 and not deep:
        raise ValueError(f"{x + 1}")
    x += -2 * x
    print(x)
    assert x < 9
    return sum(zip(x, strict=True))
'''


def applied(text: str, mutant: Mutant) -> str:
    data = text.encode()
    return (data[: mutant.begin] + mutant.new.encode() + data[mutant.end :]).decode()


def test_every_kind_of_place_is_changed_once() -> None:
    """Defaults, conditions, operators, constants, statements; no text, type or assertion."""
    found = [(mutant.old, mutant.new) for mutant in mutants("a.py", TEXT)]
    assert found == [
        ("1.5", "(3.0)"),
        ("False", "(True)"),
        ("x < 3", "(x <= 3)"),
        ("x < 3 and not deep", "(x < 3 or not deep)"),
        ("3", "(4)"),
        ("not deep", "(deep)"),
        ("x += -2 * x", "pass"),
        ("-2", "(2)"),
        ("-2 * x", "(-2 / x)"),
        ("2", "(3)"),
        ("print(x)", "pass"),
        ("return sum(zip(x, strict=True))", "return None"),
    ]


def test_a_change_elsewhere_keeps_the_order() -> None:
    """Each seed has an order of its own, which others' coming, going and moving leave as it is."""
    found = mutants("a.py", TEXT)
    order = [mutant.new for mutant in drawn(found, 0)]
    assert order != [mutant.new for mutant in drawn(found, 1)]
    assert sorted(order) == sorted(mutant.new for mutant in found)
    others = mutants("b.py", TEXT)
    moved = mutants("a.py", "\n\n" + TEXT)
    assert [one.new for one in drawn(others + moved, 0) if one.path == "a.py"] == order


@pytest.mark.parametrize("path", subjects())
def test_mutants_are_other_programs(path: str) -> None:
    """Each mutant of each file is Python and not what it was; the tests named for it are there."""
    text = (ROOT / path).read_text(encoding="utf-8")
    found = mutants(path, text)
    assert len(found) == len(set(found)) > 3
    same = ast.dump(ast.parse(text))
    some = found[::7]
    assert [one for one in some if ast.dump(ast.parse(applied(text, one))) == same] == []
    for test in subjects()[path]:
        file, _, name = test.partition("::")
        assert f"def {name}(" in Path(ROOT, file).read_text() if name else Path(ROOT, file).exists()
