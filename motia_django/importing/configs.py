"""The config of a Step or a stream in TypeScript or JavaScript, in today's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from motia_django import dialects
from motia_django.dialects.loose import without_looseness
from motia_django.importing import zod
from motia_django.importing.expressions import (
    Call,
    Joined,
    Member,
    Name,
    Regex,
    Rest,
    Spread,
    Unread,
)
from motia_django.importing.scopes import Scope
from motia_django.steps import unknown_keys

_BUILDERS = frozenset({"step", "multiTriggerStep"})
_TRIGGERS = {
    "http": ("method", "path"),
    "api": ("method", "path"),
    "queue": ("topic",),
    "event": ("topic",),
    "cron": ("expression",),
    "state": (),
    "stream": ("streamName",),
}
"""The functions that make a trigger, and what their first arguments are."""
_WITH_OPTIONS = frozenset({"http", "api", "queue", "event"})
"""Those that take options before the condition."""
_KINDS = frozenset({"type", "triggers", "subscribes"})
_KEEPING_OUT = ("canAccess:", "onJoin:")
_FUNCTIONS = frozenset({"middleware", "condition", "canAccess", "onJoin", "onLeave"})
_NOT_PLAIN = Name | Member | Unread | Joined | Regex
_NOTHING = object()


@dataclass(slots=True)
class Config:
    """What could be read of a config, and what could not."""

    keys: dict[Any, Any]
    left: list[str] = field(default_factory=list)
    """`triggers.0.middleware: errorHandler`: what a person has to add."""
    is_by_people: bool = False
    is_shut: bool = False
    """Whether a stream has functions that may keep people out, which cannot be read."""


def read(known: Mapping[str, Any], kind: str, name: str) -> Config | None:
    """Return, of a script's constants, the config of a `step` or a `stream`; None without one.

    The name is for one whose own cannot be read.
    """
    found = _found(known)
    if found is None:
        return None
    reader = _Reader(known)
    keys = reader.plain(found, ())
    if "name" not in (*found, *keys) or (kind == "step" and _KINDS.isdisjoint(keys)):
        return None
    if not isinstance(keys.get("name"), str):
        keys["name"] = name
    if kind == "stream":
        is_shut = any(each.startswith(_KEEPING_OUT) for each in reader.left)
        return Config(keys=keys, left=reader.left, is_shut=is_shut)
    if keys.get("type") == "noop":
        return Config(keys=keys, left=reader.left, is_by_people=True)
    config = _modern(keys)
    return Config(keys=config, left=[*reader.left, *_unknown(config)])


def _modern(keys: dict[Any, Any]) -> dict[str, Any]:
    """Return a config in today's words; a raw body is what only old handlers took for granted."""
    if isinstance(keys.get("triggers"), list):
        keys = {**keys, "triggers": [_with_body(each) for each in keys["triggers"]]}
    module = SimpleNamespace(config=keys, handler=_unwritten)
    declared = dialects.modern(module)
    config = dict(declared.config)
    triggers = config.get("triggers")
    if isinstance(triggers, list):
        made = ("rawBody",) if declared.is_old else ()
        config["triggers"] = [_as_said(each, made) for each in triggers]
    return config


def _unknown(config: dict[str, Any]) -> Iterator[str]:
    """Take the keys that no Step has out of a config, and say of each that it was there."""
    for *place, key in unknown_keys(config):
        holder: Any = config
        for part in place:
            holder = holder[part]
        value = zod.shown(holder.pop(key))
        yield f"{'.'.join(map(str, (*place, key)))}: {value} (no key that is known here)"


def _with_body(trigger: Any) -> Any:
    """Return an http trigger whose `input` is called what it is, the schema of its body."""
    is_http = isinstance(trigger, dict) and trigger.get("type") in ("http", "api")
    if not is_http or "input" not in trigger:
        return trigger
    rest = {key: each for key, each in trigger.items() if key != "input"}
    return {"bodySchema": trigger["input"], **rest}


def _as_said(trigger: Any, made: tuple[str, ...]) -> Any:
    """Return a trigger with the schemas that its file says, and without keys that it does not."""
    if not isinstance(trigger, Mapping):
        return trigger
    return {key: without_looseness(each) for key, each in trigger.items() if key not in made}


def _unwritten(input: Any, ctx: Any) -> None:
    """Stand in the place of a handler that is still in another language."""


