"""One face for every way to write a schema: pydantic, JSON Schema, DRF serializers."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from functools import partial
from typing import Annotated, Any, ClassVar

import jsonschema_rs
from django.core.files import File
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Model
from pydantic import BaseModel, InstanceOf, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, SchemaError
from rest_framework import serializers
from rest_framework.settings import api_settings

from motia_django import payloads
from motia_django.declarations import Mismatch
from motia_django.exceptions import InvalidInput, PayloadError

Errors = dict[str, list[str]]

Upload = Annotated[
    InstanceOf[UploadedFile],  # type: ignore[type-arg]
    WithJsonSchema({"type": "string", "format": "binary"}),
]
"""A file in a form, as a field of a pydantic model: Django's `UploadedFile`."""


class Schema(ABC):
    """What a value has to look like."""

    asks_context: ClassVar[bool] = False
    """Whether it depends on the request, so that one has to be made `within` its context."""
    reads_forms: ClassVar[bool] = False
    """Whether it takes a form as Django parsed it, and knows itself what a form leaves out."""

    @abstractmethod
    def clean(self, value: Any, subject: str) -> Any:
        """Return the value as the handler gets it; raise `InvalidInput` keyed by field path."""

    @abstractmethod
    def dump(self, value: Any, subject: str) -> Any:
        """Return what a handler gave as plain JSON; raise `InvalidInput` if it does not fit."""

    @abstractmethod
    def json_schema(self, *, of_answers: bool = False) -> dict[str, Any]:
        """Return the schema of what comes in, or of what `dump` gives, as JSON Schema."""

    def within(self, context: Mapping[str, Any]) -> Schema:
        """Return the schema for one request; `context` is what its serializers are told of it."""
        return self

    def dump_rows(self, rows: Iterable[Any], subject: str) -> list[Any]:
        """Return many values as `dump` returns one."""
        return [self.dump(row, subject) for row in rows]


def schema_for(declared: Any) -> Schema:
    """Return the schema that a Step file declares; raise `Mismatch` if it is none."""
    if isinstance(declared, Schema):
        return declared
    if isinstance(declared, Mapping):
        return JsonSchema(declared)
    is_class = inspect.isclass(declared) and issubclass(declared, serializers.BaseSerializer)
    if is_class or isinstance(declared, serializers.BaseSerializer):
        return SerializerSchema(declared)
    return TypeSchema(declared)


class TypeSchema(Schema):
    """A pydantic model, or any type that pydantic can adapt: dataclass, TypedDict, `list[Item]`."""

    def __init__(self, declared: Any) -> None:
        is_none = declared is None or isinstance(declared, str | int | float | list | tuple)
        if is_none or inspect.isroutine(declared):
            raise Mismatch(_EXPECTED)
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(declared)
            self._adapter.rebuild()
        except (PydanticUserError, SchemaError, NameError, TypeError) as error:
            raise Mismatch(f"{_EXPECTED} ({str(error).splitlines()[0]})") from error

    def clean(self, value: Any, subject: str) -> Any:
        return self._cleaned(value, subject)

    def dump(self, value: Any, subject: str) -> Any:
        cleaned = self._cleaned(value, subject, from_attributes=True)
        only_given = _is_json(value)
        try:
            return payloads.plain(
                self._adapter.dump_python(
                    cleaned, mode="json", by_alias=True, exclude_unset=only_given
                )
            )
        except (PydanticSerializationError, PayloadError) as error:
            raise InvalidInput(subject, {"": [str(error)]}) from error

    def json_schema(self, *, of_answers: bool = False) -> dict[str, Any]:
        return self._adapter.json_schema(mode="serialization" if of_answers else "validation")

    def _cleaned(self, value: Any, subject: str, from_attributes: bool | None = None) -> Any:
        try:
            return self._adapter.validate_python(value, from_attributes=from_attributes)
        except ValidationError as error:
            return self._clean_as_json(value, subject, error)

    def _clean_as_json(self, value: Any, subject: str, error: ValidationError) -> Any:
        """Try again by JSON's rules: a strict model takes a date's text from JSON only."""
        try:
            return self._adapter.validate_json(payloads.dumps(value))
        except ValidationError as json_error:
            error = json_error
        except PayloadError:
            pass
        raise InvalidInput(subject, _pydantic_errors(error)) from None


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
                errors.setdefault(_dotted(_blamed(path, error)), []).append(error.message)
        except ValueError as not_json:
            errors = {"": [str(not_json)]}
        if errors:
            raise InvalidInput(subject, errors)
        return value

    def dump(self, value: Any, subject: str) -> Any:
        try:
            return self.clean(payloads.plain(value), subject)
        except PayloadError as error:
            raise InvalidInput(subject, {"": [str(error)]}) from error

    def json_schema(self, *, of_answers: bool = False) -> dict[str, Any]:
        return self._document


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


_BAD_DOCUMENT = (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError)
_EXPECTED = (
    "a pydantic model, a type that pydantic can adapt, a JSON Schema dict or a DRF serializer"
)
_FIELD_TYPES: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], str], ...] = (
    (serializers.BooleanField, "boolean"),
    (serializers.IntegerField, "integer"),
    (serializers.FloatField, "number"),
    (serializers.DictField, "object"),
    (serializers.ListField, "array"),
    (serializers.MultipleChoiceField, "array"),
    (serializers.ManyRelatedField, "array"),
)


def _files_named(value: Any) -> Any:
    """Return a form with the name of each uploaded file in the file's place: to JSON it is text."""
    if not isinstance(value, dict) or not any(isinstance(each, File) for each in value.values()):
        return value
    return {key: each.name if isinstance(each, File) else each for key, each in value.items()}


def _dotted(path: Iterable[str | int]) -> str:
    return ".".join(map(str, path))


def _is_json(value: Any) -> bool:
    """Return whether a value is given as JSON would have it, and so without what it leaves out.

    A model that is given whole somewhere means its defaults too, and so does a row of the database.
    """
    if isinstance(value, Mapping):
        return all(map(_is_json, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return not isinstance(value, BaseModel | Model)


def _pydantic_errors(error: ValidationError) -> Errors:
    errors: Errors = {}
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        errors.setdefault(_dotted(each["loc"]), []).append(each["msg"])
    return errors


def _blamed(path: list[str | int], error: jsonschema_rs.ValidationError) -> list[str | int]:
    """Blame a missing field itself, where JSON Schema blames the object it is missing from."""
    missing = getattr(error.kind, "property", None) if error.kind.name == "required" else None
    return [*path, missing] if isinstance(missing, str) else path


def _serializer_errors(errors: Any, path: tuple[str | int, ...] = ()) -> Errors:
    """Flatten DRF's nested errors to field paths."""
    if isinstance(errors, Mapping):
        pairs = errors.items()
    elif isinstance(errors, list) and any(isinstance(item, Mapping) for item in errors):
        pairs = enumerate(errors)  # type: ignore[assignment]
    else:
        return {_dotted(path): [str(item) for item in errors]}
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
