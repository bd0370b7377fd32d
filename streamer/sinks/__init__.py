"""Where events go: lines, the history that the dashboard draws, pages, homes, desks, labs."""
