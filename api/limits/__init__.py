"""Limits at a terminal: shown, changed, applied from a file, rehearsed."""
