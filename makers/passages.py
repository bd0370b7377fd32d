"""Passages of Markdown files that commands write: tables between two markers.

A passage stands between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``, each on its own line.
Tests write every passage again and compare, so that no figure in a document can grow old unseen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping


def replaced(document: str, passages: Mapping[str, str]) -> str:
    """The document with the passages of these names replaced.

    Raises ``ValueError`` where a name's two markers are not there exactly once, in order.
    """
    for name, text in passages.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        pattern = re.compile(
            f"^{re.escape(begin)}\n.*?^{re.escape(end)}$", re.DOTALL | re.MULTILINE
        )
        if len(pattern.findall(document)) != 1:
            raise ValueError(f"the document must have one passage {name!r} between its markers")
        before, rest = document.split(f"{begin}\n", 1)
        after = rest.split(end, 1)[1]
        document = f"{before}{begin}\n{text.strip()}\n{end}{after}"
    return document


def names(document: str) -> list[str]:
    """The names of the passages of a document, in order."""
    return re.findall(r"^<!-- ([\w-]+):begin -->$", document, re.MULTILINE)
