"""Before deploying: what of the Redis that keeps the state will hurt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.test import override_settings
from redis import Redis as Client

from motia_django.checks.state import state
from tests.servers.redis import Redis

STATE = {"BACKEND": "motia_django.stores.redis.RedisState"}


@pytest.fixture
def redis(redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """Return the URL of a Redis whose configuration a test may change, and a client of it."""
    server = Redis()
    url = server.start(tmp_path_factory.mktemp("redis"))
    try:
        with Client.from_url(url) as client:
            yield url, client
    finally:
        server.stop()


def found(url: str) -> list[CheckMessage]:
    caches = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}}
    with override_settings(CACHES=caches, MOTIA={"STATE": STATE}):
        return list(state())


def test_of_a_redis_that_forgets_is_warned(redis: tuple[str, Any]) -> None:
    url, client = redis
    assert found(url) == []
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("save", "")
    assert [message.id for message in found(url)] == ["motia.W031", "motia.W032"]
    client.config_set("maxmemory-policy", "volatile-lru")
    client.config_set("appendonly", "yes")
    assert found(url) == []


def test_a_redis_that_does_not_answer_is_told_of(silent_port: int) -> None:
    for port in (1, silent_port):
        [message] = found(f"redis://127.0.0.1:{port}/0")
        assert message.id == "motia.W030"


def test_where_state_is_not_in_redis_none_is_asked() -> None:
    assert list(state()) == []
    with override_settings(MOTIA={"STATE": {**STATE, "CACHE": "nowhere"}}):
        assert list(state()) == []
