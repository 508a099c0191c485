"""State in Redis or Valkey, by way of django-redis: a hash for each group, written by scripts."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from motia_django import payloads, publish, tracing
from motia_django.exceptions import StoreUnavailable
from motia_django.stores import outbox, packing, scripts
from motia_django.stores.base import MISSING, Audience, Change, Item, StateStore, Write
from motia_django.stores.connection import Connection, Session
from motia_django.stores.packing import Raw

logger = logging.getLogger("motia.state")

_PATIENCE = 30.0
"""Seconds for which an update is tried that others keep getting in the way of."""
_LONGEST_PAUSE = 0.01


class _Decided(NamedTuple):
    """A write, what the script is to do for it, and the version it is to be done over."""

    write: Write
    operation: str
    text: str | None
    version: int | str
    """`a` for any."""


class _Done(NamedTuple):
    """What the script did for a write."""

    decided: _Decided
    raw: Raw
    version: str
    ended: str
    end_id: str
    id: str

    def end(self) -> Change:
        """Return the deletion of what had expired."""
        return self._change(self.raw, None, self.end_id)

    def change(self) -> Change:
        """Return the change itself."""
        return self._change(None if self.ended == "1" else self.raw, self.decided.text, self.id)

    def _change(self, raw: Raw, text: str | None, id: str) -> Change:
        return Change(
            group=self.decided.write.group,
            key=self.decided.write.key,
            old=MISSING if raw is None else packing.value_within(raw),
            new=MISSING if text is None else payloads.loads(text),
            version=0 if text is None else int(self.version),
            id=id or None,
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
        self.cache = cache
        self._redis = Connection(cache)
        self._left_from = outbox.FIRST

    def client(self) -> Any:
        """Return redis-py's client, for whoever asks Redis about itself."""
        return self._redis.open().client

    def get(self, group: str, key: str) -> Any:
        session = self._redis.open()
        return packing.value_of(session.call("HGET", session.items(group), key))

    def item(self, group: str, key: str) -> Item | None:
        session = self._redis.open()
        return packing.item_of(key, session.call("HGET", session.items(group), key))

    def get_many(self, group: str, keys: Sequence[str]) -> dict[str, Any]:
        raws = _read(self._redis.open(), group, keys)
        values = {key: packing.value_of(raw) for key, raw in raws.items()}
        return {key: value for key, value in values.items() if value is not MISSING}

    def write(self, writes: Sequence[Write], audience: Audience) -> list[Change]:
        if not writes:
            return []
        session = self._redis.open()
        return _told(session, _written(session, writes, audience), audience)

    def items(
        self, group: str, *, after: str | None = None, limit: int | None = None
    ) -> list[tuple[str, Any]]:
        found: dict[str, bytes] = {}
        while True:
            rest = -1 if limit is None else limit - len(found)
            keys, raws = _page(self._redis.open(), group, after, rest)
            for key, raw in zip(keys, raws, strict=True):
                after, text = key.decode(), packing.text_of(raw)
                if text is not None:
                    found[after] = text
            if len(keys) != rest or len(found) == limit:
                return list(zip(found, packing.values_of(found.values()), strict=True))

    def values(self, group: str) -> list[Any]:
        return packing.values_of(packing.texts_of(_page(self._redis.open(), group, None, -1)[1]))

    def groups(self) -> list[str]:
        session = self._redis.open()
        ended = Counter(group for group, _ in _ended(session, -1))
        found = [name.decode() for name in session.call("ZRANGE", session.groups, 0, -1)]
        return [
            group
            for group in found
            if not ended[group] or session.call("HLEN", session.items(group)) > ended[group]
        ]

    def look_after(self, limit: int, audience: Audience) -> int:
        session = self._redis.open()
        ended = _ended(session, limit)
        for group, key in ended:
            end = _Decided(Write(group=group, key=key), "end", None, "a")
            _told(session, _sent(session, [end], audience)[0], audience)
        return max(len(ended), self._tell_left_over(session, limit, audience))

    def drop(self) -> None:
        session = self._redis.open()
        for name in session.call("ZRANGE", session.groups, 0, -1):
            group = name.decode()
            session.call("UNLINK", session.items(group), session.index(group))
        session.call("UNLINK", session.groups, session.expiries, session.outbox)

    def _tell_left_over(self, session: Session, limit: int, audience: Audience) -> int:
        """Tell of changes that nobody was told of; return how many there were.

        What cannot be told of raises, and the next round begins behind it: one change that the
        database refuses, each time, holds nothing up. After the last it begins anew.
        """
        left = outbox.left_over(session, limit, self._left_from)
        for change in left:
            self._left_from = outbox.behind(change)
            outbox.tell(session, [change], audience)
        if len(left) < limit:
            self._left_from = outbox.FIRST
        return len(left)


