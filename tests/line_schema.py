"""JSON lines held against the schema that the package ships."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator

SCHEMA = json.loads(resources.files("streamer").joinpath("schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def valid_lines(output: bytes) -> list[dict[str, Any]]:
    """The objects of a session's lines, each valid, in the order that the schema tells of."""
    assert output.endswith(b"\n")
    lines = [json.loads(line) for line in output.decode("utf-8").splitlines()]
    for line in lines:
        VALIDATOR.validate(line)
    kinds = [line["type"] for line in lines]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert set(kinds[1:-1]) <= {"emotion", "gap"}
    return lines


def emotions(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The emotion lines among them."""
    return [line for line in lines if line["type"] == "emotion"]


def agree(lines: list[dict[str, Any]], others: list[dict[str, Any]]) -> bool:
    """Whether lines are the same but for what blocks of other lengths may move: 1e-5 a number."""
    return len(lines) == len(others) and all(
        line == pytest.approx(other, abs=1e-5)
        if line["type"] != "emotion"
        else {**line, "quadrant_p": None} == pytest.approx({**other, "quadrant_p": None}, abs=1e-5)
        and line["quadrant_p"] == pytest.approx(other["quadrant_p"], abs=1e-4)
        for line, other in zip(lines, others, strict=True)
    )
