"""Where events go: JSON lines, the history that the dashboard draws, other programs."""
