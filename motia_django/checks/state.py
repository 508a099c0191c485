"""Before deploying: what of the Redis that keeps the state will hurt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.core import checks

from motia_django.checks.asking import ask
from motia_django.checks.redis_facts import redis_facts
from motia_django.exceptions import SettingsError
from motia_django.stores import state_store

if TYPE_CHECKING:
    from motia_django.stores.redis import RedisState

Warnings = Iterator[checks.CheckMessage]

NO_REDIS = "motia.W030"
EVICTS_STATE = "motia.W031"
FORGETS_STATE = "motia.W032"


def state() -> Warnings:
    """Warn of what the state's Redis says when it is asked."""
    from motia_django.stores.redis import RedisState

    try:
        store = state_store()
    except SettingsError:
        return  # which is an error of its own
    if isinstance(store, RedisState):
        yield from _asked(store)


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
