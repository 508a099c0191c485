"""Schemas that pydantic makes: of its models, and of any type that it can adapt."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from copy import deepcopy
from typing import Annotated, Any

from django.core.files.uploadedfile import UploadedFile
from django.db.models import Model
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    InstanceOf,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticCustomError, PydanticSerializationError, SchemaError
from pydantic_core.core_schema import ModelSchema

from motia_django import payloads
from motia_django.declarations import Mismatch
from motia_django.exceptions import Inexpressible, InvalidInput, PayloadError
from motia_django.schemas.base import Errors, Schema, dotted


def _uploaded(value: Any) -> Any:
    """Return a file; raise in pydantic's words for anything else, as for all that JSON can hold."""
    if isinstance(value, UploadedFile):
        return value
    raise PydanticCustomError("file_type", "Input should be a file, uploaded in a form")


Upload = Annotated[
    InstanceOf[UploadedFile],  # type: ignore[type-arg]
    PlainValidator(_uploaded),
    WithJsonSchema({"type": "string", "format": "binary"}),
]
"""A file in a form, as a field of a pydantic model: Django's `UploadedFile`."""


class TypeSchema(Schema):
    """A pydantic model, or any type that pydantic can adapt: dataclass, TypedDict, `list[Item]`."""

    def __init__(self, declared: Any) -> None:
        if not isinstance(declared, type) and _is_no_type(declared):
            raise Mismatch(_EXPECTED)
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(declared)
            self._adapter.rebuild()
            self._validate = self._adapter.validator.validate_python
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
        except PydanticSerializationError as error:
            raise InvalidInput(subject, {"": [str(error)]}) from error
        except PayloadError as error:
            raise InvalidInput(subject, {error.path: [error.reason]}) from error

    def json_schema(self, *, of_answers: bool = False) -> dict[str, Any]:
        return self._document(mode="serialization" if of_answers else "validation")

    def by_every_name(self) -> dict[str, Any]:
        return self._document(schema_generator=_ByEveryName)

    def _document(self, **options: Any) -> dict[str, Any]:
        try:
            return self._adapter.json_schema(**options)
        except PydanticInvalidForJsonSchema as error:
            raise Inexpressible(error.message) from error

    def _cleaned(self, value: Any, subject: str, from_attributes: bool | None = None) -> Any:
        try:
            return self._validate(value, from_attributes=from_attributes)
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


class _ByEveryName(GenerateJsonSchema):
    """Has each field of a model by all the names it is taken by; pydantic itself, by the first."""

    def model_schema(self, schema: ModelSchema) -> dict[str, Any]:
        document = super().model_schema(schema)
        config = schema.get("config", {})
        properties = document.get("properties")
        if not properties or not config.get("validate_by_alias", True):
            return document
        for name, field in schema["cls"].__pydantic_fields__.items():
            paths = _alias_paths(field.validation_alias)
            names = [*(path[0] for path in paths if len(path) == 1), name]
            said: Any = next((properties[each] for each in names if each in properties), {})
            by_name = names if config.get("validate_by_name") else names[:-1]
            properties |= {each: deepcopy(said) for each in by_name if each not in properties}
            properties |= {path[0]: {} for path in paths if path[0] not in properties}
        return document


def _alias_paths(alias: str | AliasPath | AliasChoices | None) -> list[list[Any]]:
    """Return the paths by which an alias leads to a value; most are one name."""
    if isinstance(alias, AliasChoices):
        return alias.convert_to_aliases()
    if isinstance(alias, AliasPath):
        return [alias.convert_to_aliases()]
    return [[alias]] if alias else []


_EXPECTED = (
    "a pydantic model, a type that pydantic can adapt, a JSON Schema dict or a DRF serializer"
)


def _is_no_type(declared: Any) -> bool:
    is_value = declared is None or isinstance(declared, str | int | float | list | tuple)
    return is_value or inspect.isroutine(declared)


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
        errors.setdefault(dotted(each["loc"]), []).append(each["msg"])
    return errors
