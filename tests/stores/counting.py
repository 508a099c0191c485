"""Many processes that count in one item of state at once; run by test_processes.py.

    python -m tests.stores.counting '{"database": {...}, "redis": null, "increments": 100}'

writes in JSON what came of it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

PROCESSES = 8
FEW = 10
ADD = [{"type": "increment", "path": "n"}]


def main() -> None:
    """Set Django up, let the processes do each of the things, and write what is there."""
    given = json.loads(sys.argv[1])
    _set_up(given["database"], given["redis"])
    from motia_django import state

    def counted(name: str, work: Callable[[], int]) -> None:
        succeeded = in_processes(work)
        found[name] = [succeeded, (state.get("g", name) or {}).get("n")]

    found: dict[str, Any] = {}
    counted("alone", lambda: _count(given["increments"]))
    counted("in transactions", _count_in_transactions)
    counted("by version", _count_by_version)
    counted("watched", _count_watched)
    found["heard"] = _heard()
    sys.stdout.write(json.dumps(found))


def in_processes(work: Callable[[], int]) -> int:
    """Do work in many processes at once; return the sum of what it returns."""
    from django.db import connections

    connections.close_all()
    reader, writer = os.pipe()
    children = []
    for _ in range(PROCESSES):
        child = os.fork()
        if not child:
            _do_and_exit(work, writer)
        children.append(child)
    os.close(writer)
    codes = [os.waitpid(child, 0)[1] for child in children]
    assert not any(codes), "a process failed; its error is above"
    with os.fdopen(reader) as told:
        return sum(map(int, told.read().split()))


def _do_and_exit(work: Callable[[], int], writer: int) -> None:
    try:
        os.write(writer, f"{work()}\n".encode())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _count(increments: int) -> int:
    from motia_django import state

    for _ in range(increments):
        state.update("g", "alone", ADD)
    return increments


def _count_in_transactions() -> int:
    """Count in transactions that have read before; return how many of them committed."""
    from django.db import OperationalError, transaction

    from motia_django import state

    committed = 0
    for _ in range(FEW):
        try:
            with transaction.atomic():
                state.get("g", "in transactions")
                state.update("g", "in transactions", ADD)
            committed += 1
        except OperationalError:
            continue
    return committed


def _count_by_version() -> int:
    """Read, compute and write if nobody else has; return how often that was so."""
    from motia_django import state
    from motia_django.exceptions import VersionConflict

    written = 0
    for _ in range(FEW):
        item = state.get_item("g", "by version")
        value, version = ({"n": 0}, 0) if item is None else (item.value, item.version)
        try:
            state.set("g", "by version", {"n": value["n"] + 1}, if_version=version)
            written += 1
        except VersionConflict:
            continue
    return written


def _count_watched() -> int:
    from motia_django import state

    with _watching():
        for _ in range(FEW):
            state.update("g", "watched", ADD)
    return FEW


def _watching() -> Any:
    from motia_django import state_changed
    from tests.factories import installed, make_step

    return installed(make_step(lambda change: None, state_changed("g"), name="Watch"))


def _heard() -> list[list[int]]:
    """Return the old and new counts that runs were born of, sorted."""
    from motia_django.models import Run

    inputs: Any = Run.objects.values_list("input", flat=True)
    pairs = [
        [(each[name] or {"n": 0})["n"] for name in ("oldValue", "newValue")] for each in inputs
    ]
    return sorted(pairs)


def _set_up(database: dict[str, Any], redis: str | None) -> None:
    import django
    from celery import Celery
    from django.conf import settings
    from django.core.management import call_command

    backend = "motia_django.stores.redis.RedisState"
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "motia_django"],
        DATABASES={"default": database},
        CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis or ""}},
        MOTIA={"STATE": {"BACKEND": backend}} if redis else {},
        USE_TZ=True,
    )
    django.setup()
    from motia_django import celery_app

    celery_app._app = Celery("project", broker="memory://", set_as_current=True)
    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    main()
