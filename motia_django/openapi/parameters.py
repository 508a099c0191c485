"""The parameters of an http Step: in its path, its query and its headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from motia_django.openapi.components import Components
from motia_django.triggers import HttpTrigger

_TOLD_ELSEWHERE = ("accept", "authorization", "content-type")
_ABOUT_KEYS = "A text of the client's own. A request that is repeated with it has one effect."
_KEY = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"}
_VERSIONS = {
    "If-Match": "Only if it still has one of these versions.",
    "If-None-Match": "Only if it has none of these versions.",
    "If-Modified-Since": "Only if it was changed later.",
    "If-Unmodified-Since": "Only if it was not changed later.",
}
_NOT_OF_PARAMETERS = ("description", "readOnly", "writeOnly")


def path_parameters(
    trigger: HttpTrigger, variables: Sequence[str], components: Components
) -> Iterator[dict[str, Any]]:
    """Yield the parameters of a path that calls them `variables`, in order.

    The Steps of one path may each call them otherwise.
    """
    parts = components.parts(trigger.params_schema) if trigger.params_schema else {}
    properties = parts.get("properties", {})
    for variable, name in zip(variables, trigger.parameters, strict=True):
        schema = properties.get(name, {"type": "string"})
        yield _parameter("path", variable, schema, required=True)


def query_parameters(trigger: HttpTrigger, components: Components) -> Iterator[dict[str, Any]]:
    """Yield what the query may hold, as its schema and its descriptions say."""
    described = dict(trigger.query_params)
    if trigger.query_schema is not None:
        parts = components.parts(trigger.query_schema)
        for name, schema in parts.get("properties", {}).items():
            text = described.pop(name, "")
            required = name in parts.get("required", ())
            yield _parameter("query", name, schema, required=required, description=text)
        rest = parts.get("additionalProperties")
        if isinstance(rest, Mapping):
            schema = {"type": "object", "additionalProperties": rest}
            yield {"in": "query", "name": "others", "schema": schema, "explode": True}
    for name, text in described.items():
        yield _parameter("query", name, {"type": "string"}, description=text)


def header_parameters(trigger: HttpTrigger, components: Components) -> Iterator[dict[str, Any]]:
    """Yield the headers that the Step reads; OpenAPI tells some of them elsewhere."""
    if trigger.headers_schema is None:
        return
    parts = components.parts(trigger.headers_schema)
    for field, schema in parts.get("properties", {}).items():
        name = field.replace("_", "-").title()
        if name.lower() not in _TOLD_ELSEWHERE:
            yield _parameter("header", name, schema, required=field in parts.get("required", ()))


def repeat_parameters(trigger: HttpTrigger) -> Iterator[dict[str, Any]]:
    """Yield the header by which a client says that it asks the same again."""
    if trigger.idempotency is not None:
        name, required = trigger.idempotency.header, trigger.idempotency.required
        yield _parameter("header", name, _KEY, required=required, description=_ABOUT_KEYS)


def version_parameters(trigger: HttpTrigger) -> Iterator[dict[str, Any]]:
    """Yield the headers by which a client says which version it knows."""
    if trigger.etag:
        for name, text in _VERSIONS.items():
            yield _parameter("header", name, {"type": "string"}, description=text)


def _parameter(
    place: str,
    name: str,
    schema: Mapping[str, Any],
    *,
    required: bool = False,
    description: str = "",
) -> dict[str, Any]:
    description = description or str(schema.get("description", ""))
    return {
        "in": place,
        "name": name,
        "schema": {k: v for k, v in schema.items() if k not in _NOT_OF_PARAMETERS},
        **({"required": True} if required else {}),
        **({"description": description} if description else {}),
    }
