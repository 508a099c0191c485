"""State in this process's memory: the shortest reading of the contract, and for tests."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from threading import RLock
from typing import Any

from django.utils import timezone

from motia_django import payloads
from motia_django.stores.base import MISSING, Audience, Change, Item, StateStore, Write


@dataclass(frozen=True, slots=True)
class _Kept:
    text: str
    version: int
    expires_at: datetime | None

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class MemoryState(StateStore):
    """Keeps JSON text in dicts; gone with the process."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._groups: dict[str, dict[str, _Kept]] = {}
        self._newest = 0

    def get(self, group: str, key: str) -> Any:
        kept = self._there(group).get(key)
        return MISSING if kept is None else payloads.loads(kept.text)

    def item(self, group: str, key: str) -> Item | None:
        kept = self._there(group).get(key)
        if kept is None:
            return None
        value = payloads.loads(kept.text)
        return Item(key=key, value=value, version=kept.version, expires_at=kept.expires_at)

    def get_many(self, group: str, keys: Sequence[str]) -> dict[str, Any]:
        there = self._there(group)
        return {key: payloads.loads(there[key].text) for key in keys if key in there}

    def write(self, writes: Sequence[Write], audience: Audience) -> list[Change]:
        with self._lock:
            now = timezone.now()  # for all of it: no item ends between being read and written
            decided = [self._decide(each, now) for each in writes]
            ends = (self._expire(each.group, each.key, now) for each in writes)
            ended = [end for end in ends if end is not None]
            pairs = zip(writes, decided, strict=True)
            changes = [self._put(each, *decision) for each, decision in pairs]
        _tell([*ended, *changes], audience)
        return changes

    def items(
        self, group: str, *, after: str | None = None, limit: int | None = None
    ) -> list[tuple[str, Any]]:
        there = sorted(self._there(group).items())
        rest = [(key, kept) for key, kept in there if after is None or key > after]
        return [(key, payloads.loads(kept.text)) for key, kept in rest[:limit]]

    def groups(self) -> list[str]:
        with self._lock:
            return sorted(group for group in self._groups if self._there(group))

    def look_after(self, limit: int, audience: Audience) -> int:
        with self._lock:
            now = timezone.now()
            names = [(group, key) for group, items in self._groups.items() for key in items]
            found = (change for name in names if (change := self._expire(*name, now)))
            ends = list(islice(found, limit))
        _tell(ends, audience)
        return len(ends)

    def _there(self, group: str, now: datetime | None = None) -> dict[str, _Kept]:
        now = now or timezone.now()
        with self._lock:
            items = self._groups.get(group, {})
            return {key: kept for key, kept in items.items() if not kept.expired(now)}

    def _expire(self, group: str, key: str, now: datetime) -> Change | None:
        """Delete an item if it has expired; return what is to be told of that."""
        kept = self._groups.get(group, {}).get(key)
        if kept is None or not kept.expired(now):
            return None
        del self._groups[group][key]
        return Change(group=group, key=key, old=payloads.loads(kept.text), new=MISSING)

    def _decide(self, write: Write, now: datetime) -> tuple[Any, str | None]:
        """Return an item's old value and its new text; raise if it is not to be written."""
        kept = self._there(write.group, now).get(write.key)
        write.check(kept.version if kept else 0)
        old = payloads.loads(kept.text) if kept else MISSING
        return old, write.new_text(old)

    def _put(self, write: Write, old: Any, text: str | None) -> Change:
        items = self._groups.setdefault(write.group, {})
        kept = items.pop(write.key, None)
        if text is None:
            return Change(group=write.group, key=write.key, old=old, new=MISSING)
        self._newest = max(self._newest + 1, time.time_ns() // 1000)
        version = kept.version + 1 if kept else self._newest
        expires_at = kept.expires_at if kept and write.keeps_expiry else write.expires_at
        items[write.key] = _Kept(text, version, expires_at)
        new = payloads.loads(text)
        return Change(group=write.group, key=write.key, old=old, new=new, version=version)


def _tell(changes: Sequence[Change], audience: Audience) -> None:
    for each in changes:
        if each.happened and audience.hears(each.group, each.key):
            audience.tell(each)
