"""Finished sessions and archives: plots, comparison, annotation."""
