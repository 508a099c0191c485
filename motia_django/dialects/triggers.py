"""The triggers that the keys of older dialects describe, as today's words have them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import isclass
from typing import Any

from motia_django.declarations import Mismatch
from motia_django.dialects.declared import Keys, given, listed
from motia_django.dialects.loose import loose
from motia_django.schemas import schema_for

OF_HTTP = ("bodySchema", "responseSchema", "queryParams")
_BRACED = re.compile(r"(?<=/)\{(\w+)\}(?=/|$)")


def http(old: Keys) -> Keys:
    """Return an http trigger. The raw body is kept, since a request had it without being asked."""
    taken: Keys = {"type": "http", "rawBody": True}
    taken |= {key: old[key] for key in ("method", "path", *OF_HTTP) if key in old}
    if "path" in taken:
        taken["path"] = _path(taken["path"])
    if "bodySchema" in taken:
        taken["bodySchema"] = _schema(plain_schema(taken["bodySchema"]))
    if "queryParams" in taken:
        taken["queryParams"] = [_described(each) for each in listed(taken["queryParams"])]
    wrong = [each for each in listed(old.get("middleware")) if not callable(each)]
    if wrong:
        taken["middleware"] = wrong  # for whoever reads it to say so; the others are the handler's
    if isinstance(taken.get("responseSchema"), Mapping):
        taken["responseSchema"] = _by_status(taken["responseSchema"])
    return taken


def queue(topic: Any, old: Keys) -> Keys:
    """Return a queue trigger."""
    name = topic["topic"] if isinstance(topic, Mapping) and "topic" in topic else topic
    taken: Keys = {"type": "queue", "topic": name}
    taken |= {key: old[key] for key in ("input", "config") if key in old}
    if isinstance(taken.get("input"), Mapping):
        taken["input"] = loose(taken["input"])
    if "config" not in taken:
        taken |= _delivery(old.get("infrastructure"))
    return taken


def cron(old: Keys) -> Keys:
    """Return a cron trigger."""
    return given({"type": "cron", "schedule": old.get("cron")})


def plain_schema(declared: Any) -> Any:
    """Return a pydantic model as JSON Schema, so that a handler is given the data as they came."""
    is_model = isclass(declared) and hasattr(declared, "model_json_schema")
    return declared.model_json_schema() if is_model else declared


def _schema(declared: Any) -> Any:
    """Return a schema, or None for a dict that is none: in older dialects nobody looked at it."""
    try:
        if isinstance(declared, Mapping):
            schema_for(declared)
    except Mismatch:
        return None
    return declared


def _by_status(declared: Mapping[Any, Any]) -> Keys:
    """Return the schemas of answers; none where they are not said by status."""
    if not any(str(status).isdecimal() for status in declared):
        return {}
    found = {
        status: loose(schema) if isinstance(schema, Mapping) else schema
        for status, schema in declared.items()
    }
    return {status: schema for status, schema in found.items() if schema is not None}


def _delivery(infrastructure: Any) -> Keys:
    """Return the `config` that `infrastructure` asks for: memory and processors are deployed here.

    Its numbers were 0 where they were left out.
    """
    if not isinstance(infrastructure, Mapping):
        return {}
    queue = _keys(infrastructure.get("queue"))
    retries = {"maxRetries": queue["maxRetries"]} if "maxRetries" in queue else {}
    asked = {key: value for key, value in queue.items() if value} | retries
    limit = _keys(infrastructure.get("handler")).get("timeout")
    if limit:
        asked.setdefault("visibilityTimeout", limit)
    return {"config": asked} if asked else {}


def _keys(value: Any) -> Keys:
    return given(value) if isinstance(value, Mapping) else {}


def _described(value: Any) -> Any:
    """Return a name in the query with its description, and without what else is said of it."""
    if isinstance(value, str):
        return {"name": value}
    fields = value if isinstance(value, Mapping) else getattr(value, "__dict__", value)
    if not isinstance(fields, Mapping):
        return fields
    return {"name": fields.get("name"), "description": str(fields.get("description") or "")}


def _path(value: Any) -> Any:
    """Return a path with the slash that it begins with, and `:name` for what other routers have."""
    if not isinstance(value, str):
        return value
    return _BRACED.sub(r":\1", value if value.startswith("/") else f"/{value}")
