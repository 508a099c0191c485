"""Does each operation on one store, ours and by hand in turns, and prints what each took.

    python -m benchmarks.contenders.state.turns <repeats> <store>

The database, or the Redis, is in the environment.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from statistics import median
from typing import Any

from benchmarks.contenders.state import by_hand
from benchmarks.contenders.state.by_hand import VALUE, Act
from benchmarks.contests import OURS, Contest, Goal, in_turns, microseconds

BY_HAND = "by hand"
ROUNDS = 7
"""So often each does it in one turn; the turn's figure is the median."""


def contests_on(store: str, repeats: int) -> list[Contest]:
    """Return what each operation takes on a store that is set up and filled."""
    from motia_django import state

    hands = by_hand.with_redis() if store == "redis" else by_hand.with_the_orm()
    add = [{"type": "increment", "path": "n"}]
    ours: dict[str, Act] = {
        "get": lambda: state.get("g", "00500"),
        "set": lambda: state.set("g", "00500", VALUE),
        "update": lambda: state.update("g", "00500", add),
        "list": lambda: state.list("g"),
    }
    return [
        _contest(
            f"{store}: {name if name != 'list' else f'list of {by_hand.ITEMS:,}'}",
            {OURS: ours[name], BY_HAND: hands[name]},
            repeats,
            calls=3 if name == "list" else 50,
        )
        for name in ours
    ]


def _contest(work: str, acts: Mapping[str, Act], repeats: int, calls: int) -> Contest:
    for act in acts.values():
        microseconds(act, calls)
    figures: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(repeats):
        rounds = in_turns(
            {name: partial(microseconds, act, calls) for name, act in acts.items()}, ROUNDS
        )
        for name, values in rounds.items():
            figures[name].append(median(values))
    goals = [Goal(beside=BY_HAND, as_fast=0.77)]
    return Contest(work=work, unit="µs", figures=figures, goals=goals)


def _set_up() -> None:
    """Set Django up with the database, or the Redis, that the environment names."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    redis = os.environ.get("BENCHMARK_REDIS")
    state = {"BACKEND": "motia_django.stores.redis.RedisState"}
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "motia_django"],
        DATABASES={"default": json.loads(os.environ["BENCHMARK_DATABASE"])},
        CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis or ""}},
        USE_TZ=True,
        MOTIA={"STATE": state} if redis else {},
    )
    django.setup()
    call_command("migrate", verbosity=0)


def main(repeats: str, store: str) -> None:
    """Print the contests as JSON."""
    _set_up()
    from motia_django import state

    values: dict[str, Any] = {key: VALUE for key, _ in by_hand.texts()}
    state.set_many("g", values)
    print(json.dumps([asdict(each) for each in contests_on(store, int(repeats))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
