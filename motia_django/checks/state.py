"""Before deploying: what of the Redis that keeps the state will hurt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import checks
from django.core.cache import DEFAULT_CACHE_ALIAS as DEFAULT

from motia_django.celery_app import project_app
from motia_django.checks.asking import ask
from motia_django.checks.redis_facts import redis_facts
from motia_django.exceptions import SettingsError, some_of
from motia_django.registry import registry
from motia_django.stores import state_store

if TYPE_CHECKING:
    from motia_django.stores.redis import RedisState

Warnings = Iterator[checks.CheckMessage]

NO_REDIS = "motia.W030"
EVICTS_STATE = "motia.W031"
FORGETS_STATE = "motia.W032"
CROWDS_STATE = "motia.W040"
DIVIDES_STATE = "motia.W041"
_NAMED = 3
"""Steps that a warning names, of many."""


def state() -> Warnings:
    """Warn of what the state's Redis says when it is asked."""
    from motia_django.stores.redis import RedisState

    try:
        store = state_store()
    except SettingsError:
        return  # which is an error of its own
    if isinstance(store, RedisState):
        yield from _shared(store.cache)
        yield from _divided()
        yield from _asked(store)


def _shared(alias: str) -> Warnings:
    """Warn of who else is in the state's database, as far as the settings say it."""
    caches = {name: _places(config.get("LOCATION")) for name, config in settings.CACHES.items()}
    mine = caches[alias]
    others = [f"the cache {name!r}" for name, places in caches.items() if mine & places]
    others = [each for each in others if each != f"the cache {alias!r}" or alias == DEFAULT]
    if mine & _places(project_app().conf.broker_write_url):
        others.append("Celery's broker")
    if others:
        yield _crowded(others)


def _divided() -> Warnings:
    """Warn of Steps that are `atomic`, as if their state were where their runs are."""
    names = [step.name for step in registry() if step.atomic]
    if names:
        yield checks.Warning(
            f"The state is in Redis, and these Steps are atomic: {some_of(names, _NAMED)}. What"
            " they write to state stays if their attempt fails; only the database is undone.",
            hint="Have them write what has to be undone by the ORM, or what may be written twice;"
            " or keep the state in the database. If they do, silence this.",
            id=DIVIDES_STATE,
        )


def _places(location: Any) -> set[tuple[Any, ...]]:
    """Return which databases of which servers a location names, or several."""
    urls = location if isinstance(location, list | tuple) else re.split("[,;]", str(location))
    return {place for each in urls for place in _place(str(each))}


def _place(url: str) -> Iterator[tuple[Any, ...]]:
    from redis import connection

    parse: Any = connection.parse_url
    try:
        parts = parse(url)
    except ValueError:
        return  # which is no address of a Redis
    server = parts.get("path") or (parts.get("host", "localhost"), parts.get("port", 6379))
    yield server, parts.get("db", 0)


def _asked(store: RedisState) -> Warnings:
    try:
        facts = ask(lambda: redis_facts(store.client()))
    except Exception as error:
        yield _no_redis(error)
        return
    if facts.evicts:
        yield _evicts(facts.policy)
    if facts.on_disk is False:
        yield _forgets()


def _crowded(others: list[str]) -> checks.CheckMessage:
    return checks.Warning(
        f"The state is in the same database of Redis as {' and '.join(others)}: what empties that,"
        " such as cache.clear(), empties the state.",
        hint="Give the state a database of its own: an alias in CACHES with another LOCATION, such"
        ' as "redis://127.0.0.1:6379/2", named by MOTIA["STATE"]["CACHE"].',
        id=CROWDS_STATE,
    )


def _no_redis(error: Exception) -> checks.CheckMessage:
    return checks.Warning(
        f"The Redis that keeps the state did not answer: {type(error).__name__}: {error}",
        hint="See that it runs and that LOCATION in CACHES names it. Until then every call of state"
        " raises StoreUnavailable.",
        id=NO_REDIS,
    )


def _evicts(policy: str | None) -> checks.CheckMessage:
    return checks.Warning(
        "The Redis that keeps the state deletes any key when its memory is full (maxmemory-policy"
        f" {policy}): whole groups, and changes whose Steps have not been started.",
        hint="Set maxmemory-policy to noeviction, or give the state a Redis of its own.",
        id=EVICTS_STATE,
    )


def _forgets() -> checks.CheckMessage:
    return checks.Warning(
        "The Redis that keeps the state keeps nothing on disk: a restart of it loses the state.",
        hint="Switch on appendonly in Redis, or silence this if the state may be lost.",
        id=FORGETS_STATE,
    )
