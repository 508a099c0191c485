"""The body that an http Step asks for, in each format that its parsers take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.parsers import FormParser, MultiPartParser

from motia_django.openapi.components import Components
from motia_django.schemas import Schema
from motia_django.triggers import HttpTrigger
from motia_django.triggers.texts import TextSchema, form_of

_WITH_A_BODY = ("POST", "PUT", "PATCH")
_MULTIPART = MultiPartParser.media_type
_FORMS = (FormParser.media_type, _MULTIPART)


def request_body(
    trigger: HttpTrigger, media_types: Sequence[str], components: Components
) -> dict[str, Any] | None:
    """Return the body of a request; without a schema it may be anything, or not be there."""
    schema = trigger.body_schema
    if schema is None:
        if trigger.method not in _WITH_A_BODY:
            return None
        return {"content": {each: {"schema": {}} for each in media_types}}
    taken = [each for each in media_types if _can_hold(each, schema)]
    said = components.of(schema, "request")
    form = form_of(schema)
    return {
        "content": {each: {"schema": said} for each in taken or media_types},
        **({"required": True} if form is None or form.required or not _is_object(form) else {}),
    }


def _can_hold(media_type: str, schema: Schema) -> bool:
    """Return whether a format can express what a schema asks for.

    A form is an object of texts, and of files if it has parts.
    """
    form = form_of(schema)
    if form is None:
        return media_type not in _FORMS
    if media_type != _MULTIPART and any(
        _is_file(form.properties.get(each)) for each in form.required
    ):
        return False
    return media_type not in _FORMS or (_is_object(form) and form.is_flat)


def _is_object(form: TextSchema) -> bool:
    return form.object.get("type") == "object"


def _is_file(schema: Any) -> bool:
    if not isinstance(schema, Mapping):
        return False
    return schema.get("format") == "binary" or _is_file(schema.get("items"))
