"""What a browser asks for: what to follow, and from where on, which it was given to come back with.

Its `Last-Event-ID` is a position of the log, such as `1042~9-5.2`. If it was refused some of what
it asks for, these follow, as bits in the order in which they are asked for: `1042!5` is the first
and the third. Then comes a seal, `@` and 16 hex digits: of another user, or of who asks for
something else, nothing can be resumed, and he is told how things are. An `EventSource` that is new
can set no header: it has it in `?lastEventId=`.

What is refused says so by its own id: from where the browser resumes may be where it was before.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from hashlib import blake2b, sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import unquote

from django.conf import settings
from django.utils.encoding import force_bytes
from rest_framework.exceptions import ParseError
from rest_framework.request import Request as RestRequest

from motia_django import payloads
from motia_django.exceptions import InvalidKey
from motia_django.live.access import Subscription
from motia_django.live.positions import Position

MOST_FOLLOWED = 100

_NUMBER = re.compile(r"[0-9]{1,9}")
_LAST_ID = re.compile(r"([^!@]*)(?:!([0-9a-f]{1,32}))?")
_SALT = b"motia_django.web.asking"
_SEAL = 8
"""Bytes of a seal."""


class Ids:
    """What one browser is given to come back with: read at first, then written anew.

    What it was given before, `last_id`, says that it was at `since`, and refused `lacked` there.
    The position is None if nothing can be resumed from that.
    """

    def __init__(self, asked: Sequence[Subscription], user: Any, last_id: str) -> None:
        self._asked = asked
        self._key = _key(asked, user)
        self.since, self.lacked = self._read(last_id)
        self._joined: Container[Subscription] = ()
        self._mark = self._before = ""

    def begin(self, joined: Container[Subscription]) -> None:
        """Have the ids be those of who begins with these."""
        self._let_in(joined)
        if self.since is not None and self._mark:
            still = [*_lacking(self._asked, joined), *(e for e in self._asked if e in self.lacked)]
            self._before = self._sealed(self.since.token + _mark(self._asked, still))

    def of(self, position: str | None, joined: Container[Subscription]) -> str:
        """Return the id of a message after which the browser is at this position of these.

        Until there is a position it is the one from before; empty if that would say nothing new.
        """
        if position is None:
            return self._before
        self._before = ""
        if joined is not self._joined:
            self._let_in(joined)
        return self._sealed(position + self._mark)

    def _let_in(self, joined: Container[Subscription]) -> None:
        self._joined, self._mark = joined, _mark(self._asked, _lacking(self._asked, joined))

    def _read(self, given: str) -> tuple[Position | None, list[Subscription]]:
        text, _, _seal = given.partition("@")
        found = _LAST_ID.fullmatch(text)
        if found is None or not compare_digest(_bytes(self._sealed(text)), _bytes(given)):
            return None, []
        bits = int(found[2] or "0", 16)
        refused = [each for place, each in enumerate(self._asked) if bits >> place & 1]
        return Position.from_token(found[1]), refused

    def _sealed(self, text: str) -> str:
        seal = blake2b(_bytes(text), key=self._key, digest_size=_SEAL)
        return f"{text}@{seal.hexdigest()}"


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


def _key(asked: Sequence[Subscription], user: Any) -> bytes:
    """Return what the ids of this user are sealed by, as long as he asks for the same."""
    whose = [str(getattr(user, "pk", None)), [[*each.key, each.bound] for each in asked]]
    secret = sha256(_SALT + force_bytes(settings.SECRET_KEY)).digest()
    return blake2b(payloads.dumps(whose).encode(), key=secret, digest_size=32).digest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


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
