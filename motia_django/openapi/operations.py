"""One http Step as an operation of OpenAPI: what drf-spectacular asks of a view."""

from __future__ import annotations

from typing import Any

import uritemplate
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry

from motia_django.openapi.answers import responses
from motia_django.openapi.bodies import request_body
from motia_django.openapi.components import Components
from motia_django.openapi.parameters import (
    header_parameters,
    path_parameters,
    query_parameters,
    repeat_parameters,
    version_parameters,
)
from motia_django.registry import Listener
from motia_django.triggers import HttpTrigger
from motia_django.web.views import StepView
from motia_django.webhooks import Signature


class StepSchema(AutoSchema):
    """Describes each method of a path as the Step does that answers it."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> dict[str, Any]:
        """Return the operation of one method of a path."""
        self.path, self.path_regex, self.path_prefix = path, path_regex, path_prefix
        self.method, self.registry = method.upper(), registry
        trigger, components = self._trigger, Components(self, self._listener.step.name)
        operation = {
            "operationId": self.get_operation_id(),
            "summary": self.get_summary(),
            "description": self.get_description(),
            "externalDocs": self._get_external_docs(),
            "tags": self.get_tags(),
            "parameters": self._all_parameters(components),
            "requestBody": request_body(trigger, self.map_parsers(), components),
            "security": self.get_auth(),
        }
        answers = responses(trigger, self.view, self.map_renderers("media_type"), components)
        return {key: value for key, value in operation.items() if value} | {"responses": answers}

    def get_operation_id(self) -> str:
        """Return the Step's name; with a number, if it is another of its http triggers."""
        step = self._listener.step
        number = [index for index, _ in step.triggers_of("http")].index(self._listener.index)
        return f"{step.name}_{number + 1}" if number else step.name

    def get_summary(self) -> str:
        """Return the first line of what the Step is for."""
        step = self._listener.step
        return step.description.strip().partition("\n")[0] or step.name

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        """Return the other lines of what the Step is for."""
        return self._listener.step.description.strip().partition("\n")[2].strip()

    def get_external_docs(self) -> str | None:
        """Return the address of what people should read about the Step."""
        return self._listener.step.docs or None

    def get_tags(self) -> list[str]:
        """Return the Step's flows; if it has none, the app it lives in."""
        step = self._listener.step
        return list(step.flows) or [step.app]

    def get_auth(self) -> list[dict[str, Any]]:
        """Return how callers say who they are; nobody has to where no permission asks.

        A signature is asked for without one.
        """
        found = list(super().get_auth())
        is_signed = any(isinstance(each, Signature) for each in self.view.get_authenticators())
        asks_nobody = not self.view.get_permissions() and {} not in found and not is_signed
        return [*found, {}] if found and asks_nobody else found

    @property
    def _listener(self) -> Listener:
        assert isinstance(self.view, StepView)
        return self.view.route.endpoints[self.method]

    @property
    def _trigger(self) -> HttpTrigger:
        trigger = self._listener.trigger
        assert isinstance(trigger, HttpTrigger)
        return trigger

    def _all_parameters(self, components: Components) -> list[dict[str, Any]]:
        """Return the Step's parameters, after those of the project's own part of the path."""
        trigger = self._trigger
        variables = list(uritemplate.variables(self.path))
        own = len(variables) - len(trigger.parameters)
        outer = self._resolve_path_parameters(variables[:own])  # type: ignore[no-untyped-call]
        parameters = [
            *outer,
            *path_parameters(trigger, variables[own:], components),
            *self._get_format_parameters(),
            *query_parameters(trigger, components),
            *header_parameters(trigger, components),
            *repeat_parameters(trigger),
            *version_parameters(trigger),
        ]
        return list({(each["in"], each["name"]): each for each in parameters}.values())
