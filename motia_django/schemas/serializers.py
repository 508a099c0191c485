"""Schemas that are serializers of Django REST framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

from rest_framework import serializers
from rest_framework.settings import api_settings

from motia_django import payloads
from motia_django.exceptions import InvalidInput
from motia_django.schemas.base import Errors, Schema, dotted


class SerializerSchema(Schema):
    """A serializer of Django REST framework; the handler gets its `validated_data`.

    It is declared as a class, or made with what is to be known of it: `Item(many=True)`.
    """

    asks_context = reads_forms = True

    def __init__(
        self,
        declared: type[serializers.BaseSerializer[Any]] | serializers.BaseSerializer[Any],
        context: Mapping[str, Any] | None = None,
    ) -> None:
        self._serializer = declared
        self._context = dict(context or {})

    def clean(self, value: Any, subject: str) -> Any:
        serializer = self.made(data=value)
        if not serializer.is_valid():
            errors = serializer.errors
            raise InvalidInput(subject, _serializer_errors(errors), detail=errors)
        return serializer.validated_data

    def dump(self, value: Any, subject: str) -> Any:
        return self._dumped(self.made, value, subject)

    def json_schema(self, *, of_answers: bool = False) -> dict[str, Any]:
        made = self.made()
        named = getattr(made, "child", made)
        return {"title": type(named).__name__, **_serializer_schema(made)}

    def within(self, context: Mapping[str, Any]) -> Schema:
        return SerializerSchema(self._serializer, context)

    def dump_rows(self, rows: Iterable[Any], subject: str) -> list[Any]:
        if isinstance(self._serializer, serializers.ListSerializer):
            return super().dump_rows(rows, subject)
        dumped: list[Any] = self._dumped(partial(self.made, many=True), rows, subject)
        return dumped

    def _dumped(self, made: Callable[..., Any], value: Any, subject: str) -> Any:
        try:
            return payloads.plain(made(value).data)
        except Exception as error:  # a field raises what its Python type does: ArithmeticError, ...
            message = str(error) or type(error).__name__
            raise InvalidInput(subject, {"": [message.splitlines()[0]]}) from error

    def made(self, *args: Any, **options: Any) -> serializers.BaseSerializer[Any]:
        """Return a serializer of its own for one value; its child too, which knows its parent."""
        options["context"] = self._context
        declared: Any = self._serializer
        if not isinstance(declared, type):
            options = {**deepcopy(declared._kwargs), **options}
            declared = type(declared)
        made: serializers.BaseSerializer[Any] = declared(*args, **options)
        return made


_FIELD_TYPES: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], str], ...] = (
    (serializers.BooleanField, "boolean"),
    (serializers.IntegerField, "integer"),
    (serializers.FloatField, "number"),
    (serializers.DictField, "object"),
    (serializers.ListField, "array"),
    (serializers.MultipleChoiceField, "array"),
    (serializers.ManyRelatedField, "array"),
)


def _serializer_errors(errors: Any, path: tuple[str | int, ...] = ()) -> Errors:
    """Flatten DRF's nested errors to field paths."""
    if isinstance(errors, Mapping):
        pairs = errors.items()
    elif isinstance(errors, list) and any(isinstance(item, Mapping) for item in errors):
        pairs = enumerate(errors)  # type: ignore[assignment]
    else:
        return {dotted(path): [str(item) for item in errors]}
    flat: Errors = {}
    for key, inner in pairs:
        deeper = path if key == api_settings.NON_FIELD_ERRORS_KEY else (*path, key)
        if inner:
            flat.update(_serializer_errors(inner, deeper))
    return flat


def _serializer_schema(field: Any) -> dict[str, Any]:
    if isinstance(field, serializers.ListSerializer):
        return {"type": "array", "items": _serializer_schema(field.child)}
    if isinstance(field, serializers.FileField):
        return {"type": "string", "format": "binary"}
    if not isinstance(field, serializers.Serializer):
        kind = next((name for base, name in _FIELD_TYPES if isinstance(field, base)), "string")
        return {"type": kind}
    return {
        "type": "object",
        "properties": {name: _serializer_schema(child) for name, child in field.fields.items()},
        "required": [
            name for name, child in field.fields.items() if child.required and not field.partial
        ],
    }
