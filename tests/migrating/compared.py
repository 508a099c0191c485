"""What `test_from_drf` tries in the project of the page; pytest does not collect it by itself.

Each side is told the same at the same time of the same database, which is rolled back in between.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import cache as django_cache
from django.db import transaction
from django.test import Client
from rest_framework.authtoken.models import Token

from tests.migrating.conversation import CONVERSATION, Ask

OURS = {"motia-trace-id"}
pytestmark = pytest.mark.django_db


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, with the one prefix for the other."""

    status: int
    headers: dict[str, str]
    body: str


def sent(ask: Ask, prefix: str) -> Answer:
    """Send a request to one side."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    headers = {"Accept": "application/json", **ask.headers}
    if ask.by:
        headers["Authorization"] = f"Token {ask.by}-token"
    if ask.session:
        client.force_login(User.objects.get(username=ask.session))
    path = f"/{prefix}/{ask.path}"
    if ask.form is not None:
        for each in ask.form.values():
            getattr(each, "seek", lambda _: None)(0)
        response = client.post(path, ask.form, headers=headers)
    else:
        response = client.generic(ask.method, path, ask.content, ask.kind, headers=headers)
    return seen(response, prefix)


def seen(response: Any, prefix: str) -> Answer:
    """Return an answer without what of it names the side: its prefix, and the digest over that."""
    body = response.content.decode()
    headers = {name.lower(): text for name, text in response.headers.items()}
    headers["set-cookie"] = re.sub(r"csrftoken=\w+", "csrftoken=", response.cookies.output())
    if f"/{prefix}/" in body:
        headers.pop("etag", None)
    headers = {name: text.replace(f"/{prefix}/", "/") for name, text in headers.items()}
    return Answer(
        status=response.status_code,
        headers={name: text for name, text in headers.items() if name not in OURS},
        body=body.replace(f"/{prefix}/", "/"),
    )


@cache
def answers(prefix: str) -> list[Answer]:
    """Say all there is to say to one side; the database and the cache are as before then."""
    django_cache.clear()
    with time_machine.travel("2026-03-04 10:30:00+00:00", tick=False), transaction.atomic():
        for name in ("ada", "bob"):
            Token.objects.create(user=User.objects.create_user(name), key=f"{name}-token")
        said = [sent(ask, prefix) for ask in CONVERSATION]
        transaction.set_rollback(True)
    return said


@pytest.mark.parametrize("number", range(len(CONVERSATION)))
def test_the_old_view_and_the_step_answer_the_same(number: int) -> None:
    ask, old, new = CONVERSATION[number], answers("old")[number], answers("new")[number]
    assert differences(old, new) == set(ask.differs), (ask, old, new)


def differences(old: Answer, new: Answer) -> set[str]:
    """Return in what two answers differ; what follows from another body is the body."""
    found = {name for name in ("status", "body") if getattr(old, name) != getattr(new, name)}
    headers = {name for name in {*old.headers, *new.headers} if is_other(name, old, new)}
    return found | (headers - {"content-length", "etag"} if found else headers)


def is_other(name: str, old: Answer, new: Answer) -> bool:
    """Return whether a header is not the same."""
    return old.headers.get(name) != new.headers.get(name)


def test_options_tell_of_the_same_formats() -> None:
    told = [
        (json.loads(old.body), json.loads(new.body))
        for ask, old, new in zip(CONVERSATION, answers("old"), answers("new"), strict=True)
        if ask.method == "OPTIONS"
    ]
    assert len(told) == 3
    for old, new in told:
        assert (new["renders"], new["parses"]) == (old["renders"], old["parses"])


def test_the_conversation_has_everything_in_it() -> None:
    """So that two sides that answer nothing but 404 are not the same."""
    counts: dict[int, int] = {}
    for each in answers("old"):
        counts[each.status] = counts.get(each.status, 0) + 1
    expected = {200, 201, 202, 204, 301, 304, 400, 401, 403, 404, 405, 406, 412, 415, 429}
    assert expected <= set(counts), counts
    assert 500 not in counts
    assert len(CONVERSATION) > 100
