"""Keys of requests: one that is repeated gets the answer that it got, and has no effect.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException

from motia_django import ledger, payloads
from motia_django.exceptions import LeaseLost
from motia_django.registry import Listener
from motia_django.triggers import HttpTrigger
from motia_django.triggers.exchange import Request
from motia_django.triggers.idempotency import Idempotency, own_scope, parts_of
from motia_django.webhooks import Signature

logger = logging.getLogger("motia.http")

REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21\x23-\x7e]{1,255}")
_PARAMETER, _NAMED = re.compile(r"<(?:[^<>:]+:)?(\w+)>"), r":\1"


class KeyRefused(APIException):
    """A request whose key does not do; the text names the header that has it."""

    def __init__(self, header: str) -> None:
        super().__init__(str(self.default_detail) % {"header": header})


class KeyMissing(KeyRefused):
    """The Step wants a key, and there is none."""

    status_code = HTTPStatus.BAD_REQUEST
    default_code = "idempotency_key_missing"
    default_detail = _("This request needs a header %(header)s.")


class KeyInvalid(KeyRefused):
    """What was sent cannot be a key."""

    status_code = HTTPStatus.BAD_REQUEST
    default_code = "idempotency_key_invalid"
    default_detail = _("%(header)s: expected 1 to 255 visible ASCII characters.")


class KeyInUse(KeyRefused):
    """The first request with this key is not answered yet."""

    status_code = HTTPStatus.CONFLICT
    default_code = "idempotency_key_in_use"
    default_detail = _("A request with this %(header)s is being worked on.")
    wait = 1
    """Seconds of `Retry-After`."""


class KeyReused(KeyRefused):
    """The first request with this key asked for something else."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = _("This %(header)s was sent before, with another request.")


@dataclass(kw_only=True)
class Claim:
    """A request's hold on its key. That of a request without one holds nothing."""

    key: str = ""
    """A digest; empty if there is none."""
    holder: UUID = field(default_factory=uuid4)
    answer: HttpResponse | None = None
    """What was answered before."""
    is_kept: bool = False

    def keep(self, response: HttpResponseBase, subject: str) -> None:
        """Keep an answer, in the transaction that there is; one of 500 or more is not kept.

        Raise `LeaseLost` if another request has the key by now.
        """
        if not self.key or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return
        assert isinstance(response, HttpResponse)
        headers = [*response.items(), *(("Set-Cookie", each) for each in _cookies(response))]
        self.is_kept = ledger.keep_answer(
            self.key,
            self.holder,
            status=response.status_code,
            headers=headers,
            body=response.content,
        )
        if not self.is_kept:
            text = "this request took longer than its lease, and another has its Idempotency-Key"
            raise LeaseLost(f"{subject}: {text}")

    def release(self) -> None:
        """Let the next request with this key begin anew."""
        try:
            ledger.release_answer(self.key, self.holder)
        except (DatabaseError, InterfaceError):
            logger.exception("An Idempotency-Key is held until its lease ends")


NO_CLAIM = Claim(holder=UUID(int=0))
"""That of all requests for which no key is kept."""


@contextmanager
def claimed(listener: Listener, request: Request) -> Iterator[Claim]:
    """Hold the request's key for the block; let it go after it, unless an answer was kept.

    Raise `KeyMissing`, `KeyInvalid`, `KeyInUse` or `KeyReused`.
    """
    trigger = listener.trigger
    assert isinstance(trigger, HttpTrigger)
    idempotency = trigger.idempotency
    sent = _key(request, idempotency) if idempotency else None
    if idempotency is None or sent is None:
        yield Claim()
        return
    scope, name, path = _scope(listener.step.name, request, idempotency)
    claim = Claim(key=_digest(name, _who(request, path), sent))
    where = {"step": listener.step.name, "scope": scope}
    claim.answer = _answer(claim, where, _asked(request, path), idempotency)
    if claim.answer is not None:
        yield claim
        return
    try:
        yield claim
    except BaseException:
        claim.release()
        raise
    if not claim.is_kept:
        claim.release()


def _key(request: Request, idempotency: Idempotency) -> str | None:
    """Return the key that was sent: a string as RFC 8941 has it, or one without the quotes."""
    sent = request.raw.headers.get(idempotency.header, "").strip()
    if not sent:
        if idempotency.required:
            raise KeyMissing(idempotency.header)
        return None
    if len(sent) > 1 and sent[0] == sent[-1] == '"':
        sent = sent[1:-1]
    if not _KEY.fullmatch(sent):
        raise KeyInvalid(idempotency.header)
    return str(sent)


