"""Schemas that are written as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
from django.core.files import File

from motia_django import payloads
from motia_django.declarations import Mismatch
from motia_django.exceptions import InvalidInput, PayloadError
from motia_django.schemas.base import Errors, Schema, dotted


class JsonSchema(Schema):
    """A JSON Schema document; values pass through it unchanged."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = dict(document)
        try:
            jsonschema_rs.meta.validate(self._document)
            self._validator = jsonschema_rs.validator_for(self._document, mask="the value")
        except _BAD_DOCUMENT as error:
            raise Mismatch(f"a valid JSON Schema ({str(error).splitlines()[0]})") from error

    def clean(self, value: Any, subject: str) -> Any:
        errors: Errors = {}
        try:
            for error in self._validator.iter_errors(_files_named(value)):
                path = list(error.instance_path)
                errors.setdefault(dotted(_blamed(path, error)), []).append(error.message)
        except ValueError as not_json:
            errors = {"": [str(not_json)]}
        if errors:
            raise InvalidInput(subject, errors)
        return value

    def dump(self, value: Any, subject: str) -> Any:
        try:
            return self.clean(payloads.plain(value), subject)
        except PayloadError as error:
            raise InvalidInput(subject, {error.path: [error.reason]}) from error

    def json_schema(self, *, of_answers: bool = False) -> dict[str, Any]:
        return self._document


_BAD_DOCUMENT = (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError)


def _files_named(value: Any) -> Any:
    """Return a form with the name of each uploaded file in the file's place: to JSON it is text."""
    if not isinstance(value, dict) or not any(isinstance(each, File) for each in value.values()):
        return value
    return {key: each.name if isinstance(each, File) else each for key, each in value.items()}


def _blamed(path: list[str | int], error: jsonschema_rs.ValidationError) -> list[str | int]:
    """Blame a missing field itself, where JSON Schema blames the object it is missing from."""
    missing = getattr(error.kind, "property", None) if error.kind.name == "required" else None
    return [*path, missing] if isinstance(missing, str) else path
