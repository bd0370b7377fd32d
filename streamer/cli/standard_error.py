"""Standard error is ours: C libraries that talk there are not heard."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def libraries_silenced() -> Iterator[None]:
    """Send what C code writes to standard error nowhere; what Python writes goes where it did.

    libmpg123 comments on every fault of a broken MP3 file: in the middle of a dashboard, and where
    one sentence is promised.
    """
    before = sys.stderr
    try:
        before.flush()
        kept = os.dup(2)
        ours = before
        if before.fileno() == 2:
            ours = open(  # noqa: SIM115 - it lives as long as `kept`
                kept, "w", 1, before.encoding, before.errors, closefd=False
            )
    except (OSError, ValueError, AttributeError):  # closed, or no file at all
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = ours
    try:
        yield
    finally:
        ours.flush()
        sys.stderr = before
        os.dup2(kept, 2)
        os.close(kept)
