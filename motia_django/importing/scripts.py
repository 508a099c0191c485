"""Steps and streams in TypeScript and JavaScript: the Python that their configs say already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motia_django.importing import configs
from motia_django.importing.folder import kind, printable

SUFFIXES = frozenset({".ts", ".js"})


class _Named:
    """A function, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


_CAN_ACCESS = _Named("can_access")
_ORDER = ("type", "name", "description", "triggers", "enqueues", "flows")
_WIDTH = 88
_MOST_NOTES = 10


def skeleton(known: Mapping[str, Any], file: Path) -> tuple[str, tuple[str, ...]]:
    """Return the Python that a script's constants say, and what a person has to know of it.

    The text is empty if nothing can be derived.
    """
    try:
        config = configs.read(known, kind(file), file.name.split(".")[0])
    except RecursionError:
        config = None
    if config is None:
        return "", (f"{file.suffix[1:]}: to be written in Python; its config cannot be read",)
    left = tuple(f"left to you: {each}" for each in config.left[:_MOST_NOTES])
    more = len(config.left) - len(left)
    notes = (_in_words(config, file), *left, *((f"and {more} more",) if more > 0 else ()))
    return _written(config, file), tuple(map(printable, notes))


def _in_words(config: configs.Config, file: Path) -> str:
    name = config.keys.get("name")
    of = f"{kind(file)} {name!r}" if isinstance(name, str) else kind(file)
    if config.is_shut:
        return f"{of}: nobody may follow it until who may is written in Python"
    if kind(file) == "stream" or config.is_by_people:
        return f"{of}: complete" if not config.left else of
    kinds = [_source(each) for each in config.keys.get("triggers") or () if isinstance(each, dict)]
    return f"{of}: {', '.join(kinds) or 'no trigger'}; its handler is to be written in Python"


def _source(trigger: dict[Any, Any]) -> str:
    words = ("type", "method", "path", "topic", "schedule", "expression", "cron", "streamName")
    return " ".join(str(trigger[key]) for key in words if key in trigger)


def _written(config: configs.Config, file: Path) -> str:
    origin = printable(file)
    keys = dict(sorted(config.keys.items(), key=_place))
    lines = [f"# From {origin}"]
    lines += [f"# Left to you: {printable(each)}" for each in config.left]
    if config.is_shut:
        lines += ["def can_access(subscription, auth):", "    return False", "", ""]
        keys["canAccess"] = _CAN_ACCESS
    text = "\n".join([*lines, f"config = {literal(keys)}"]) + "\n"
    if kind(file) == "stream" or config.is_by_people:
        return text
    return (
        f"{text}\n\nasync def handler({_input(config)}, ctx):\n"
        f"    raise NotImplementedError({_quoted(f'its handler is still in {origin}')})\n"
    )


def _place(entry: tuple[Any, Any]) -> int:
    return _ORDER.index(entry[0]) if entry[0] in _ORDER else len(_ORDER)


def _input(config: configs.Config) -> str:
    triggers = config.keys.get("triggers") or [{}]
    is_http = all(isinstance(each, dict) and each.get("type") == "http" for each in triggers)
    return "request" if is_http else "input"


def literal(value: Any, indent: int = 0) -> str:
    """Return a value as Python writes it, one entry a line where it is long."""
    short = repr(value)
    if len(short) + indent <= _WIDTH or not value or not isinstance(value, dict | list):
        return _quoted(value) if isinstance(value, str) else _plain(value)
    deeper = " " * (indent + 4)
    if isinstance(value, dict):
        entries = [f"{_plain(key)}: {literal(each, indent + 4)}" for key, each in value.items()]
    else:
        entries = [literal(each, indent + 4) for each in value]
    lines = "".join(f"{deeper}{each},\n" for each in entries)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{lines}{' ' * indent}{closing}"


def _plain(value: Any) -> str:
    """Return a value on one line, its texts in double quotes."""
    if isinstance(value, dict):
        entries = (f"{_plain(key)}: {_plain(each)}" for key, each in value.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    shown = repr(text)
    if shown.startswith("'") and '"' not in text:
        return f'"{shown[1:-1]}"'
    return shown
