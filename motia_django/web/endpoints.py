"""REST framework's view, with what can be known before a request comes bound at the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

from django.db import connections, transaction
from django.http import HttpResponseBase
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.permissions import AllowAny
from rest_framework.response import Response as RestResponse
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from motia_django import refusals
from motia_django.calls import is_async
from motia_django.exceptions import some_of
from motia_django.registry import Listener, Route
from motia_django.steps import Step
from motia_django.triggers import HttpTrigger
from motia_django.web.conditional import judged
from motia_django.web.incoming import IncomingRequest
from motia_django.web.requests import masked_path, refused, take_in
from motia_django.web.responses import JsonAnswer, set_known_headers

_NONE: tuple[Any, ...] = ([], ())
_ANYBODY: tuple[Any, ...] = ([AllowAny], (AllowAny,), [], ())
_JSON_FIRST: tuple[Any, ...] = ([JSONParser], (JSONParser,))
"""What the classes of policies may be, which projects give as lists and as tuples."""
_MOST_REMEMBERED = 256
"""How many `Accept` headers an endpoint remembers, each of at most so many characters."""
_MOST_NAMED = 10
"""How many fields of an invalid request the log names."""


class Endpoint:
    """A Step on a method and a path, with what its view asks for each request."""

    def __init__(self, listener: Listener) -> None:
        assert isinstance(listener.trigger, HttpTrigger)
        self.listener = listener
        self.trigger = listener.trigger
        named = self.trigger.policies.makers().items()
        self.policies = {f"{name}_classes": made for name, made in named if made is not None}
        """What stands in the place of the project's."""
        asked = (self.listener.step.handler, self.trigger.condition, *self.trigger.middleware)
        self.is_async = any(is_async(each) for each in asked if each is not None)
        """Whether it may wait for something while its request goes on, and then be called off."""
        self.negotiated: dict[str, tuple[int, str]] = {}
        """For an `Accept` header that came before: which renderer it is, and the media type."""