def _scope(step: str, request: Request, idempotency: Idempotency) -> tuple[str, str, str]:
    """Return the scope of a request's key, and what in it stands for the Step and for the path.

    In one that the trigger names, the path's parameters are filled in by their order, and added
    where it has no place for them: they may say whose secret it is.
    """
    if not idempotency.scope:
        return own_scope(step, _declared_path(request)), step, request.path
    name, path = parts_of(idempotency.scope)
    values = map(str, request.raw.parser_context["kwargs"].values())
    parts = [next(values, part) if part.startswith(":") else part for part in path.split("/")]
    return idempotency.scope, name, "/".join([*parts, *values])


def _declared_path(request: Request) -> str:
    """Return the path with its parameters' names, and with the prefix that it is included under."""
    asked = request.raw._request
    route = asked.resolver_match.route if asked.resolver_match else asked.path_info[1:]
    return f"{asked.path.removesuffix(asked.path_info)}/{_PARAMETER.sub(_NAMED, route)}"


def _answer(
    claim: Claim, where: dict[str, str], asked: str, idempotency: Idempotency
) -> HttpResponse | None:
    """Return the answer that was kept; None if the key is claimed now."""
    found = ledger.claim_answer(
        claim.key,
        **where,
        request=asked,
        holder=claim.holder,
        lease=idempotency.lease,
        ttl=idempotency.ttl,
    )
    if found is None:
        return None
    if found.request != asked:
        raise KeyReused(idempotency.header)
    if found.status is None:
        raise KeyInUse(idempotency.header)
    return _replayed(found.status, found.headers, bytes(found.body))


def _replayed(status: int, headers: list[list[str]], body: bytes) -> HttpResponse:
    response = HttpResponse(body, status=status)
    del response.headers["Content-Type"]
    for name, text in headers:
        if name == "Set-Cookie":
            response.cookies.load(text)
        else:
            response.headers[name] = text
    response.headers[REPLAYED] = "true"
    return response


def _cookies(response: HttpResponse) -> list[str]:
    return [each.OutputString() for each in response.cookies.values()]


def _who(request: Request, path: str) -> list[str]:
    """Return who asks: a user, or how somebody without a user has proved who he is.

    Those who sign are told apart by the path, which may say by whose secret. Raise `TypeError` if
    two who ask cannot be told apart.
    """
    user, auth = request.user, request.auth
    if getattr(user, "is_authenticated", False):
        is_nobody_else = auth is None or _tells_itself(user)
        return ["user", _kind(user), _told(user if is_nobody_else else auth)]
    if isinstance(request.raw.successful_authenticator, Signature):
        return ["signed", path]
    if auth is None:
        return ["anonymous", request.raw.headers.get("Authorization", "")]
    return ["anonymous", _kind(auth), _told(auth)]


def _told(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=_itself)


def _itself(value: Any) -> str:
    """Return what an object says of itself, unless that is no more than its address in memory."""
    if not _tells_itself(value):
        raise TypeError(
            "an Idempotency-Key is its sender's own, and who that is cannot be told: expected a"
            " `pk` or a `__str__` of the user or of request.auth, got neither in"
            f" {_kind(value)}"
        )
    known = getattr(value, "pk", None)
    return str(value if known is None else known)


def _tells_itself(value: Any) -> bool:
    kind = value.__class__
    is_plain = kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__
    return not is_plain or getattr(value, "pk", None) is not None


def _kind(value: Any) -> str:
    """Return the class of a value, that of what a lazy one stands for."""
    kind: type = value.__class__
    return f"{kind.__module__}.{kind.__qualname__}"


def _asked(request: Request, path: str) -> str:
    """Return a digest of what is asked for; the headers do not count."""
    given = request.body
    form = dict(given.lists()) if isinstance(given, QueryDict) else given
    body = json.dumps(form, sort_keys=True, default=_described)
    return _digest(request.method, path, request.raw.META.get("QUERY_STRING", ""), body)


def _described(value: Any) -> Any:
    if not isinstance(value, UploadedFile):
        return repr(value)
    content = hashlib.sha256()
    for chunk in value.chunks():
        content.update(chunk)
    value.seek(0)
    return [value.name, value.content_type, content.hexdigest()]


def _digest(*parts: Any) -> str:
    return hashlib.sha256(payloads.dumps(parts).encode()).hexdigest()