def _found(known: Mapping[str, Any]) -> dict[Any, Any] | None:
    """Return the config: named so, or given to `step(...)`, or exported in one piece."""
    whole = [known[name] for name in ("config", "stepConfig") if name in known]
    exported = [known[name] for name in ("exports", "default") if name in known]
    parts = [each.get("config", each) for each in exported if isinstance(each, dict)]
    given = [each for value in known.values() for each in _given_to_builder(value)]
    for each in (*whole, *parts, *given):
        value = known.get(each.name) if isinstance(each, Name) else each
        if isinstance(value, dict) and any(
            key == "name" or isinstance(key, Spread) for key in value
        ):
            return value
    return None


def _given_to_builder(value: Any) -> tuple[Any, ...]:
    """Return what `step` was given in `step(config)`, or in `step(config).handle(f)`."""
    while isinstance(value, Call | Member):
        if isinstance(value, Member):
            value = value.of
        elif isinstance(value.function, Name):
            return value.arguments[:1] if value.function.name in _BUILDERS else ()
        else:
            value = value.function
    return ()


class _Reader:
    """Makes plain values of what a source says, and remembers what it cannot."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self.scope = Scope(known)
        self.left: list[str] = []

    def plain(self, value: Any, place: tuple[str, ...]) -> Any:
        """Return a value without names, calls and functions; `_NOTHING` for what is not plain."""
        value = self.scope.resolved(value)
        if isinstance(value, dict):
            return self._object(value, place)
        if isinstance(value, list):
            return self._list(value, place)
        if isinstance(value, Call):
            return self._called(value, place)
        if isinstance(value, _NOT_PLAIN):
            return self._leave(place, zod.shown(value))
        return value

    def _list(self, values: list[Any], place: tuple[str, ...]) -> list[Any]:
        found: list[Any] = []
        for at, each in enumerate(values):
            rest = self.scope.resolved(each.of) if isinstance(each, Rest) else [each]
            if not isinstance(rest, list):
                self._leave((*place, str(at)), zod.shown(each))
                continue
            found += [self.plain(one, (*place, str(at))) for one in rest]
        return [each for each in found if each is not _NOTHING]

    def _object(self, value: dict[Any, Any], place: tuple[str, ...]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, each in value.items():
            if key in _FUNCTIONS:
                if each is not None and each != []:
                    self._leave((*place, key), _in_short(each))
                continue
            plain = self.plain(each, (*place, "..." if isinstance(key, Spread) else str(key)))
            if isinstance(key, Spread):
                found |= plain if isinstance(plain, dict) else {}
            elif plain is not _NOTHING:
                found[key] = plain
        return found

    def _called(self, call: Call, place: tuple[str, ...]) -> Any:
        """Return the trigger, or the schema, that a call makes."""
        name = call.function.name if isinstance(call.function, Name) else ""
        if name in _TRIGGERS and "triggers" in place[:1]:
            return self._trigger(name, call.arguments, place)
        try:
            return _without_marks(zod.schema(self.scope.expanded(call)))
        except (zod.NotPlain, RecursionError) as error:
            shown, why = zod.shown(call), str(error)
            return self._leave(place, shown if why in ("", shown) else f"{shown} ({why})")

    def _trigger(self, kind: str, given: tuple[Any, ...], place: tuple[str, ...]) -> dict[Any, Any]:
        """Return the trigger of `http(method, path, options, condition)` and its likes."""
        words = _TRIGGERS[kind]
        made: dict[Any, Any] = {"type": kind, **dict(zip(words, given, strict=False))}
        for at, each in enumerate(map(self.scope.resolved, given[len(words) :])):
            if isinstance(each, dict):
                made |= each
            elif each is not None:
                is_options = at == 0 and kind in _WITH_OPTIONS
                self._leave((*place, "options" if is_options else "condition"), zod.shown(each))
        return self._object(made, place)

    def _leave(self, place: Iterable[str], what: str) -> Any:
        self.left.append(f"{'.'.join(place) or 'config'}: {what}")
        return _NOTHING


def _in_short(value: Any) -> str:
    shown = [zod.shown(each) for each in value] if isinstance(value, list) else [zod.shown(value)]
    return ", ".join(shown)


def _without_marks(value: Any) -> Any:
    """Return a schema of plain dicts."""
    if isinstance(value, dict):
        return {key: _without_marks(each) for key, each in value.items()}
    return [_without_marks(each) for each in value] if isinstance(value, list) else value
