"""Streams: items that browsers follow live, and the log that they are told from."""
