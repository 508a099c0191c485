"""Before deploying: what of the Redis that keeps the state will hurt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.test import override_settings
from redis import Redis as Client

from motia_django.celery_app import project_app
from motia_django.checks.state import state
from tests.factories import installed, make_step
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


def found(url: str, alias: str = "state", **others: Any) -> list[CheckMessage]:
    caches = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        **{name: redis_at(location) for name, location in others.items()},
        alias: redis_at(url),
    }
    with override_settings(CACHES=caches, MOTIA={"STATE": {**STATE, "CACHE": alias}}):
        return list(state())


def redis_at(location: Any) -> dict[str, Any]:
    return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location}


@pytest.fixture
def broker() -> Iterator[Any]:
    """Have Celery send to another broker."""
    conf: Any = project_app().conf
    before = conf.broker_url, conf.broker_write_url

    def use(url: str) -> None:
        conf.broker_url = conf.broker_write_url = url

    yield use
    conf.broker_url, conf.broker_write_url = before


@pytest.mark.parametrize(
    ("alias", "others", "sent_to", "told"),
    [
        ("state", {}, "redis://127.0.0.1:6/1", ""),
        ("state", {"pages": "redis://127.0.0.1:6/2"}, "redis://127.0.0.1/0", ""),
        ("default", {}, "amqp://127.0.0.1:6//", "as the cache 'default':"),
        ("state", {"pages": "redis://:secret@127.0.0.1:6"}, "memory://", "as the cache 'pages':"),
        (
            "state",
            {"pages": ["redis://127.0.0.1:6/0", "redis://127.0.0.1:7/0"]},
            "redis://127.0.0.1:6/0",
            "as the cache 'pages' and Celery's broker:",
        ),
        ("state", {}, "redis://127.0.0.1:6", "as Celery's broker:"),
    ],
)
def test_of_a_database_that_the_state_shares_is_warned(
    broker: Any, alias: str, others: dict[str, Any], sent_to: str, told: str
) -> None:
    broker(sent_to)
    messages = found("redis://127.0.0.1:6/0", alias, **others)
    shared = [each.msg for each in messages if each.id == "motia.W040"]
    assert [told in each and "secret" not in each for each in shared] == [True] * bool(told)


def test_of_a_redis_that_forgets_is_warned(redis: tuple[str, Any]) -> None:
    url, client = redis
    assert found(url) == []
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("save", "")
    assert [message.id for message in found(url)] == ["motia.W031", "motia.W032"]
    client.config_set("maxmemory-policy", "volatile-lru")
    client.config_set("appendonly", "yes")
    assert found(url) == []


def test_atomic_steps_whose_state_is_in_redis_are_a_warning(redis: tuple[str, Any]) -> None:
    with installed(make_step(), make_step(name="Pay", atomic=True)):
        [warning] = [each for each in found(redis[0]) if each.id == "motia.W041"]
        assert "these Steps are atomic: Pay." in warning.msg
    with installed(make_step()):
        assert "motia.W041" not in [each.id for each in found(redis[0])]


def test_a_redis_that_does_not_answer_is_told_of(silent_port: int) -> None:
    for port in (1, silent_port):
        [message] = found(f"redis://127.0.0.1:{port}/0")
        assert message.id == "motia.W030"


def test_where_state_is_not_in_redis_none_is_asked() -> None:
    assert list(state()) == []
    with override_settings(MOTIA={"STATE": {**STATE, "CACHE": "nowhere"}}):
        assert list(state()) == []
