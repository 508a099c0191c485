"""What an async handler costs beside a plain one, and beside one that asgiref runs.

    python -m benchmarks.handlers

The handler reads three items of state from PostgreSQL, or, as `Django's async ORM`, three rows by
`aget`. It is called from plain code, as workers and WSGI servers do: as a `def`, as an `async def`
by `motia_django.loops`, and as one by asgiref's `async_to_sync` and `sync_to_async`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async

from benchmarks import contests
from benchmarks.contests import OURS, Contest, Goal, in_turns, microseconds

PACKAGES = ("asgiref", "django", "psycopg")
PLAIN = "def"
ASGIREF = "asgiref"
READS = 3
CALLS = 300

Act = Callable[[], object]


def measure(repeats: int) -> list[Contest]:
    """Measure calls of the context, and Django's own async queries."""
    _set_up()
    return [_of_the_context(repeats), _of_the_orm(repeats)]


def _of_the_context(repeats: int) -> Contest:
    from motia_django import calls, state
    from motia_django.stores.face import AsyncState

    own = AsyncState(state)

    def plain() -> None:
        for _ in range(READS):
            state.get("g", "k")

    async def awaiting() -> None:
        for _ in range(READS):
            await own.get("g", "k")

    async def by_asgiref() -> None:
        for _ in range(READS):
            await sync_to_async(state.get)("g", "k")

    acts = {
        OURS: lambda: calls.call(awaiting),
        PLAIN: lambda: calls.call(plain),
        ASGIREF: async_to_sync(by_asgiref),
    }
    return _contest("three calls of the context", acts, repeats)


def _of_the_orm(repeats: int) -> Contest:
    from django.contrib.contenttypes.models import ContentType

    from motia_django import calls

    key = ContentType.objects.values_list("pk", flat=True)[0]

    def plain() -> None:
        for _ in range(READS):
            ContentType.objects.get(pk=key)

    async def awaiting() -> None:
        for _ in range(READS):
            await ContentType.objects.aget(pk=key)

    acts: dict[str, Act] = {
        OURS: lambda: calls.call(awaiting),
        PLAIN: lambda: calls.call(plain),
        ASGIREF: async_to_sync(awaiting),
    }
    return _contest("three queries by Django's async ORM", acts, repeats)


def _contest(work: str, acts: dict[str, Act], repeats: int) -> Contest:
    turns = {name: partial(microseconds, act, CALLS) for name, act in acts.items()}
    in_turns(turns, 1)
    figures = in_turns(turns, repeats)
    goals = [Goal(beside=ASGIREF, as_fast=1)]
    return Contest(work=work, unit="µs", figures=figures, goals=goals)


def _set_up() -> None:
    """Set Django up on a PostgreSQL database with an item of state."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    from tests import servers

    own: dict[str, Any] = {"CONN_MAX_AGE": None, "OPTIONS": servers.PREPARED}
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "motia_django"],
        DATABASES={"default": {**servers.postgresql_settings("benchmark_handlers"), **own}},
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)

    from motia_django import state

    state.set("g", "k", {"n": 1})


def main() -> int:
    """Be the command."""
    return contests.run("handlers", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
