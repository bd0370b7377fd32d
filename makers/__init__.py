"""How the shipped models are measured and their cards written; nothing of it is in the wheel."""

import sys
from pathlib import Path

# The studio of the example clip plays here, too: the sounds to train with, and pieces to judge.
sys.path.append(str(Path(__file__).resolve().parent.parent / "examples"))
