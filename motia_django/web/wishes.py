"""What a client says on a WebSocket, in Motia's protocol: to join, or to leave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from motia_django import payloads
from motia_django.exceptions import InvalidKey
from motia_django.live.access import Subscription

LONGEST = 16_384
"""Characters of one message; names of 255 characters need far fewer."""

_NOT_TEXT, _NOT_JSON, _NOT_MOTIA, _TOO_LONG = 4003, 4007, 4008, 4009
"""RFC 6455's codes, in the range that every server lets an application send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """`{"type": "join", "data": {"subscriptionId", "streamName", "groupId", "id"?}}`, or leave."""

    type: Literal["join", "leave"]
    subscription_id: str
    """The client's own name for it."""
    subscription: Subscription


class NotMotia(Exception):
    """A client that does not speak the protocol; `code` and `reason` end its WebSocket."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class NotPossible(Exception):
    """One wish that cannot be met, whatever the others are."""

    def __init__(self, subscription_id: str, reason: str) -> None:
        self.subscription_id = subscription_id
        super().__init__(reason)


def read(text: str | None) -> Wish:
    """Return what a message says; None stands for a binary one.

    Raise `NotMotia`, or `NotPossible` for names that no stream, group or item can have.
    """
    kind, data = _opened(text)
    subscription_id = data.get("subscriptionId")
    if not _is_name(subscription_id):
        raise NotMotia(_NOT_MOTIA, "expected a subscriptionId of 1 to 255 characters of Unicode")
    try:
        names = (data.get(name) for name in ("streamName", "groupId", "id"))
        subscription = Subscription.checked(*names)
    except InvalidKey as error:
        raise NotPossible(subscription_id, str(error)) from error
    return Wish(type=kind, subscription_id=subscription_id, subscription=subscription)


def not_possible(error: NotPossible) -> str:
    """Return the frame that says so; Motia's clients have no such frame, and pass over it."""
    return payloads.dumps(
        {"type": "error", "subscriptionId": error.subscription_id, "message": str(error)}
    )


def _is_name(given: Any) -> TypeGuard[str]:
    """Return whether it can be sent back: half of a surrogate pair can be said, and not written."""
    is_short = isinstance(given, str) and 1 <= len(given) <= 255
    return is_short and given == given.encode("utf-8", "replace").decode()


def _opened(text: str | None) -> tuple[Literal["join", "leave"], Mapping[str, Any]]:
    if text is None:
        raise NotMotia(_NOT_TEXT, "expected text, not bytes")
    if len(text) > LONGEST:
        raise NotMotia(_TOO_LONG, f"expected up to {LONGEST} characters")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise NotMotia(_NOT_JSON, "expected JSON") from None
    kind, data = (said.get("type"), said.get("data")) if isinstance(said, dict) else (None, None)
    if kind not in ("join", "leave") or not isinstance(data, dict):
        raise NotMotia(_NOT_MOTIA, 'expected {"type": "join" or "leave", "data": {...}}')
    return kind, data
