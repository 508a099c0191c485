"""Tokens for following, for clients that cannot set a header, too: signed, short-lived."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core import signing
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request as RestRequest

from motia_django.registry import registry

_SALT = "motia_django.live.tokens"
_PREFIX = "motia."
_LONGEST = 4000
_ENOUGH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a token says; a subscription's `auth.auth`, if a token was used."""

    user_id: str
    password: str
    """Stands for the password that the user had; the token is no good once he has another."""
    streams: frozenset[str] | None
    """The streams it is good for; None for all of them."""
    expires: float

    def admits(self, stream: str) -> bool:
        """Return whether it is good for this stream, and still is."""
        is_named = self.streams is None or stream in self.streams
        return is_named and self.expires > time.time()


def stream_token(
    user: Any, streams: Iterable[str] | str | None = None, max_age: float = 3600
) -> str:
    """Return a token by which a browser follows streams as this user: `?token=...`.

    It is good for `max_age` seconds, for all streams or those named, for nothing but following, and
    only as long as the user is active and keeps his password. It says who, not what: `canAccess` is
    asked all the same.
    Raise `ValueError` for a user who is not saved, and `UnknownStream`.
    """
    if getattr(user, "pk", None) is None:
        raise ValueError(f"stream_token: expected a user who is saved, got {user!r:.100}")
    names = [streams] if isinstance(streams, str) else streams
    payload = {
        "u": str(user.pk),
        "p": _passwords(user)[0],
        "s": None if names is None else sorted(registry().stream(each).name for each in names),
        "e": round(time.time() + max_age, 3),
    }
    return _PREFIX + _signer().sign_object(payload, compress=True)


def ticket_of(token: str) -> Ticket | None:
    """Return what a token says; None if it is not ours, was changed, or is too old."""
    if not token.startswith(_PREFIX) or len(token) > _LONGEST:
        return None
    try:
        said = _signer().unsign_object(token.removeprefix(_PREFIX))
    except signing.BadSignature:
        return None
    ticket = Ticket(
        user_id=said["u"],
        password=said["p"],
        streams=None if said["s"] is None else frozenset(said["s"]),
        expires=said["e"],
    )
    return ticket if ticket.expires > time.time() else None


class StreamTokenAuthentication(BaseAuthentication):
    """Authenticates by a token of `stream_token`: `?token=`, or `Authorization: Bearer`."""

    KEY = "motia.stream_token"
    """Where in `META` a door that gets its token elsewhere puts it."""

    @classmethod
    def is_for(cls, request: HttpRequest | RestRequest) -> bool:
        """Return whether a request has one of our tokens, good or bad."""
        return cls._token(request).startswith(_PREFIX)

    def authenticate(self, request: RestRequest) -> tuple[Any, Any]:
        """Return the user and the ticket; raise `AuthenticationFailed`."""
        ticket = ticket_of(self._token(request))
        user = None if ticket is None else _user(ticket)
        if user is None:
            raise AuthenticationFailed(_("The token is not good, or not any more."))
        return user, ticket

    def authenticate_header(self, request: RestRequest) -> str:
        """Return what makes a refusal a 401."""
        return "Token"

    @classmethod
    def _token(cls, request: HttpRequest | RestRequest) -> str:
        """Return the first of our tokens that it has, or an empty text."""
        scheme, _, bearer = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        given = (
            request.META.get(cls.KEY),
            request.GET.get("token"),
            bearer.strip() if scheme.lower() == "bearer" else None,
        )
        return next((each for each in given if each and each.startswith(_PREFIX)), "")


def _signer() -> signing.TimestampSigner:
    """Return what signs without a colon, which no WebSocket's subprotocol may hold."""
    return signing.TimestampSigner(salt=_SALT, sep="~")


def _user(ticket: Ticket) -> Any:
    model: Any = get_user_model()
    try:
        user = model._default_manager.filter(pk=ticket.user_id).first()
    except (ValueError, TypeError):
        return None
    is_good = user is not None and user.is_active and ticket.password in _passwords(user)
    return user if is_good else None


def _passwords(user: Any) -> list[str]:
    """Return what stands for a user's password, by the secret key and by those before it.

    A change of it ends sessions by the same rule (`get_session_auth_hash`).
    """
    if not hasattr(user, "get_session_auth_hash"):
        return [""]
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return [each[:_ENOUGH] for each in hashes]
