"""Models by name: where they are looked for, without loading one.

Nothing heavy is imported here: a shell that completes a name asks for them, too.
"""

from __future__ import annotations

from pathlib import Path

from streamer.errors import ModelError

#: The model that is used where none is named.
DEFAULT_MODEL = "hybrid-4"


def model_folders() -> list[Path]:
    """Where named models are looked for: in the package, then beside it (a checkout)."""
    package = Path(__file__).resolve().parent.parent
    return [folder for folder in (package / "models", package.parent / "models") if folder.is_dir()]


def list_models() -> dict[str, Path]:
    """The named models that can be found, by name."""
    found: dict[str, Path] = {}
    for folder in model_folders():
        for entry in sorted(folder.iterdir()):
            if (entry / "config.json").is_file():
                found.setdefault(entry.name, entry)
    return found


def directory_of(model: str | Path | None = None) -> Path:
    """The directory of a named model, of the default one for None, or the directory itself.

    Raises ``ModelError`` where there is none.
    """
    wanted = str(model) if model is not None else DEFAULT_MODEL
    named = list_models()
    if wanted in named:
        return named[wanted]
    try:
        there = Path(wanted).is_dir()
    except (OSError, ValueError):  # a name that no file system takes
        there = False
    if not there:
        known = ", ".join(named) or "none"
        raise ModelError(
            f"there is no model {wanted[:200]!r}: name one of {known}, or a model directory"
        )
    return Path(wanted)
