"""A document of the Steps alone, without the project's other views."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.settings import patched_settings
from drf_spectacular.validation import validate_schema
from jsonschema import ValidationError

from motia_django.web.views import StepView

RENDERERS = {"yaml": OpenApiYamlRenderer, "json": OpenApiJsonRenderer}
_DEFAULTS = {"OAS_VERSION": "3.1.0", "TITLE": "Steps"}
"""What the project's `SPECTACULAR_SETTINGS` need not say."""


class _StepEndpoints(EndpointEnumerator):
    """The paths and methods of Steps, HEAD and OPTIONS among them, and no others."""

    def should_include_endpoint(self, path: str, callback: Any) -> bool:
        is_included = bool(super().should_include_endpoint(path, callback))
        return is_included and issubclass(callback.cls, StepView)

    def get_allowed_methods(self, callback: Any) -> list[str]:
        return list(callback.cls.route.endpoints)


class _StepGenerator(SchemaGenerator):
    endpoint_inspector_cls = _StepEndpoints


def step_document() -> dict[str, Any]:
    """Return the OpenAPI document of the Steps that the project's URLs lead to."""
    said = getattr(settings, "SPECTACULAR_SETTINGS", {})
    with patched_settings({key: each for key, each in _DEFAULTS.items() if key not in said}):
        generator = _StepGenerator()  # type: ignore[no-untyped-call]
        document = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return dict(document)


def written(document: dict[str, Any], format: str) -> str:
    """Return a document as text, in one of `RENDERERS`."""
    text = RENDERERS[format]().render(document, renderer_context={})
    return text.decode() if isinstance(text, bytes) else text


def why_invalid(document: dict[str, Any]) -> str:
    """Return why a document is not one of OpenAPI; empty if it is."""
    try:
        validate_schema(document)
    except ValidationError as error:
        return f"{error.json_path}: {error.message}"
    return ""
