"""Who may follow what: the project's own authentication, then what the stream's file says."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, ClassVar

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.core.handlers.asgi import ASGIRequest
from django.db import DataError
from django.http import Http404, HttpRequest
from rest_framework.exceptions import APIException
from rest_framework.request import Request as RestRequest
from rest_framework.views import APIView

from motia_django import calls
from motia_django.live.reviews import standing_of
from motia_django.live.threads import in_thread
from motia_django.live.tokens import StreamTokenAuthentication, Ticket
from motia_django.registry import registry
from motia_django.stores.base import checked_key
from motia_django.triggers.base import Spelled

logger = logging.getLogger("motia.streams")

_REFUSALS = (PermissionDenied, PermissionError, Http404, ObjectDoesNotExist)
_MISTAKES = (
    ArithmeticError, AssertionError, AttributeError, DataError, LookupError, NameError, TypeError,
    ValidationError, ValueError,
)  # fmt: skip
"""Errors that come of what was asked, and come again: `auth.user.team` of nobody."""
_QUIET = 120.0
"""Seconds without an error of the same kind after which one is told of again."""
_failed_at: dict[tuple[str, str, type[Exception]], float] = {}


class Undecided(Exception):
    """It cannot be said just now whether somebody may follow; it is neither a yes nor a no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription(Spelled):
    """What somebody wants to follow: a group of a stream, or one item of it."""

    aliases: ClassVar[Mapping[str, str]] = {"item_id": "id", "stream": "stream_name"}

    stream_name: str
    group_id: str
    id: str | None = None
    limit: int | None = None
    """How many items of a group its `sync` is to have at most, as its client asks; None for all."""

    @property
    def key(self) -> tuple[str, str, str | None]:
        """Stream, group and item."""
        return self.stream_name, self.group_id, self.id

    @property
    def bound(self) -> int | None:
        """How many items its `sync` has at most: by its client, and by the stream's file."""
        config = registry().streams.get(self.stream_name)
        limits = (self.limit, None if config is None else config.limit)
        return min((each for each in limits if each is not None), default=None)

    @classmethod
    def checked(
        cls, stream: Any, group: Any, item: Any = None, *, limit: int | None = None
    ) -> Subscription:
        """Return a subscription to these, whoever names them; raise `InvalidKey`.

        Whether there is such a stream is not looked at.
        """
        parts = {"stream": stream, "group": group} | ({} if item is None else {"item": item})
        for name, value in parts.items():
            checked_key(name, value, "follow")
        return cls(stream_name=stream, group_id=group, id=item, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth(Spelled):
    """Who wants to follow, as REST framework has found out; nobody counts as false.

    What is known of him besides is an item, too, as Motia gave it: `auth["userId"]` is that of
    `auth.auth`, if that is a dict or the claims of a token.
    """

    user: Any
    auth: Any = None
    """What authenticated him: a token, None for a session."""
    request: RestRequest
    standing: str | None = field(default=None, repr=False)
    """What the user was when he was let in, to be looked at again; None if it is not."""

    def __bool__(self) -> bool:
        is_somebody = bool(getattr(self.user, "is_authenticated", False))
        return is_somebody or self.auth is not None

    def __getitem__(self, key: str) -> Any:
        try:
            return Spelled.__getitem__(self, key)
        except KeyError:
            return _known_of(self.auth, key)


class Gate(APIView):
    """Authenticates by the project's `REST_FRAMEWORK` settings, and by tokens for streams.

    It does not throttle: how often a browser comes back is not the user's doing.
    """

    throttle_classes = ()

    def get_authenticators(self) -> list[Any]:
        """Return the project's; a request with a token for streams is judged by that alone."""
        if self.request is not None and StreamTokenAuthentication.is_for(self.request):
            return [StreamTokenAuthentication()]
        return super().get_authenticators()

    def perform_content_negotiation(self, request: RestRequest, force: bool = False) -> Any:
        """Choose JSON, for errors, whatever is asked for."""
        renderer = self.get_renderers()[0]
        return renderer, renderer.media_type


def authenticate(request: HttpRequest) -> Auth:
    """Return who sends this request; raise REST framework's errors if he may not follow anything.

    Those are `AuthenticationFailed`, `NotAuthenticated` and `PermissionDenied`, as the project's
    default authentication and permission classes decide.
    """
    gate = Gate()
    gate.setup(request)
    gate.headers = {}
    rest = gate.initialize_request(request)
    gate.request = rest
    gate.initial(rest)
    return auth_of(rest)


def auth_of(request: RestRequest) -> Auth:
    """Return who sends a request that was authenticated; his columns may have yet to be read."""
    standing = standing_of(request.user)
    return Auth(user=request.user, auth=request.auth, request=request, standing=standing)


def request_of_scope(scope: Mapping[str, Any], token: str = "") -> HttpRequest:  # nosec B107
    """Return a WebSocket's handshake as a request to authenticate.

    It has the headers and cookies of the handshake, the session and user of whoever is logged in
    by cookie, and the `token`, if there is one, both as `?token=` and as `Authorization: Bearer`
    (or as the whole header, if it holds a space).
    """
    headers = list(scope.get("headers", ()))
    if token:
        headers = [each for each in headers if each[0] != b"authorization"]
        value = token if " " in token else f"Bearer {token}"
        headers.append((b"authorization", value.encode("latin1", "replace")))
    http = {**scope, "type": "http", "method": "GET", "headers": headers}
    request = ASGIRequest(http, BytesIO())
    _log_in(request)
    if token:
        request.META[StreamTokenAuthentication.KEY] = token
    return request


async def ask(
    subscriptions: Sequence[Subscription], auth: Auth, entered: list[Subscription]
) -> list[Subscription]:
    """Enter subscriptions, in a thread if any of their streams has something to say to that."""
    if any(_asks(each) for each in subscriptions):
        return await in_thread(enter, subscriptions, auth, entered)
    return enter(subscriptions, auth, entered)


def enter(
    subscriptions: Iterable[Subscription], auth: Auth, entered: list[Subscription]
) -> list[Subscription]:
    """Append to `entered` each subscription that this user is admitted to; return the undecided.

    Asked are the token's streams, `canAccess` and `onJoin`, in this order. For each one that is
    appended, its leaving has to be told once; the undecided are to be asked about again.
    """
    undecided = []
    for subscription in subscriptions:
        try:
            if _admits(subscription, auth):
                entered.append(subscription)
        except Undecided:
            undecided.append(subscription)
    return undecided


def may_follow(subscription: Subscription, auth: Auth) -> bool:
    """Return whether the token and the stream's `canAccess` allow it; a stream must exist.

    Raise `Undecided` if `canAccess` fails by what may be over in a while.
    """
    config = registry().streams.get(subscription.stream_name)
    if config is None or not _in_ticket(subscription, auth.auth):
        return False
    return config.can_access is None or _asked(config.can_access, subscription, auth, bool)


async def leave(subscriptions: Sequence[Subscription], auth: Auth) -> None:
    """Tell each stream's `onLeave` that a subscription has ended, in a thread if there is any."""
    if any(_on_leave(each) for each in subscriptions):
        await in_thread(tell_of_leaving, subscriptions, auth)


def tell_of_leaving(subscriptions: Iterable[Subscription], auth: Auth) -> None:
    """Tell each stream's `onLeave` that a subscription has ended."""
    for each in subscriptions:
        on_leave = _on_leave(each)
        if on_leave is None:
            continue
        try:
            _answer(on_leave, each, auth)
        except Exception:
            _tell_of_failing(on_leave, each)


def _known_of(auth: Any, key: str) -> Any:
    """Return an item of what authenticated somebody, if that has items by name."""
    try:
        return auth[key]
    except (TypeError, LookupError):
        raise KeyError(key) from None


def _asks(subscription: Subscription) -> bool:
    config = registry().streams.get(subscription.stream_name)
    return config is not None and bool(config.can_access or config.on_join)


def _on_leave(subscription: Subscription) -> Callable[..., Any] | None:
    config = registry().streams.get(subscription.stream_name)
    return None if config is None else config.on_leave


def _admits(subscription: Subscription, auth: Auth) -> bool:
    if not may_follow(subscription, auth):
        return False
    config = registry().streams[subscription.stream_name]
    return config.on_join is None or _asked(config.on_join, subscription, auth, _lets_join)


def _in_ticket(subscription: Subscription, auth: Any) -> bool:
    return not isinstance(auth, Ticket) or auth.admits(subscription.stream_name)


def _lets_join(answer: Any) -> bool:
    unauthorized = answer.get("unauthorized") if isinstance(answer, Mapping) else None
    return answer is not False and not unauthorized


def _asked(
    function: Callable[..., Any],
    subscription: Subscription,
    auth: Auth,
    admits: Callable[[Any], bool],
) -> bool:
    """Call what a stream's file declares; return whether its answer admits.

    What fails has refused if it would fail again; else raise `Undecided`.
    """
    try:
        return admits(_answer(function, subscription, auth))
    except Exception as error:
        if _refuses(error):
            _tell_of_failing(function, subscription)
            return False
        _tell_of_trouble(function, subscription, error)
        raise Undecided from error


def _answer(function: Callable[..., Any], subscription: Subscription, auth: Auth) -> Any:
    arguments = (subscription, auth)[: calls.arity(function, 2)]
    answer = calls.call(function, *arguments)
    if _is_unfinished(answer):
        raise TypeError(f"expected an answer, got {answer!r}: await it, or call it")
    return answer


def _refuses(error: Exception) -> bool:
    """Return whether an error says no, or would be the same whenever it is asked."""
    if isinstance(error, APIException):
        return error.status_code < 500
    return isinstance(error, (*_REFUSALS, *_MISTAKES))


def _tell_of_trouble(
    function: Callable[..., Any], subscription: Subscription, error: Exception
) -> None:
    """Tell the log once, though many ask, and ask again."""
    kind = (_name(function), subscription.stream_name, type(error))
    now = time.monotonic()
    before = _failed_at.get(kind)
    _failed_at[kind] = now
    if before is None or now - before > _QUIET:
        _tell_of_failing(function, subscription)


def _tell_of_failing(function: Callable[..., Any], subscription: Subscription) -> None:
    logger.exception("%s of stream %r failed", _name(function), subscription.stream_name)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", "a function")


def _is_unfinished(answer: Any) -> bool:
    """Return whether this is what would give an answer, which is true whatever that is."""
    kinds = (inspect.isawaitable, inspect.isgenerator, inspect.isasyncgen, callable)
    return any(is_one(answer) for is_one in kinds)


def _log_in(request: HttpRequest) -> None:
    """Give a request the session and the user that Django's middleware would give it."""
    from django.apps import apps
    from django.contrib.auth.middleware import AuthenticationMiddleware
    from django.contrib.sessions.middleware import SessionMiddleware

    if apps.is_installed("django.contrib.sessions"):
        SessionMiddleware(_nothing).process_request(request)
    if apps.is_installed("django.contrib.auth") and hasattr(request, "session"):
        AuthenticationMiddleware(_nothing).process_request(request)


def _nothing(request: HttpRequest) -> Any:
    raise NotImplementedError
