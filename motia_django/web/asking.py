"""What a browser asks for: what to follow, and from where on, which it was given to come back with.

Its `Last-Event-ID` is a position of the log, such as `1042~9-5.2`. If it was refused some of what
it asks for, these follow, as bits in the order in which they are asked for: `1042!5` is the first
and the third. An `EventSource` that is new can set no header: it has it in `?lastEventId=`.

What is refused says so by its own id: from where the browser resumes may be where it was before.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from urllib.parse import unquote

from rest_framework.exceptions import ParseError
from rest_framework.request import Request as RestRequest

from motia_django.exceptions import InvalidKey
from motia_django.live.access import Subscription
from motia_django.live.positions import Position

MOST_FOLLOWED = 100

_NUMBER = re.compile(r"[0-9]{1,9}")
_LAST_ID = re.compile(r"([^!]*)(?:!([0-9a-f]{1,32}))?")


class Ids:
    """What the messages of one connection are given, for their browser to come back with.

    It resumes from `since`, where it was refused `lacked`, and begins with what it has `joined`.
    """

    def __init__(
        self,
        asked: Sequence[Subscription],
        joined: Container[Subscription],
        since: Position | None,
        lacked: Container[Subscription],
    ) -> None:
        self._asked = asked
        self._joined, self._mark = joined, _mark(asked, _lacking(asked, joined))
        self._before = ""
        if since is not None and self._mark:
            still = [*_lacking(asked, joined), *(each for each in asked if each in lacked)]
            self._before = since.token + _mark(asked, still)

    def of(self, position: str | None, joined: Container[Subscription]) -> str:
        """Return the id of a message after which the browser is at this position of these.

        Until there is a position it is the one from before; empty if that would say nothing new.
        """
        if position is None:
            return self._before
        self._before = ""
        if joined is not self._joined:
            self._joined, self._mark = joined, _mark(self._asked, _lacking(self._asked, joined))
        return position + self._mark


def asked_for(request: RestRequest, route: Mapping[str, str]) -> list[Subscription]:
    """Return what is to be followed, each once; raise `ParseError`."""
    limit = _limit(request.query_params.get("limit"))
    if route:
        return [_subscription([route["stream"], route["group"], route.get("item")], limit)]
    asked = [_parsed(each, limit) for each in request.query_params.getlist("follow")]
    unique = list(dict.fromkeys(asked))
    if not 1 <= len(unique) <= MOST_FOLLOWED:
        raise ParseError(
            f"follow: expected 1 to {MOST_FOLLOWED} of ?follow=<stream>/<group> or"
            f" ?follow=<stream>/<group>/<item>, got {len(unique)}."
        )
    return unique


def last_id(request: RestRequest) -> str:
    """Return what the browser was given to come back with: what it sends itself, else the page."""
    header: str | None = request.headers.get("Last-Event-ID")
    return header or request.query_params.get("lastEventId", "")


def read(given: str, asked: Sequence[Subscription]) -> tuple[Position | None, list[Subscription]]:
    """Return where the browser was, and what of what it asks for it was refused.

    The position is None if nothing can be resumed from this.
    """
    found = _LAST_ID.fullmatch(given)
    if found is None:
        return None, []
    bits = int(found[2] or "0", 16)
    refused = [each for place, each in enumerate(asked) if bits >> place & 1]
    return Position.from_token(found[1]), refused


def _lacking(asked: Iterable[Subscription], joined: Container[Subscription]) -> list[Subscription]:
    return [each for each in asked if each not in joined]


def _mark(asked: Sequence[Subscription], lacked: Container[Subscription]) -> str:
    bits = sum(1 << place for place, each in enumerate(asked) if each in lacked)
    return f"!{bits:x}" if bits else ""


def _limit(given: str | None) -> int | None:
    if given is None:
        return None
    limit = int(given) if _NUMBER.fullmatch(given) else 0
    if not limit:
        raise ParseError(f"limit: expected a whole number greater than 0, got {given!r:.100}.")
    return limit


def _parsed(value: str, limit: int | None) -> Subscription:
    try:
        parts = [unquote(part, errors="strict") for part in value.split("/")]
    except UnicodeDecodeError:
        parts = []
    if len(parts) not in (2, 3):
        raise ParseError(
            "follow: expected <stream>/<group> or <stream>/<group>/<item>, each part"
            f" percent-encoded, got {value!r:.300}."
        )
    return _subscription([*parts, None], limit)


def _subscription(parts: Sequence[str | None], limit: int | None) -> Subscription:
    try:
        return Subscription.checked(*parts[:3], limit=limit)
    except InvalidKey as error:
        raise ParseError(str(error)) from error
