"""How the shipped models are measured and their cards written; nothing of it is in the wheel."""
