"""What was counted when it was last looked at; how to count anew is said in `test_costs`."""

from __future__ import annotations

QUERIES = {
    "a request, light": 0,
    "a request, kept": 1,  # as in a test run; in production it is written behind the answer
    "a birth": 1,
    "100 births in a list": 1,
    "a light message": 0,
    "100 light messages in a list": 0,
    "a claim": 1,
    "a finish": 1,
    "a run from its claim to its finish": 2,
    "a light run": 0,
}
"""Statements of each piece of work, on PostgreSQL."""
ELSEWHERE = {
    # It takes no more than 999 values in a statement.
    "sqlite": {"100 births in a list": 3},
    # It does not give back the row that it has changed, so that a run is read before it is claimed.
    "mysql": {"a claim": 2, "a run from its claim to its finish": 3},
}
TAKEN_ON = ("3.11", "5.2")
"""The Python and the Django whose calls are counted here."""
CALLS = {
    "a request, light": 1130,
    "a request, kept": 1391,
    "a birth": 2154,
    "100 births in a list": 88482,
    "a light message": 1039,
    "100 light messages in a list": 26486,
    "a claim": 298,
    "a finish": 209,
    "a run from its claim to its finish": 652,
    "a light run": 78,
}
"""Calls of functions of each piece of work, on SQLite, Django's test client included."""
