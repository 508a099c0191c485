"""State in Redis or Valkey, by way of django-redis: a hash for each group, written by scripts."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from motia_django import payloads, publish, tracing
from motia_django.exceptions import StoreUnavailable
from motia_django.stores import outbox, packing, scripts
from motia_django.stores.base import MISSING, Audience, Change, Item, StateStore, Write
from motia_django.stores.connection import Connection, Names
from motia_django.stores.packing import Raw

_PATIENCE = 30.0
"""Seconds for which an update is tried that others keep getting in the way of."""
_LONGEST_PAUSE = 0.01


class _Decided(NamedTuple):
    """A write, what the script is to do for it, and the version it is to be done over."""

    write: Write
    operation: str
    text: str | None
    version: int | str
    """Empty for any."""


class _Done(NamedTuple):
    """What the script did for a write."""

    decided: _Decided
    raw: Raw
    ended: int
    version: bytes
    end_id: bytes | None
    id: bytes | None

    def end(self) -> Change:
        """Return the deletion of what had expired."""
        return self._change(self.raw, None, self.end_id)

    def change(self) -> Change:
        """Return the change itself."""
        text = self.decided.text
        change = self._change(None if self.ended else self.raw, text, self.id)
        return replace(change, version=int(self.version)) if text is not None else change

    def _change(self, raw: Raw, text: str | None, id: bytes | None) -> Change:
        return Change(
            group=self.decided.write.group,
            key=self.decided.write.key,
            old=MISSING if raw is None else packing.value_within(raw),
            new=MISSING if text is None else payloads.loads(text),
            id=None if id is None else id.decode(),
            cause=tracing.cause(),
        )


class RedisState(StateStore):
    """A hash for each group, in the Redis of the alias `CACHE` of a django-redis cache.

    A write is one script, made at once and by itself: a rollback of the caller's transaction does
    not undo it. The same script puts a change that somebody watches into an outbox. Its Steps are
    started when the caller's transaction commits, by a row of the ledger that names the change, and
    only then is it taken out; if the process dies before, or the transaction is rolled back, upkeep
    does the same after some seconds. So a change that Redis keeps starts each of its Steps once.

    Raise `StoreUnavailable` where Redis does not answer. A write is sent once, never again by
    itself: whether one that was not answered was made, nobody knows, but its Steps start if it was.
    """

    def __init__(self, *, cache: str = "default") -> None:
        self._redis = Connection(cache)

    def get(self, group: str, key: str) -> Any:
        return packing.value_of(self._redis.call("HGET", self._redis.names().items(group), key))

    def item(self, group: str, key: str) -> Item | None:
        raw = self._redis.call("HGET", self._redis.names().items(group), key)
        return packing.item_of(key, raw)

    def get_many(self, group: str, keys: Sequence[str]) -> dict[str, Any]:
        raws = self._read(group, keys)
        values = {key: packing.value_of(raw) for key, raw in raws.items()}
        return {key: value for key, value in values.items() if value is not MISSING}

    def write(self, writes: Sequence[Write], audience: Audience) -> list[Change]:
        if not writes:
            return []
        return self._told(self._written(writes, audience), audience)

    def items(
        self, group: str, *, after: str | None = None, limit: int | None = None
    ) -> list[tuple[str, Any]]:
        found: dict[str, bytes] = {}
        while True:
            rest = -1 if limit is None else limit - len(found)
            keys, raws = self._page(group, after, rest)
            for key, raw in zip(keys, raws, strict=True):
                after, text = key.decode(), packing.text_of(raw)
                if text is not None:
                    found[after] = text
            if len(keys) != rest or len(found) == limit:
                return list(zip(found, packing.values_of(found.values()), strict=True))

    def values(self, group: str) -> list[Any]:
        return packing.values_of(packing.texts_of(self._page(group, None, -1)[1]))

    def groups(self) -> list[str]:
        names = self._redis.names()
        ended = Counter(group for group, _ in self._ended(names, -1))
        found = [name.decode() for name in self._redis.call("ZRANGE", names.groups, 0, -1)]
        return [
            group
            for group in found
            if not ended[group] or self._redis.call("HLEN", names.items(group)) > ended[group]
        ]

    def look_after(self, limit: int, audience: Audience) -> int:
        names = self._redis.names()
        ended = self._ended(names, limit)
        for group, key in ended:
            end = Write(group=group, key=key)
            self._told(self._sent([_Decided(end, "end", None, "")], audience)[0], audience)
        left = outbox.left_over(self._redis, names, limit)
        outbox.tell(self._redis, names, left, audience)
        return max(len(ended), len(left))

    def _read(self, group: str, keys: Sequence[str]) -> dict[str, Raw]:
        if not keys:
            return {}
        raws = self._redis.call("HMGET", self._redis.names().items(group), *keys)
        return dict(zip(keys, raws, strict=True))

    def _page(self, group: str, after: str | None, limit: int) -> tuple[list[bytes], list[Raw]]:
        names = self._redis.names()
        begin = "-" if after is None else f"({after}"
        keys, raws = self._redis.run(
            scripts.PAGE, [names.items(group), names.index(group)], [begin, limit]
        )
        return keys, raws

    def _ended(self, names: Names, limit: int) -> list[tuple[str, str]]:
        """Return the groups and keys of items that have expired and are still kept."""
        members = self._redis.call(
            "ZRANGEBYSCORE", names.expiries, "-inf", packing.now(), "LIMIT", 0, limit
        )
        pairs = (member.decode().split("\x00") for member in members)
        return [(group, key) for group, key in pairs]

    def _written(self, writes: Sequence[Write], audience: Audience) -> list[_Done]:
        """Send the writes until none of those that are computed comes too late."""
        seen = self._read(writes[0].group, [each.key for each in writes if each.compute])
        deadline, pause = time.monotonic() + _PATIENCE, 0.0005
        while True:
            decided = [_decided(each, seen.get(each.key)) for each in writes]
            done, late, there = self._sent(decided, audience)
            if late is None:
                return done
            late.check(packing.version_of(there))
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"state: {late.group}/{late.key}: each time that it was to be updated somebody"
                    f" else had just written it, for {_PATIENCE:g} seconds"
                )
            seen[late.key] = there
            time.sleep(random.uniform(0, pause))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _sent(
        self, decided: Sequence[_Decided], audience: Audience
    ) -> tuple[list[_Done], Write | None, Raw]:
        """Try to do the writes; return what was done, or the write that failed and what is there.

        It fails if the item has not the version that it should.
        """
        group = decided[0].write.group
        arguments = [group, packing.now(), outbox.packed(tracing.cause())]
        for write, operation, text, version in decided:
            expires = "" if write.keeps_expiry else packing.milliseconds(write.expires_at)
            watched = 1 if audience.hears(group, write.key) else ""
            arguments += [write.key, operation, text or "", expires, version, watched]
        names = self._redis.names()
        reply = self._redis.run(scripts.WRITE, names.written(group), arguments)
        if not reply[0]:
            return [], decided[(reply[1] - scripts.HEAD - 1) // scripts.EACH].write, reply[2]
        facts = (reply[first : first + 5] for first in range(1, len(reply), 5))
        return [_Done(each, *some) for each, some in zip(decided, facts, strict=True)], None, None

    def _told(self, done: Sequence[_Done], audience: Audience) -> list[Change]:
        """Return what the writes did; it is told of when the caller's transaction commits."""
        ends = [each.end() for each in done if each.end_id]
        changes = [each.change() for each in done]
        watched = [each for each in (*ends, *changes) if each.id is not None]
        if watched:
            names = self._redis.names()
            publish.after_commit(lambda: outbox.tell(self._redis, names, watched, audience))
        return changes


def _decided(write: Write, seen: Raw) -> _Decided:
    if write.compute is None:
        version = "" if write.if_version is None else write.if_version
        return _Decided(write, "delete" if write.text is None else "set", write.text, version)
    version = packing.version_of(seen)
    write.check(version)
    return _Decided(write, "set", write.compute(packing.value_of(seen)), version)
