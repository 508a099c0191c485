"""A module that is included as URLs, and has none."""