def _read(session: Session, group: str, keys: Sequence[str]) -> dict[str, Raw]:
    if not keys:
        return {}
    return dict(zip(keys, session.call("HMGET", session.items(group), *keys), strict=True))


def _page(
    session: Session, group: str, after: str | None, limit: int
) -> tuple[list[bytes], list[Raw]]:
    begin = "-" if after is None else f"({after}"
    names = [session.items(group), session.index(group)]
    keys, raws = session.run(scripts.PAGE, names, [begin, limit])
    return keys, raws


def _ended(session: Session, limit: int) -> list[tuple[str, str]]:
    """Return the groups and keys of items that have expired and are still kept."""
    members = session.call(
        "ZRANGEBYSCORE", session.expiries, "-inf", packing.now(), "LIMIT", 0, limit
    )
    pairs = (member.decode().split("\x00") for member in members)
    return [(group, key) for group, key in pairs]


def _written(session: Session, writes: Sequence[Write], audience: Audience) -> list[_Done]:
    """Send the writes until none of those that are computed comes too late."""
    computed = [each.key for each in writes if each.compute is not None]
    seen = _read(session, writes[0].group, computed)
    deadline, pause = time.monotonic() + _PATIENCE, 0.0005
    while True:
        decided = [_decided(each, seen.get(each.key)) for each in writes]
        done, late, there = _sent(session, decided, audience)
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
    session: Session, decided: Sequence[_Decided], audience: Audience
) -> tuple[list[_Done], Write | None, Raw]:
    """Try to do the writes; return what was done, or the write that failed and what is there.

    It fails if the item has not the version that it should.
    """
    group = decided[0].write.group
    arguments = [group, f"{packing.now()} {outbox.packed(tracing.cause())}"]
    for write, operation, text, version in decided:
        expires = "k" if write.keeps_expiry else packing.milliseconds(write.expires_at)
        watched = int(audience.hears(group, write.key))
        arguments += [write.key, text or "", f"{operation} {expires} {version} {watched}"]
    reply = session.run(scripts.WRITE, session.written(group), arguments)
    if isinstance(reply, bytes):
        version = str(packing.version_within(reply) + 1)
        return [_Done(decided[0], reply, version, "0", "", "")], None, None
    if not reply[0]:
        return [], decided[(reply[1] - scripts.HEAD - 1) // scripts.EACH].write, reply[2]
    facts = zip(decided, reply[1::2], reply[2::2], strict=True)
    done = [_Done(each, raw, *told.decode().split(" ")) for each, raw, told in facts]
    return done, None, None


def _told(session: Session, done: Sequence[_Done], audience: Audience) -> list[Change]:
    """Return what the writes did; it is told of when the caller's transaction commits.

    Told is what was read once more: what is returned is the caller's, who may have altered it.
    """
    ends = [each.end() for each in done if each.end_id]
    watched = [*ends, *(each.change() for each in done if each.id)]
    if watched:
        _tell_on_commit(session, watched, audience)
    return [each.change() for each in done]


def _tell_on_commit(session: Session, watched: Sequence[Change], audience: Audience) -> None:
    """Have changes told of; they are made, so whoever made them hears of no error."""
    try:
        publish.after_commit(lambda: outbox.tell(session, watched, audience))
    except Exception:  # the database is away, which is asked whether a transaction is open
        logger.exception("Changes of state cannot be told of now; upkeep will try again")


def _decided(write: Write, seen: Raw) -> _Decided:
    if write.compute is None:
        version = "a" if write.if_version is None else write.if_version
        return _Decided(write, "delete" if write.text is None else "set", write.text, version)
    version = packing.version_of(seen)
    write.check(version)
    return _Decided(write, "set", write.compute(packing.value_of(seen)), version)
