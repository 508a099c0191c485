"""The Redis of a django-redis cache, as the store of state talks to it: its keys, its commands."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

import redis
from django.conf import settings as django_settings
from django.core.cache import caches
from redis.exceptions import NoScriptError, RedisError, ResponseError

from motia_django.exceptions import SettingsError, StoreUnavailable, did_you_mean
from motia_django.stores.scripts import Script

_WHERE = 'MOTIA["STATE"]["CACHE"]'
_DJANGO_REDIS = "django_redis.cache.RedisCache"
_NO_NAME = () if redis.VERSION >= (5, 3) else ("_",)
"""What the pools of older versions want to be given, and newer ones do not."""


class Session:
    """A client and its keys, which share the cache's prefix and one hash tag."""

    __slots__ = ("_alias", "_root", "client", "expiries", "groups", "outbox")

    def __init__(self, alias: str, client: Any, prefix: str) -> None:
        self._alias = alias
        self.client = client
        self._root = root = f"{{{prefix}}}"
        self.groups = root + ":groups"
        """A sorted set of the groups that hold an item."""
        self.expiries = root + ":expiries"
        """A sorted set of `group NUL key` by milliseconds."""
        self.outbox = root + ":outbox"
        """A stream of the changes that nobody has been told of yet."""

    def items(self, group: str) -> str:
        """The hash of a group's items."""
        return f"{self._root}:items:{group}"

    def index(self, group: str) -> str:
        """The sorted set of a group's keys."""
        return f"{self._root}:index:{group}"

    def written(self, group: str) -> tuple[str, ...]:
        """All keys that a write may touch."""
        return (self.items(group), self.index(group), self.groups, self.expiries, self.outbox)

    def call(self, *command: Any) -> Any:
        """Send one command, once; return what Redis answers, or raise `StoreUnavailable`."""
        try:
            return _answer(self.client, command)
        except RedisError as error:
            raise self._unavailable(error) from error

    def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script, which Redis may have forgotten."""
        rest = (len(keys), *keys, *arguments)
        try:
            return _answer(self.client, ("EVALSHA", script.sha, *rest))
        except NoScriptError:
            return self.call("EVAL", script.text, *rest)
        except RedisError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: RedisError) -> StoreUnavailable:
        return StoreUnavailable(
            f"state: the Redis of the cache {self._alias!r} (MOTIA['STATE']['CACHE']) did not do"
            f" what it was asked: {type(error).__name__}: {error}"
        )


class Connection:
    """The Redis of one alias of `CACHES`; raise `SettingsError` if it cannot serve."""

    def __init__(self, alias: Any) -> None:
        self._alias = alias
        self._checked: Any = None
        self._check()

    def open(self) -> Session:
        """Return the client as it is for this thread, and the keys with the cache's prefix."""
        if self._checked is not django_settings.CACHES:  # a test has put others in their place
            self._check()
        cache: Any = caches[self._alias]
        return Session(self._alias, _client(cache), str(cache.make_key("motia:state")))

    def _check(self) -> None:
        _check_alias(self._alias)
        _check_pool(self._alias)
        self._checked = django_settings.CACHES


def _client(cache: Any) -> Any:
    return cache.client.get_client(write=True)


def _answer(client: Any, command: Sequence[Any]) -> Any:
    """Send a command and read the answer.

    The client's own way would send it again where it is set up to, and a write that was made
    though its answer was lost would be made twice.
    """
    pool = getattr(client, "connection_pool", None)
    if pool is None:  # of a cluster, which finds the node itself
        return client.execute_command(*command)
    connection = pool.get_connection(*_NO_NAME)
    try:
        connection.send_command(*command)
        return connection.read_response()
    except ResponseError:
        raise
    except BaseException:  # a time limit, say: the next command would be given this one's answer
        connection.disconnect()
        raise
    finally:
        pool.release(connection)


def _check_alias(alias: Any) -> None:
    known = list(django_settings.CACHES or {})
    if alias not in known:
        raise SettingsError(
            f"{_WHERE}: there is no cache {alias!r} in CACHES, only"
            f" {', '.join(map(repr, known)) or 'nothing'}.{did_you_mean(str(alias), known)}"
        )


def _check_pool(alias: str) -> None:
    """Have made what the cache's settings describe, without connecting, and see if it serves.

    It is made by django-redis, redis-py and classes that the settings name: they raise anything.
    """
    try:
        unfit = _unfit(_pool(alias))
    except SettingsError:
        raise
    except Exception as error:
        raise SettingsError(
            f"{_WHERE}: the cache {alias!r} cannot be had: {type(error).__name__}: {error}."
            f" {_example(alias)}"
        ) from error
    if unfit:
        raise SettingsError(
            f"{_WHERE}: the cache {alias!r} has {unfit}: take it out of CONNECTION_POOL_KWARGS, or"
            " name another"
        )


def _pool(alias: str) -> Any:
    """Return where the client has its connections from; None for that of a cluster."""
    cache: Any = caches[alias]
    _check_client(cache, alias)
    return getattr(_client(cache), "connection_pool", None)


def _unfit(pool: Any) -> str | None:
    """Return the option with which connections do not serve, and why."""
    if pool is None:
        return None
    pool.connection_class(**pool.connection_kwargs)
    if pool.connection_kwargs.get("decode_responses"):
        return '"decode_responses", with which Redis gives no bytes'
    if codecs.lookup(pool.connection_kwargs.get("encoding") or "utf-8").name != "utf-8":
        return 'an "encoding" that is not UTF-8, in which not every name can be written'
    if getattr(pool, "cache", None) is not None:
        return '"cache_config", with which a process reads what it has kept, not what is there'
    return None


def _check_client(cache: Any, alias: str) -> None:
    client = getattr(cache, "client", None)
    if not hasattr(client, "get_client"):
        kind = type(cache)
        raise SettingsError(
            f"{_WHERE}: the cache {alias!r} is {kind.__module__}.{kind.__qualname__}, which is not"
            f" django-redis. {_example(alias)}"
        )
    if hasattr(client, "get_server_name"):
        raise SettingsError(
            f"{_WHERE}: the cache {alias!r} is spread over several servers (ShardClient), and a"
            " group of state has to be on one: name a cache with django-redis's default client"
        )


def _example(alias: str) -> str:
    return (
        f'Write CACHES = {{{alias!r}: {{"BACKEND": "{_DJANGO_REDIS}", "LOCATION":'
        ' "redis://127.0.0.1:6379/1"}}'
    )
