"""One face for every way to write a schema: pydantic, JSON Schema, DRF serializers.

The libraries of the first two take 7 MB and 3 MB of a process: each is loaded with the first schema
of its kind, which is when the Steps are read, before any process is forked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.serializers import BaseSerializer

from motia_django.schemas.base import Errors, Schema
from motia_django.schemas.serializers import SerializerSchema

__all__ = ["Errors", "Schema", "SerializerSchema", "schema_for"]


def schema_for(declared: Any) -> Schema:
    """Return the schema that a Step file declares; raise `Mismatch` if it is none."""
    is_class = isinstance(declared, type)
    if issubclass(declared, BaseSerializer) if is_class else isinstance(declared, BaseSerializer):
        return SerializerSchema(declared)
    if isinstance(declared, Schema):
        return declared
    if isinstance(declared, Mapping):
        from motia_django.schemas.json_schema import JsonSchema

        return JsonSchema(declared)
    from motia_django.schemas.adapted import TypeSchema

    return TypeSchema(declared)
