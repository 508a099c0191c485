"""State in this process's memory: the shortest reading of the contract, and for tests."""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any

from motia_django import payloads
from motia_django.stores.base import MISSING, Change, StateStore


class MemoryState(StateStore):
    """Keeps JSON text in dicts; gone with the process."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._groups: dict[str, dict[str, str]] = {}

    def get(self, group: str, key: str) -> Any:
        text = self._groups.get(group, {}).get(key)
        return MISSING if text is None else payloads.loads(text)

    def write(
        self,
        group: str,
        key: str,
        value: Callable[[Any], Any],
        announce: Callable[[Change], object],
    ) -> Change:
        with self._lock:
            old = self.get(group, key)
            new = value(old)
            change = Change(group=group, key=key, old=old, new=new)
            if new is not MISSING:
                self._groups.setdefault(group, {})[key] = payloads.dumps(new)
            elif old is not MISSING:
                del self._groups[group][key]
        announce(change)
        return change

    def items(self, group: str) -> list[tuple[str, Any]]:
        with self._lock:
            texts = dict(self._groups.get(group, {}))
        return [(key, payloads.loads(text)) for key, text in texts.items()]

    def groups(self) -> list[str]:
        return sorted(group for group, items in self._groups.items() if items)
