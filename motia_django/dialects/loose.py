"""Schemas at which nobody looked, where they were declared: what breaks one is told of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motia_django.declarations import Mismatch
from motia_django.exceptions import InvalidInput
from motia_django.loggers import LOGGER
from motia_django.schemas import Schema, schema_for


class LooseSchema(Schema):
    """A JSON Schema that messages, answers and items may break, as in Motia; the log says so."""

    is_loose = True

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = dict(document)
        self._schema = schema_for(document)

    def clean(self, value: Any, subject: str) -> Any:
        try:
            return self._schema.clean(value, subject)
        except InvalidInput as error:
            LOGGER.warning("%s; it is given to the Step all the same", error)
            return value

    def dump(self, value: Any, subject: str) -> Any:
        return self._schema.dump(value, subject)

    def json_schema(self, *, of_answers: bool = False) -> dict[str, Any]:
        return self._schema.json_schema(of_answers=of_answers)


def loose(declared: Mapping[str, Any]) -> LooseSchema | None:
    """Return a schema that may be broken; None for a dict that is no schema."""
    try:
        return LooseSchema(declared)
    except Mismatch:
        return None


def without_looseness(value: Any) -> Any:
    """Return what a file says where a loose schema was made of it."""
    if isinstance(value, Mapping):
        return {key: without_looseness(each) for key, each in value.items()}
    return value.document if isinstance(value, LooseSchema) else value
