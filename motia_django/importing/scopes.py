"""What the names in a script stand for: the constants that it declares, or imports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from motia_django.importing.expressions import Call, Joined, Member, Name, Rest, Spread

_MOST_VALUES = 10_000
_FROZEN = Member(Name("Object"), "freeze")


class Scope:
    """Values in the place of names, as far as they are known."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self.known = known
        self._count = 0

    def resolved(self, value: Any) -> Any:
        """Return what a name, or a member of a constant, stands for, as far as it is known.

        Raise `RecursionError` for a script that says too much.
        """
        self._count += 1
        if self._count > _MOST_VALUES:
            raise RecursionError("too many values")
        if isinstance(value, Name):
            found = self.known.get(value.name, value)
            return value if found == value else self.resolved(found)
        if isinstance(value, Member):
            of = self.resolved(value.of)
            is_there = isinstance(of, dict) and value.name in of
            return self.resolved(of[value.name]) if is_there else value
        if isinstance(value, Call) and value.function == _FROZEN and value.arguments:
            return self.resolved(value.arguments[0])
        return self._text(value) if isinstance(value, Joined) else value

    def _text(self, value: Joined) -> str | Joined:
        """Return the text that is joined; the value as it is if it is none, or not all known."""
        first, *others = (self.resolved(each) for each in value.parts)
        is_text = isinstance(first, str) and all(_is_joined(each) for each in others)
        return "".join(map(str, (first, *others))) if is_text else value

    def expanded(self, value: Any) -> Any:
        """Return a value with all names in it resolved, to the last call's last argument."""
        value = self.resolved(value)
        if isinstance(value, dict):
            return self._expanded_object(value)
        if isinstance(value, list):
            return self._expanded_list(value)
        if isinstance(value, Call):
            return Call(self.expanded(value.function), tuple(self._expanded_list(value.arguments)))
        if isinstance(value, Member):
            return Member(self.expanded(value.of), value.name)
        if isinstance(value, Joined):
            return Joined(tuple(map(self.expanded, value.parts)), value.text)
        return value

    def _expanded_list(self, values: Iterable[Any]) -> list[Any]:
        found: list[Any] = []
        for each in values:
            expanded = self.expanded(each.of if isinstance(each, Rest) else each)
            if isinstance(each, Rest):
                found += expanded if isinstance(expanded, list) else [Rest(expanded)]
            else:
                found.append(expanded)
        return found

    def _expanded_object(self, value: dict[Any, Any]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, each in value.items():
            expanded = self.expanded(each)
            if isinstance(key, Spread) and isinstance(expanded, dict):
                found |= expanded
            else:
                found[key] = expanded
        return found


def _is_joined(value: Any) -> bool:
    """Return whether this stands in a text as it stands in a source."""
    return isinstance(value, str | int) and not isinstance(value, bool)
