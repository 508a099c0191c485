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
    """Tells drf-spectacular in which header a signature of the body is expected."""

    target_class = "motia_django.webhooks.Signature"
    match_subclasses = True

    @property
    def name(self) -> str:  # type: ignore[override]  # each header is a scheme of its own
        """Return the name of the scheme."""
        return f"signature-{self.target.header}"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the scheme."""
        return {"type": "apiKey", "in": "header", "name": self.target.header}
