"""Browsers of a test, which follow streams: whether they may, and what they are told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import quote

from django.urls import reverse
from rest_framework.test import APIClient

from motia_django import payloads
from motia_django.live import items, log
from motia_django.live.dismissals import NOWHERE
from motia_django.live.reviews import standing_of, standings
from motia_django.registry import registry
from motia_django.testing.asking import ask
from motia_django.testing.commits import commit

_FIELD = re.compile(rb"^(data|id): (.*)$", re.MULTILINE)
_DENIED = 403
"""Who is refused so, and let in again, begins anew: what was written meanwhile is not for him."""


class _Event(NamedTuple):
    type: str
    """`create`, `update`, `delete`, or `event` for one that was sent; to who begins, `sync`.

    `unauthorized` for one of several subscriptions that is refused.
    """
    group: str
    item: str | None
    data: Any


class Streamed(_Event):
    """An event of a stream, as followers are told it: `(type, group, item, data)`."""

    stream: str
    """The stream, which is no part of the tuple."""

    def __new__(
        cls, type: str, group: str, item: str | None, data: Any, *, stream: str
    ) -> Streamed:
        """Return an event."""
        event = super().__new__(cls, type, group, item, data)
        event.stream = stream
        return event


_Place = tuple[str, str, str | None]


@dataclass(kw_only=True)
class Follower:
    """Who follows groups of streams, or items, by their address as a browser does."""

    client: APIClient
    address: str
    query: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    user: Any = None
    """Who he is, unless the client knows."""
    status: int = 0
    """What was answered last: 200; 401 or 403, if he is refused all; 503, if that is unknown."""
    told: list[Streamed] = field(default_factory=list)
    """All that he was told: first how things are, by a `sync`, then what came."""
    _last_id: str = ""
    _refused: set[_Place] = field(default_factory=set)
    """What he has been told that he is refused."""
    _standing: str | None = field(init=False)

    def __post_init__(self) -> None:
        self._standing = self._standing_now()

    @property
    def refused(self) -> bool:
        """Whether he may follow nothing of it."""
        return self.status != 200

    def listen(self) -> list[Streamed]:
        """Come back, be judged again, and return what has come since.

        A user who is not who he was when he was let in, as `RECHECK` looks at it, comes as nobody.
        """
        commit()
        _begin_the_log()
        headers = {**(self.headers or {}), "Last-Event-ID": self._last_id}
        sent = {"body": (b"", ""), "query": self.query, "headers": headers}
        with patch.object(log, "_BRAND_NEW", 0):  # what is missing below was undone after a test
            answer = ask(self._client(), "GET", self.address, **sent)
        if answer.error is not None:
            raise answer.error
        self.status = answer.status
        self._last_id = "" if self.status == _DENIED else self._last_id
        came = self._new(list(self._read(answer.content))) if not self.refused else []
        self.told += came
        return came

    def _client(self) -> APIClient:
        is_who_he_was = self._standing is None or self._standing == self._standing_now()
        return self.client if is_who_he_was else APIClient()

    def _standing_now(self) -> str | None:
        """Return how the user is in the table, where he is one of it."""
        if standing_of(self.user) is None:
            return None
        return standings([self.user.pk]).get(self.user.pk)

    def _new(self, came: list[Streamed]) -> list[Streamed]:
        """Leave out that he is refused what he was refused before: each connection says it."""
        before = self._refused
        self._refused = {_place_of(each) for each in came if each.type == "unauthorized"}
        return [
            each for each in came if each.type != "unauthorized" or _place_of(each) not in before
        ]

    def _read(self, content: bytes) -> Iterator[Streamed]:
        for name, value in _FIELD.findall(content):
            if name == b"id":
                self._last_id = value.decode()
                continue
            frame = payloads.loads(value)
            event = frame["event"]
            data = event.get("event" if event["type"] == "event" else "data")
            place = frame["groupId"], frame["id"]
            yield Streamed(event["type"], *place, data, stream=frame["streamName"])


def _place_of(event: Streamed) -> _Place:
    return event.stream, event.group, event.item


def told_of(stream: str) -> list[Streamed]:
    """Return what followers of a stream were told; raise `UnknownStream`."""
    name = registry().stream(stream).name
    found = log.events().filter(stream=name).order_by("id")
    return [Streamed(each.kind, each.group, each.item, each.data, stream=name) for each in found]


def _begin_the_log() -> None:
    """Write what is told to nobody, if the log is empty, from which nobody could resume.

    Its ids go on where those of a test before were undone, and so look as if some were pruned.
    """
    if not log.newest():
        items.send(NOWHERE, NOWHERE, None, {}, announce=lambda changes: None)


def address_of(
    stream: str | Sequence[Sequence[str]], group: str, item: str | None
) -> tuple[str, dict[str, Any]]:
    """Return where this is followed, or a list of such names, and by what query.

    Raise `UnknownStream`.
    """
    if isinstance(stream, str):
        parts = [registry().stream(stream).name, group, *([] if item is None else [item])]
        return reverse(f"motia:stream-{'group' if item is None else 'item'}", args=parts), {}
    several: Any = [stream] if all(isinstance(each, str) for each in stream) else stream
    names = [(registry().stream(name).name, *place) for name, *place in several]
    follow = ["/".join(quote(name, safe="") for name in each) for each in names]
    return reverse("motia:streams"), {"follow": follow}