class EndpointView(APIView):
    """What answers a path, by the policies of the Step that the request is for."""

    route: ClassVar[Route]
    endpoints: ClassVar[Mapping[str, Endpoint]]
    allow: ClassVar[str]
    """The header `Allow` of all answers."""
    endpoint: Endpoint
    """What answers the request; to OPTIONS, and to what nobody answers, the first."""
    has_run = False
    """Whether the request has become a run: else an error refuses it."""
    wrong: Sequence[str] = ()
    """The fields of the request that break a schema."""

    @property
    def step(self) -> Step:
        """The Step that the request is for, which the project's `EXCEPTION_HANDLER` may ask."""
        return self.endpoint.listener.step

    @property
    def throttle_scope(self) -> str | None:
        """What REST framework's `ScopedRateThrottle` asks a view for."""
        return self.endpoint.trigger.policies.throttle_scope

    @property
    def default_response_headers(self) -> dict[str, str]:
        """The headers of all answers."""
        vary = {"Vary": "Accept"} if len(self.renderer_classes) > 1 else {}
        return {"Allow": self.allow, **vary}

    def setup(self, request: Any, *args: Any, **params: Any) -> None:
        """Begin with a request, and with the policies of the Step that it is for."""
        super().setup(request, *args, **params)
        self.take_policies()

    def take_policies(self) -> None:
        """Take those of the Step that the request is for, in place of the project's."""
        found = self.endpoints.get(str(getattr(self.request, "method", "")))
        self.endpoint = found or self.endpoints.get("GET") or next(iter(self.endpoints.values()))
        for name, makers in self.endpoint.policies.items():
            setattr(self, name, makers)

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> IncomingRequest:
        """Return REST framework's request, as its own view makes it."""
        incoming = IncomingRequest(
            request,
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context={"view": self, "args": self.args, "kwargs": self.kwargs},
        )
        incoming.parameters = self.endpoint.trigger.parameters
        incoming.quick_json = self.parser_classes[:1] in _JSON_FIRST
        return incoming

    def perform_content_negotiation(self, request: Any, force: bool = False) -> Any:
        """Choose a renderer; for an `Accept` header that came before, the one of then."""
        accepted = request.META.get("HTTP_ACCEPT", "")
        if force or not self._is_usual(request) or len(accepted) > _MOST_REMEMBERED:
            return super().perform_content_negotiation(request, force)
        known = self.endpoint.negotiated
        if accepted in known:
            place, media_type = known[accepted]
            return self.renderer_classes[place](), media_type
        renderer, media_type = super().perform_content_negotiation(request, force)
        kinds = list(self.renderer_classes)
        if type(renderer) in kinds and len(known) < _MOST_REMEMBERED:
            known[accepted] = kinds.index(type(renderer)), media_type
        return renderer, media_type

    def _is_usual(self, request: Any) -> bool:
        """Return whether nothing but the `Accept` header chooses among the renderers."""
        named = api_settings.URL_FORMAT_OVERRIDE
        return (
            self.content_negotiation_class is DefaultContentNegotiation
            and self.format_kwarg is None
            and not (named and request.META.get("QUERY_STRING") and named in request.query_params)
        )

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Do what REST framework's view does before the handler.

        What is too large is refused, and the body's bytes kept, before anybody reads a form.
        """
        take_in(request, self.endpoint.trigger)
        self.format_kwarg = self.get_format_suffix(**kwargs)
        chosen = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = chosen
        version = self.determine_version(request, *args, **kwargs)
        request.version, request.versioning_scheme = version
        # Whom nobody asks needs no answer: these three take as long as all of the above.
        if self.authentication_classes not in _NONE:
            self.perform_authentication(request)
        if self.permission_classes not in _ANYBODY:
            self.check_permissions(request)
        if self.throttle_classes not in _NONE:
            self.check_throttles(request)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Give a response its headers, and ask the request's conditions of it."""
        if type(response) is JsonAnswer and "vary" not in response.headers._store:
            response.negotiated(request, self.get_renderer_context())
            set_known_headers(response, self.headers)
            final: Any = response
        else:
            final = super().finalize_response(request, response, *args, **kwargs)
        final._resource_closers.append(self._let_go)
        return judged(request._request, final, self.endpoint.trigger)

    def _let_go(self) -> None:
        """Untie view, request and answer, which know each other, once the answer is sent.

        Else they wait for Python's collector, whose work for one request takes some microseconds.
        """
        self.__dict__.pop("response", None)
        for each in ("request", "view"):
            self.request.parser_context.pop(each, None)

    def as_sent(self, response: HttpResponseBase) -> HttpResponseBase:
        """Return a response with its headers and its content, as it will go out."""
        headers = dict(self.headers)
        final: HttpResponseBase = self.finalize_response(self.request, response)
        self.headers = headers
        if isinstance(final, RestResponse):
            final.render()
        return final

    def handle_exception(self, exc: Exception) -> Any:
        """Answer an error as the project's exception handler does.

        REST framework's own rolls back the transaction that it finds. That of the request is over
        by then, so one that is open is somebody else's: a test's.
        """
        with ExitStack() as stack:
            for alias in atomic_requests():
                if connections[alias].in_atomic_block:
                    stack.enter_context(transaction.atomic(using=alias))
            response = super().handle_exception(refused(exc))
        if not self.has_run:
            refusals.tell(self.step.name, self._what(), response.status_code, self._why(exc))
        return response

    def _what(self) -> str:
        """Return the method and the path of the request, secret parameters masked."""
        names = self.endpoint.trigger.parameters
        values = list(self.kwargs.values())[-len(names) :] if names else []
        params = dict(zip(names, values, strict=True))
        return f"{self.request.method} {masked_path(self.request.path, params, self.step.masks)}"

    def _why(self, exc: Exception) -> str:
        """Return why a request is refused: which fields are wrong, and never what was in them."""
        detail = getattr(exc, "detail", None) or str(exc)
        if self.wrong or (isinstance(exc, ValidationError) and isinstance(detail, dict)):
            fields = [f"{each:.100}" or "the body" for each in self.wrong or map(str, detail)]
            return f"this is invalid: {some_of(fields, _MOST_NAMED)}"
        text = detail.get("detail") if isinstance(detail, dict) else detail
        return text if isinstance(text, str) else type(exc).__name__


def atomic_requests() -> list[str]:
    """Return the databases whose requests are transactions."""
    settings = connections.settings
    return [alias for alias in settings if settings[alias]["ATOMIC_REQUESTS"]]
