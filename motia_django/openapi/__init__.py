"""OpenAPI: what each http Step asks for and answers, in the documents of drf-spectacular.

Importing this is enough for the Steps to be in the project's own document.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiViewExtension
from rest_framework.views import APIView


class StepViewExtension(OpenApiViewExtension):
    """Tells drf-spectacular what the views of Steps ask for and answer."""

    target_class = "motia_django.web.views.StepView"
    match_subclasses = True

    def view_replacement(self) -> type[APIView]:
        """Return the view with a schema of ours."""
        from motia_django.openapi.operations import StepSchema

        class Described(self.target):  # type: ignore[name-defined, misc]
            schema = StepSchema()

            def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                self.request = request
                self.take_policies()
                return super().initialize_request(request, *args, **kwargs)

        return Described


class SignatureExtension(OpenApiAuthenticationExtension):
    """Tells drf-spectacular in which header a signature is expected, and how it is made."""

    target_class = "motia_django.webhooks.Signature"
    match_subclasses = True

    @property
    def name(self) -> str:  # type: ignore[override]  # each header is a scheme of its own
        """Return the name of the scheme: of two that share a header, each has its own."""
        kind = type(self.target)
        own = kind.__name__ if kind.__name__.isidentifier() else ""
        unusual = [kind.digest.removeprefix("sha256"), kind.encoding.removeprefix("hex"), own]
        return "-".join(["signature", kind.header, *filter(None, unusual)])

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the scheme."""
        header, text = self.target.header, self.target.described()
        return {"type": "apiKey", "in": "header", "name": header, "description": text}
