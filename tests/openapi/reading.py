"""The documents of Steps of a test's own, read part by part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.settings import patched_settings
from pydantic import BaseModel, create_model

from motia_django.openapi.documents import step_document, why_invalid
from motia_django.steps import Step
from tests.factories import make_step, nothing
from tests.web.serving import http, serving


def document(*declared: Step, **settings: Any) -> dict[str, Any]:
    """Return the valid document of these Steps, made without a warning."""
    with serving(*declared), patched_settings(settings):
        found = step_document()
    assert not GENERATOR_STATS, dict(GENERATOR_STATS._warn_cache)
    assert why_invalid(found) == ""
    if found["openapi"] == "3.1.0":
        for schema in found["components"].get("schemas", {}).values():
            jsonschema_rs.meta.validate(schema)
    return found


def operation(*args: Any, name: str = "Work", step: Mapping[str, Any] = {}, **keys: Any) -> Any:
    """Return the operation of one Step with one http trigger."""
    trigger = http(*args, **keys)
    [path_item] = document(make_step(nothing, trigger, name=name, **step))["paths"].values()
    [found] = path_item.values()
    return found


def components(*declared: Step, **settings: Any) -> dict[str, Any]:
    """Return the schemas that are components of a document, but for those of refusals."""
    schemas: dict[str, Any] = document(*declared, **settings)["components"]["schemas"]
    ours = ("ConditionNotMet", "InvalidRequest", "Refusal")
    return {name: schema for name, schema in schemas.items() if name not in ours}


def said(found: Any, part: str) -> Any:
    """Return the schema of an operation's body or of one of its answers."""
    content = found["requestBody"] if part == "request" else found["responses"][part]
    return content["content"]["application/json"]["schema"]


def named(name: str, **fields: Any) -> type[BaseModel]:
    """Return a model of that name, as another module would have it."""
    definitions: dict[str, Any] = {field: (kind, ...) for field, kind in fields.items()}
    model: type[BaseModel] = create_model(name, **definitions)
    return model


def step(name: str, body: Any = None, answer: Any = None, method: str = "POST") -> Step:
    """Return a Step whose path is its name."""
    keys = {"bodySchema": body} if body is not None else {}
    answers = {"responseSchema": {200: answer}} if answer is not None else {}
    return make_step(nothing, http(method, f"/{name.lower()}", **keys, **answers), name=name)
