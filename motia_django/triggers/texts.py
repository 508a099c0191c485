"""Schemas of what comes as text: a query, a path's parameters, headers, a form."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from typing import Any

from motia_django.declarations import Mismatch
from motia_django.exceptions import Inexpressible
from motia_django.schemas import Schema, schema_for

_DEEPEST = 10
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_INTEGER = re.compile(r"[+-]?[0-9]{1,4000}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class TextSchema:
    """A schema of an object whose values come as text and are made what it says they are.

    What cannot be read as that stays text, for the schema to refuse in its own words.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @classmethod
    def declared(cls, value: Any) -> TextSchema:
        """Parse a schema in any of its forms; raise `Mismatch` unless it is one of an object."""
        schema = cls(schema_for(value))
        try:
            kind = schema.object.get("type", "object")
        except Inexpressible as error:
            raise Mismatch(f"a schema that JSON Schema can express ({error})") from error
        if kind != "object":
            raise Mismatch("a schema of an object: a model, a dict, or a serializer")
        return schema

    @cached_property
    def document(self) -> dict[str, Any]:
        """The schema as JSON Schema, references and all."""
        return self.schema.json_schema()

    @cached_property
    def object(self) -> Mapping[str, Any]:
        """The part of it that describes the object itself."""
        return self._resolved(self.document)

    @property
    def properties(self) -> Mapping[str, Any]:
        """The schema of each value that has a name."""
        found: Mapping[str, Any] = self.object.get("properties", {})
        return found

    @property
    def required(self) -> frozenset[str]:
        """The names without which it is invalid."""
        return frozenset(self.object.get("required", ()))

    @property
    def is_flat(self) -> bool:
        """Whether each value can come as text, or as a list of texts."""
        return all(map(self._is_flat, self.properties.values()))

    def within(self, context: Mapping[str, Any]) -> TextSchema:
        """Return the schema for one request; `context` is what its serializers are told of it."""
        schema = self.schema.within(context)
        return self if schema is self.schema else TextSchema(schema)

    def clean(self, values: Mapping[str, Any], subject: str) -> Any:
        """Return the values as the handler gets them; raise `InvalidInput`."""
        return self.schema.clean(self.coerced(values), subject)

    def clean_headers(self, headers: Mapping[str, str], subject: str) -> Any:
        """Return the headers that it names, dashes for underscores; raise `InvalidInput`."""
        found = {name: headers.get(name.replace("_", "-")) for name in self.properties}
        return self.clean({k: v for k, v in found.items() if v is not None}, subject)

    def coerced(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values as numbers, booleans and lists where that is what is asked for."""
        other = self.object.get("additionalProperties")
        rest = other if isinstance(other, Mapping) else {}
        return {k: self._coerced(v, self.properties.get(k, rest)) for k, v in values.items()}

    def _coerced(self, value: Any, wanted: Any) -> Any:
        forms = list(self._forms(wanted))
        kinds = {each.get("type") for each in forms}
        if "array" in kinds and (isinstance(value, list) or "string" not in kinds):
            items = next(each.get("items", {}) for each in forms if each.get("type") == "array")
            many = value if isinstance(value, list) else [value]
            return [self._coerced(each, items) for each in many]
        if not isinstance(value, str) or "string" in kinds:
            return value
        return _read(value, kinds)

    def _is_flat(self, wanted: Any) -> bool:
        forms = list(self._forms(wanted))
        lists = [each for each in forms if each["type"] == "array"]
        texts = [each for each in forms if each["type"] not in ("array", "null", "object")]
        return not forms or bool(texts) or any(self._is_flat(each.get("items")) for each in lists)

    def _forms(self, wanted: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
        """Yield what a value may be, one form after the other."""
        if depth > _DEEPEST:
            return
        found = self._resolved(wanted)
        choices = [each for key in ("anyOf", "oneOf", "allOf") for each in found.get(key, ())]
        for each in choices:
            yield from self._forms(each, depth + 1)
        kinds = found.get("type")
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            if kind is not None:
                yield {**found, "type": kind}

    def _resolved(self, wanted: Any) -> Mapping[str, Any]:
        """Return what a reference into this document stands for."""
        found: Mapping[str, Any] = wanted if isinstance(wanted, Mapping) else {}
        for _ in range(_DEEPEST):
            reference = found.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                break
            found = self.document
            for part in reference[2:].split("/"):
                inner = found.get(part)
                found = inner if isinstance(inner, Mapping) else {}
        return found


@cache
def form_of(schema: Schema) -> TextSchema | None:
    """Return how a form is read for a schema of bodies; None if nothing is known of its fields."""
    form = TextSchema(schema)
    try:
        return form if form.object else None
    except Inexpressible:
        return None


def _read(text: str, kinds: set[Any]) -> Any:
    """Return a text as one of these kinds of JSON, or as it is."""
    if "integer" in kinds and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if "boolean" in kinds and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    return None if "null" in kinds and text in ("", "null") else text
