"""What was counted when it was last looked at; `python -m tests.costs` prints it anew."""

from __future__ import annotations

QUERIES: dict[str, int] = {}
"""Of each piece of work, where the database gives back the row that it has changed."""
MORE_ON_MARIADB: dict[str, int] = {}
"""It does not, so that a run is read before it is claimed."""
TAKEN_ON = ("", "")
"""Python and Django, without what comes after the second number."""
CALLS: dict[str, int] = {}
