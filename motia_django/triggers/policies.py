"""Policies of an http trigger, in place of the project's: who may, how often, in what formats."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from django.utils.module_loading import import_string
from rest_framework.permissions import BasePermission, OperandHolder, SingleOperandHolder
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle

from motia_django import calls, declarations
from motia_django.declarations import Mismatch, Reader

Makers: TypeAlias = tuple[Callable[[], Any], ...] | None
"""What makes one policy each for a request; None stands for the project's own defaults."""

_DEFAULTS = {
    "authentication": "DEFAULT_AUTHENTICATION_CLASSES",
    "permissions": "DEFAULT_PERMISSION_CLASSES",
    "throttles": "DEFAULT_THROTTLE_CLASSES",
}
_RATE = re.compile(r"[1-9]\d*/(s|sec|second|m|min|minute|h|hour|d|day)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The policies of REST framework that a trigger names; each it does not is the project's."""

    authentication: Makers = None
    permissions: Makers = None
    throttles: Makers = None
    throttle_scope: str | None = None
    """For `ScopedRateThrottle`: a key of `DEFAULT_THROTTLE_RATES`."""
    parsers: Makers = None
    renderers: Makers = None

    @classmethod
    def read(cls, reader: Reader) -> Policies:
        """Take the keys of a trigger that name policies."""
        many = {
            name: reader.take(name, parse, default=None, also=also)
            for name, (parse, also) in _TAKEN.items()
        }
        return cls(throttle_scope=reader.take("throttle_scope", _scope, default=None), **many)

    def makers(self) -> dict[str, Makers]:
        """Return each kind of policy by its name in REST framework, without its `_classes`."""
        return {
            "authentication": self.authentication,
            "permission": self.permissions,
            "throttle": self.throttles,
            "parser": self.parsers,
            "renderer": self.renderers,
        }

    def in_force(self, name: str) -> tuple[Any, ...]:
        """Return the classes of a kind, such as `permissions`: its own, or the project's."""
        own = getattr(self, name)
        return tuple(getattr(api_settings, _DEFAULTS[name]) if own is None else own)

    def named(self) -> dict[str, list[str]]:
        """Return those that the trigger says itself, by their names, for people."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        given.pop("throttle_scope")
        return {
            k: [name_of(each) for each in many] for k, many in given.items() if many is not None
        }


class StepRateThrottle(SimpleRateThrottle):
    """So many requests to one Step of each user, or of each address of those without a user."""

    scope = "motia"

    def get_cache_key(self, request: Any, view: Any) -> str:
        """Return under what the requests of who asks are counted."""
        user = request.user
        known = user and user.is_authenticated
        who = f"user {user.pk}" if known else f"address {self.get_ident(request)}"
        is_get = request.method == "HEAD" and "HEAD" not in view.route.endpoints
        method = "GET" if is_get else request.method
        what = f"{self.rate} {method} {view.route.path} {who}"
        return f"motia_throttle_{hashlib.sha256(what.encode()).hexdigest()}"


def nobody() -> Any:
    """Return who asks without being any user, as the project's REST framework has it."""
    kind: Any = api_settings.UNAUTHENTICATED_USER
    return kind and kind()


def name_of(maker: Any) -> str:
    """Return the name of a policy, for people: of several permissions joined, how they are."""
    if isinstance(maker, SingleOperandHolder):
        return f"not {name_of(maker.op1_class)}"
    if isinstance(maker, OperandHolder):
        between = name_of(maker.operator_class).lower()
        return f"({name_of(maker.op1_class)} {between} {name_of(maker.op2_class)})"
    if isinstance(maker, type) and issubclass(maker, StepRateThrottle):
        return str(maker.rate)
    return str(getattr(maker, "__name__", maker))


def _each(parse: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a parser of one value or a list of them, dotted paths among them."""

    def parsed(value: Any) -> tuple[Any, ...]:
        many = value if isinstance(value, list | tuple) else [value]
        return tuple(parse(_imported(each)) for each in many)

    return parsed


def _imported(value: Any) -> Any:
    if not isinstance(value, str) or "/" in value:
        return value
    try:
        return import_string(value)
    except ImportError as error:
        raise Mismatch(f"what can be imported ({error})") from error


def _class(value: Any, method: str, expected: str) -> Any:
    if isinstance(value, type) and callable(getattr(value, method, None)):
        return value
    raise Mismatch(f"{expected}, or its dotted path, or a list of them")


def _authentication(value: Any) -> Any:
    return _class(value, "authenticate", "an authentication class of REST framework")


def _parser(value: Any) -> Any:
    return _class(value, "parse", "a parser class of REST framework")


def _renderer(value: Any) -> Any:
    return _class(value, "render", "a renderer class of REST framework")


def _throttle(value: Any) -> Any:
    if isinstance(value, str) and _RATE.fullmatch(value):
        return type("StepRateThrottle", (StepRateThrottle,), {"rate": value})
    return _class(value, "allow_request", 'a rate such as "10/min", a throttle of REST framework')


def _permission(value: Any) -> Any:
    """Parse a permission class, several joined by `& | ~`, or a plain function."""
    if isinstance(value, OperandHolder | SingleOperandHolder):
        return value
    if callable(value) and not isinstance(value, type):
        return _asking(value)
    expected = "a permission class of REST framework, a function of (request) or (request, view)"
    return _class(value, "has_permission", expected)


def _asking(function: Callable[..., Any]) -> type[BasePermission]:
    """Return the permission that a function grants; its `message` says what is lacking."""
    try:
        count = calls.arity(function, 2)
    except (TypeError, ValueError) as error:
        raise Mismatch(f"a function of (request) or (request, view): {error}") from error

    class Asking(BasePermission):
        message = getattr(function, "message", None)

        def has_permission(self, request: Any, view: Any) -> bool:
            return bool(calls.call(function, *(request, view)[:count]))

    Asking.__name__ = Asking.__qualname__ = getattr(function, "__name__", "Asking")
    return Asking


def _scope(value: Any) -> str:
    rates = api_settings.DEFAULT_THROTTLE_RATES
    if declarations.text(value) not in rates:
        raise Mismatch(f"one of DEFAULT_THROTTLE_RATES ({', '.join(rates) or 'there are none'})")
    return str(value)


_TAKEN: dict[str, tuple[Callable[[Any], tuple[Any, ...]], tuple[str]]] = {
    "authentication": (_each(_authentication), ("authentication_classes",)),
    "permissions": (_each(_permission), ("permission_classes",)),
    "throttles": (_each(_throttle), ("throttle_classes",)),
    "parsers": (_each(_parser), ("parser_classes",)),
    "renderers": (_each(_renderer), ("renderer_classes",)),
}
"""What parses each kind of policy, and the other names of its key."""
