"""The long runs, whose figures are printed; CI runs a short form of each.

    python tests/trust/campaign.py bad-audio --count 10000     # about two minutes
    python tests/trust/campaign.py kills --count 300           # about seven minutes
    python tests/trust/campaign.py training --count 20         # about four minutes
    python tests/trust/campaign.py soak --hours 8              # about a minute
    python tests/trust/campaign.py soak --hours 24 --rough     # noise, silence and clipping too
    python tests/trust/campaign.py device --count 100          # about three minutes
    python tests/trust/campaign.py watched --minutes 60        # the dashboard, in real time

Exit code 1 where something was wrong. The environment must be the one that the tests run in.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

# One thread for NumPy's products, as the program itself has it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    kinds = ["bad-audio", "kills", "training", "soak", "device", "watched"]
    parser.add_argument("what", choices=kinds)
    parser.add_argument("--count", type=int, help="how many files, runs or returns")
    parser.add_argument("--begin", type=int, default=0, help="number of the first one")
    parser.add_argument("--hours", type=float, default=8.0, help="hours of sound")
    parser.add_argument("--minutes", type=float, default=60.0, help="minutes in real time")
    parser.add_argument("--rough", action="store_true", help="noise, silence and clipping too")
    parser.add_argument("--model", help="a name or a directory; default: the shipped one")
    chosen = parser.parse_args()
    numbers = range(chosen.begin, chosen.begin + (chosen.count or 0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.what == "soak":
            return _soak(chosen.hours, chosen.rough, chosen.model)
        if chosen.what == "watched":
            return _watched(folder, chosen.minutes, chosen.model)
        if not chosen.count:
            parser.error("--count is missing")
        if chosen.what == "device":
            return _device(folder, chosen.count)
        if chosen.what == "bad-audio":
            from bad_audio import campaign
        elif chosen.what == "kills":
            from kills import campaign  # type: ignore[assignment]
        else:
            from kills_of_training import campaign  # type: ignore[assignment]
        found = campaign(numbers, folder)
    print(found.text())
    for fault in found.faults:
        print(" ", fault)
    return 1 if found.faults else 0


def _soak(hours: float, rough: bool, model: str | None) -> int:
    from soak import soak

    from streamer import load_model

    figures = soak(load_model(model), hours, rough=rough)
    print(figures.text())
    return 0 if figures.finite and not figures.gaps else 1


def _watched(folder: Path, minutes: float, model: str | None) -> int:
    from watched import watched

    figures = watched(minutes, folder, model)
    print(figures.text())
    return 0 if figures.well else 1


def _device(folder: Path, count: int) -> int:
    from small_network import random_weights, small_config
    from soak import comings_and_goings

    from streamer.network.model import save_model

    save_model(folder / "model", small_config(), random_weights(small_config()))
    told = comings_and_goings(folder / "model", folder, count)
    print(*(f"{name}: {value}" for name, value in told.items()), sep="\n")
    return 0 if told["returns"] == count and told["exit"] == 143 else 1


if __name__ == "__main__":
    sys.exit(main())
