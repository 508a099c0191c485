"""Measurements of the package with real processes and servers; nothing of it is installed."""
