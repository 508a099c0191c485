"""A stream: the `config` of one `*_stream.py` file, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motia_django import calls, declarations, dialects
from motia_django.declarations import Mismatch, Problem, Reader, config_reader
from motia_django.dialects import several
from motia_django.schemas import Schema, schema_for
from motia_django.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreamConfig:
    """One stream as its file declares it."""

    name: str
    description: str = ""
    schema: Schema | None = None
    """What an item has to look like."""
    limit: int | None = None
    """How many items a `sync` of a group has at most, those written last; None for all."""
    can_access: Callable[..., Any] | None = None
    """Says of `(subscription, auth)` whether it is admitted; None leaves it to the project."""
    on_join: Callable[..., Any] | None = None
    """Hears of `(subscription, auth)` that is admitted, and may still refuse it."""
    on_leave: Callable[..., Any] | None = None
    """Hears of `(subscription, auth)` that has ended."""
    file: Path
    line: int | None = None
    app: str = ""
    """The label of the Django app it lives in."""


def read_stream(module: Any, file: Path, app: str) -> tuple[StreamConfig | None, list[Problem]]:
    """Read a stream file's module; return the stream, or every problem it has."""
    declared = dialects.modern_stream(module)
    source = Source(file, several.config_name(module))
    reader = config_reader(declared, source, 'Write config = {"name": "..."}.')
    if isinstance(reader, Problem):
        return None, [reader]
    values = _read_config(reader)
    if reader.problems:
        return None, sorted(reader.problems, key=lambda problem: problem.line or 0)
    return StreamConfig(**values, file=file, line=reader.source.line(("name",)), app=app), []


def named_stream(name: str, file: Path, line: int, app: str) -> StreamConfig | None:
    """Return the stream that is declared by its name alone; None for what is no stream's name."""
    try:
        name = declarations.name_up_to(200)(name)
    except Mismatch:
        return None
    return StreamConfig(name=name, file=file, line=line, app=app)


def is_stream_file(file: Path | None) -> bool:
    """Return whether a file is that of a stream, by its name."""
    return file is not None and file.name.endswith(("_stream.py", ".stream.py"))


def _read_config(reader: Reader) -> dict[str, Any]:
    values = {
        "name": reader.take("name", declarations.name_up_to(200)),
        "description": reader.take("description", declarations.any_text, default=""),
        "schema": reader.take("schema", schema_for, default=None),
        "limit": reader.take("limit", _limit, default=None),
        "can_access": reader.take("can_access", _listener, default=None),
        "on_join": reader.take("on_join", _listener, default=None),
        "on_leave": reader.take("on_leave", _listener, default=None),
    }
    reader.take("base_config", _storage, default=None)
    reader.finish("a stream")
    return values


def _limit(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 10**9:
        raise Mismatch("a whole number greater than 0")
    return value


def _listener(value: Any) -> Callable[..., Any]:
    if not callable(value):
        raise Mismatch("a function of (subscription, auth), (subscription) or nothing")
    try:
        calls.arity(value, 2)
    except (TypeError, ValueError) as error:
        raise Mismatch(f"a function of (subscription, auth): {error}") from error
    listener: Callable[..., Any] = value
    return listener


def _storage(value: Any) -> None:
    """Accept what Motia's files say of storage: there is one here, the project's database."""
    names = ("storageType", "storage_type")
    if not isinstance(value, Mapping) or any(key not in names for key in value):
        raise Mismatch('{"storageType": "default"}')
    if any(each != "default" for each in value.values()):
        raise Mismatch('{"storageType": "default"}: streams live in the database')
