"""A request that the history has kept, as its copies send it again: its headers, form and files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework.permissions import AllowAny, IsAuthenticated, IsAuthenticatedOrReadOnly

from motia_django import models, payloads
from motia_django.admin import words
from motia_django.registry import registry
from motia_django.triggers import HttpTrigger
from motia_django.triggers.policies import name_of
from motia_django.webhooks import Signature, signatures_of

SECRET = "SECRET"  # nosec B105  # it stands where a secret was
"""Stands where a secret was."""
FORM = "application/x-www-form-urlencoded"
_OF_THE_CLIENT = {
    "accept-encoding",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "dnt",
    "host",
    "pragma",
    "priority",
    "traceparent",
    "transfer-encoding",
    "upgrade-insecure-requests",
    "user-agent",
}
"""The headers that whoever sends a request makes himself, and those of a session."""
_OF_OTHERS = ("sec-", "x-forwarded-")
"""What the names of headers begin with that browsers and proxies add."""
_ASK_NOBODY = "rest_framework.authentication"
"""The module whose classes let in who shows nothing."""
_ANY_USER = (IsAuthenticated, IsAuthenticatedOrReadOnly)
_USUAL_NAME = re.compile(r"\w[\w. -]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRequest:
    """What the input of an http run says of its request, with a word in the place of secrets."""

    method: str
    path: str
    query: Mapping[str, Any]
    headers: Mapping[str, str]
    """Those that the Step, or who lets in, may have read."""
    content_type: str
    body: Any

    @classmethod
    def of(cls, row: models.Run) -> KeptRequest:
        """Return the request of a run, whatever its input has become since."""
        given = placed(words.masked_input(row))
        sent = given if isinstance(given, dict) and "method" in given else {}
        method, _space, declared = row.source.partition(" ")
        headers = {str(name): str(value) for name, value in _mapping(sent.get("headers")).items()}
        types = [text for name, text in headers.items() if name.lower() == "content-type"]
        return cls(
            method=method,
            path=str(sent.get("path") or declared),
            query=_mapping(sent.get("query")),
            headers={name: text for name, text in headers.items() if _is_own(name, text)},
            content_type=types[0] if types else "",
            body=sent.get("body"),
        )

    @property
    def is_form(self) -> bool:
        """Whether its body is a form, of either kind."""
        kinds = (FORM, "multipart/")
        return isinstance(self.body, dict) and self.content_type.lower().startswith(kinds)

    @property
    def files(self) -> list[KeptFile]:
        """The files that were sent in its form."""
        if not self.is_form:
            return []
        return [each for many in self.fields() for each in many[1] if isinstance(each, KeptFile)]

    def fields(self) -> list[tuple[str, list[Any]]]:
        """Return the form's fields, each with its values: texts, and files."""
        return [
            (name, [_file(each) for each in (value if isinstance(value, list) else [value])])
            for name, value in _mapping(self.body).items()
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """What is kept of a file: all but its content."""

    name: str
    size: int
    """Bytes."""
    content_type: str

    @property
    def plain_name(self) -> str:
        """A name that means nothing else to who pastes it: no other folder, no hidden file."""
        return self.name if _USUAL_NAME.fullmatch(self.name) else "FILE"


def placed(value: Any) -> Any:
    """Return a masked value with a word in the place of each mask, for somebody to fill in."""
    if isinstance(value, dict):
        return {key: placed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [placed(item) for item in value]
    return SECRET if value == payloads.MASK else value


def signature_of(row: models.Run) -> type[Signature] | None:
    """Return what signs the requests to the Step on the path of this run; None if nothing does."""
    trigger = _trigger_of(row)
    kinds = signatures_of(trigger) if trigger else []
    return kinds[0] if kinds else None


def asked_of_users(row: models.Run, kept: KeptRequest) -> list[str] | None:
    """Return the names of what asks who sends such a request; None if nobody is asked.

    It is the Step's own authentication and permissions, or the project's: an authentication that
    may refuse, or that had something to judge, and permissions that not everybody has.
    """
    authentication, permissions = _policies(row)
    has_shown = "authorization" in {name.lower() for name in kept.headers}
    own = [each for each in authentication if has_shown or _module(each) != _ASK_NOBODY]
    asking = [*own, *(each for each in permissions if each is not AllowAny)]
    return [name_of(each) for each in asking] or None


def are_any_users_enough(row: models.Run) -> bool:
    """Return whether its permissions ask for a user only, and for nothing that he may do."""
    return all(each in (AllowAny, *_ANY_USER) for each in _policies(row)[1])


def _policies(row: models.Run) -> tuple[Sequence[Any], Sequence[Any]]:
    trigger = _trigger_of(row)
    if trigger is None:
        return (), ()
    policies = trigger.policies
    return policies.in_force("authentication"), policies.in_force("permissions")


def _trigger_of(row: models.Run) -> HttpTrigger | None:
    step = registry().step(row.step) if row.step in registry() else None
    for _, trigger in step.triggers_of("http") if step else ():
        if trigger.source == row.source and isinstance(trigger, HttpTrigger):
            return trigger
    return None


def _is_own(name: str, text: str) -> bool:
    """Return whether a header says anything that no other client would say by itself."""
    folded = name.lower()
    of_others = folded in _OF_THE_CLIENT or folded.startswith(_OF_OTHERS)
    return not of_others and (folded, text) != ("accept", "*/*")


def _file(value: Any) -> Any:
    """Return a field's value; what the history keeps of a file as such."""
    is_file = isinstance(value, dict) and value.keys() == {"file", "size", "contentType"}
    if not is_file or not isinstance(value["size"], int):
        return value
    kind = str(value["contentType"] or "")
    return KeptFile(name=str(value["file"]), size=value["size"], content_type=kind)


def _module(maker: Callable[..., Any]) -> str:
    return str(getattr(maker, "__module__", ""))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
