"""What was counted when it was last looked at; how to count anew is said in `test_costs`."""

from __future__ import annotations

QUERIES = {
    "a request, light": 0,
    "a request, kept": 1,  # as in a test run; in production it is written behind the answer
    "a request that writes and enqueues": 3,
    "a birth": 1,
    "100 births in a list": 1,
    "a light message": 0,
    "100 light messages in a list": 0,
    "100 births in a list, each of a group of its own": 10,
    "100 births in a list, each with a limit of its own": 10,
    "100 cancels, each of a group of its own": 508,
    "a claim": 1,
    "a finish": 1,
    "a run from its claim to its finish": 2,
    "a light run": 0,
    "an item of state made": 1,
    "an item of state written anew": 3,
}
"""Statements of each piece of work, on PostgreSQL."""
_LOOKED_FOR = {
    "a request that writes and enqueues": 5,
    "an item of state made": 3,
    "an item of state written anew": 2,
}
"""Where an item is looked for before it is made."""
ELSEWHERE = {
    # It takes no more than 999 values in a statement.
    "sqlite": {
        "100 births in a list": 2,
        "100 births in a list, each of a group of its own": 11,
        "100 births in a list, each with a limit of its own": 11,
        **_LOOKED_FOR,
    },
    # It does not give back the row that it has changed, so that a run is read before it is claimed.
    "mysql": {"a claim": 2, "a run from its claim to its finish": 3, **_LOOKED_FOR},
}
TAKEN_ON = ("3.11", "5.2")
"""The Python and the Django whose calls are counted here."""
CALLS = {
    "a request, light": 1130,
    "a request, kept": 1391,
    "a request that writes and enqueues": 5604,
    "a birth": 1221,
    "100 births in a list": 38002,
    "a light message": 947,
    "100 light messages in a list": 26486,
    "100 births in a list, each of a group of its own": 112889,
    "100 births in a list, each with a limit of its own": 113892,
    "100 cancels, each of a group of its own": 582390,
    "a claim": 188,
    "a finish": 175,
    "a run from its claim to its finish": 508,
    "a light run": 58,
    "an item of state made": 2687,
    "an item of state written anew": 1683,
}
"""Calls of functions of each piece of work, on SQLite, Django's test client included."""
