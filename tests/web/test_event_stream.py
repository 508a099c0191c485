"""The door for browsers, as a WSGI server has it: judged, answered with what there is, ended."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from runpy import run_path
from typing import Any, cast
from urllib.parse import quote, urlencode

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection
from django.http import Http404
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import APIException, NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request as RestRequest

from motia_django import Stream, urls
from motia_django.exceptions import UnknownStream
from motia_django.live import log
from motia_django.live.access import Auth, Subscription, may_follow
from motia_django.live.holes import Holes
from motia_django.live.positions import Position
from motia_django.live.tokens import StreamTokenAuthentication, stream_token
from motia_django.models import StreamEvent
from motia_django.web.asking import Ids
from tests.factories import installed, make_stream
from tests.web.serving import serving_streams

pytestmark = pytest.mark.django_db
NASTY = "größe/🚲 %2F?&#+"


def only_for_ann(subscription: Any, auth: Any) -> bool:
    return bool(auth.user.is_authenticated and auth.user.username == "ann")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of a log that is not new: there, ids that other tests rolled back mean a sync."""
    monkeypatch.setattr(log, "_BRAND_NEW", 0)
    private = make_stream("private", canAccess=only_for_ann)
    with serving_streams(make_stream("orders"), private) as client:
        yield client


def events(response: Any) -> list[dict[str, str]]:
    """Return the fields of each event, as a browser reads them."""
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    blocks = response.content.decode().strip().split("\n\n")
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


def told(response: Any) -> list[Any]:
    """Return what the events carry."""
    frames = [json.loads(each["data"]) for each in events(response) if "data" in each]
    return [(each["id"], each["event"]) for each in frames]


class Away:
    """A database that cannot be reached."""

    def __call__(self, *asked: Any) -> Any:
        raise OperationalError("the database system is shutting down")


class AwayFor(Away):
    """A database that goes while something is asked for."""

    def __init__(self, table: str) -> None:
        self.table = table

    def __call__(self, execute: Any, sql: str, *asked: Any) -> Any:
        return super().__call__() if self.table in sql else execute(sql, *asked)


def test_while_the_database_is_away_a_browser_is_told_to_come_back(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    address = reverse("motia:stream-group", args=["orders", "g"])
    client.force_login(User.objects.create_user("ann"))
    for away in (Away(), AwayFor("auth_user")):
        with connection.execute_wrapper(away):
            [only] = events(client.get(address, headers={"Accept": "text/event-stream"}))
            others = client.get(address)
        assert int(only["retry"]) > 2000
        assert (others.status_code, others.headers["Retry-After"]) == (503, "5")
    assert "django.request" not in {each.name for each in caplog.records}
    assert told(client.get(address)) == [(None, {"type": "sync", "data": []})]


def test_a_group_is_told_with_a_position_from_which_the_next_request_resumes(
    client: Client,
) -> None:
    Stream("orders").set("g", "a", {"n": 1})
    first = client.get(reverse("motia:stream-group", args=["orders", "g"]))
    assert told(first) == [(None, {"type": "sync", "data": [{"n": 1, "id": "a"}]})]
    assert events(first)[0] == {"retry": "2000"}
    position = events(first)[-1]["id"]

    Stream("orders").set("g", "a", {"n": 2})
    Stream("orders").send("g", "paid", 5)
    headers = {"Last-Event-ID": position}
    second = client.get("/streams/orders/g/", headers=headers)
    assert told(second) == [
        ("a", {"type": "update", "data": {"n": 2, "id": "a"}}),
        (None, {"type": "event", "event": {"type": "paid", "data": 5}}),
    ]
    headers = {"Last-Event-ID": events(second)[-1]["id"]}
    third = client.get("/streams/orders/g/", headers=headers)
    assert told(third) == []
    assert events(third)[-1] == {"id": headers["Last-Event-ID"]}


def test_a_browser_that_can_set_no_header_resumes_by_its_address(client: Client) -> None:
    Stream("orders").set("g", "a", {"n": 1})
    position = events(client.get("/streams/orders/g/"))[-1]["id"]
    Stream("orders").send("g", "paid", 5)
    paid = [(None, {"type": "event", "event": {"type": "paid", "data": 5}})]
    query = urlencode({"lastEventId": position})
    for address in (f"/streams/orders/g/?{query}", f"/streams/?follow=orders/g&{query}"):
        again = client.get(address)
        assert told(again) == paid
        newer = {"Last-Event-ID": events(again)[-1]["id"]}
        assert told(client.get(address, headers=newer)) == []


@pytest.mark.parametrize("last_id", ["999999999", "nonsense", "0", "-1", "5~4~3", "1@", "é@ü"])
def test_an_id_that_is_not_of_this_log_begins_anew(client: Client, last_id: str) -> None:
    for number in range(3):
        Stream("orders").set("g", "a", {"n": number})
    StreamEvent.objects.order_by("id")[0].delete()
    address = "/streams/orders/g/"
    by_header = client.get(address, headers={"Last-Event-ID": last_id})
    by_address = client.get(address, {"lastEventId": last_id})
    for response in (by_header, by_address):
        assert told(response) == [(None, {"type": "sync", "data": [{"n": 2, "id": "a"}]})]


def sealed(position: str, user: Any = None) -> str:
    """Return the id of a message to who follows the group `g` of the orders."""
    asked = [Subscription.checked("orders", "g")]
    return Ids(asked, user or AnonymousUser(), "").of(position, asked)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("follow=orders/g", "follow=orders/g&follow=orders/h"),
        ("follow=orders/g", "follow=orders/h"),
        ("follow=orders/g&follow=orders/h", "follow=orders/h&follow=orders/g"),
        ("follow=orders/g/a", "follow=orders/g"),
        ("follow=orders/g", "follow=orders/g/a"),
        ("follow=orders/g&limit=1", "follow=orders/g"),
    ],
)
def test_who_asks_for_something_else_is_told_all_of_it(
    client: Client, before: str, after: str
) -> None:
    for group in "gh":
        Stream("orders").set(group, "a", {"n": 1})
        Stream("orders").set(group, "b", {"n": 2})
    last_id = events(client.get(f"/streams/?{before}"))[-1]["id"]
    response = client.get(f"/streams/?{after}", headers={"Last-Event-ID": last_id})
    assert told(response) == told(client.get(f"/streams/?{after}"))
    assert {event["type"] for _, event in told(response)} == {"sync"}


def test_the_id_of_another_is_no_way_into_the_past(client: Client, django_user_model: Any) -> None:
    ada, bob = (django_user_model.objects.create_user(name) for name in ("ada", "bob"))
    client.force_login(ada)
    last_id = events(client.get("/streams/orders/g/"))[-1]["id"]
    Stream("orders").set("g", "secret", {"n": 1})
    Stream("orders").delete("g", "secret")
    came = [event["type"] for _, event in told(
        client.get("/streams/orders/g/", headers={"Last-Event-ID": last_id})
    )]  # fmt: skip
    assert came == ["create", "delete"]
    client.force_login(bob)
    for theirs in (last_id, last_id.partition("@")[0], "0"):
        response = client.get("/streams/orders/g/", headers={"Last-Event-ID": theirs})
        assert told(response) == [(None, {"type": "sync", "data": []})]


def test_ids_are_sealed_by_the_secret_of_the_project(client: Client) -> None:
    last_id = events(client.get("/streams/orders/g/"))[-1]["id"]
    assert last_id == sealed(last_id.partition("@")[0])
    Stream("orders").send("g", "paid", 5)
    with override_settings(SECRET_KEY="another"):
        response = client.get("/streams/orders/g/", headers={"Last-Event-ID": last_id})
    assert told(response) == [(None, {"type": "sync", "data": []})]


def test_a_hole_that_is_never_filled_is_forgotten_and_not_answered_by_a_sync_for_ever(
    client: Client,
) -> None:
    for number in range(6):
        Stream("orders").set("g", "a", {"n": number})
    ids = list(StreamEvent.objects.order_by("id").values_list("id", flat=True))
    token = Position(ids[5], Holes.of([ids[1]])).token
    StreamEvent.objects.filter(id__lt=ids[4]).delete()  # pruned
    StreamEvent.objects.update(created_at=timezone.now() - timedelta(hours=1))
    first = client.get("/streams/orders/g/", headers={"Last-Event-ID": sealed(token)})
    assert told(first) == [(None, {"type": "sync", "data": [{"n": 5, "id": "a"}]})]
    again = client.get("/streams/orders/g/", headers={"Last-Event-ID": events(first)[-1]["id"]})
    assert told(again) == []


def test_what_was_refused_before_and_is_admitted_now_is_told_how_it_is(client: Client) -> None:
    private: list[str] = []
    streams = [make_stream("orders"), make_stream("private", canAccess=lambda: bool(private))]
    address = "/streams/?follow=orders/g&follow=private/g"

    def kinds(last_id: str = "") -> tuple[list[str], str]:
        response = client.get(address, headers={"Last-Event-ID": last_id})
        return [event["type"] for _, event in told(response)], events(response)[-1]["id"]

    with installed(streams=streams):
        Stream("private").set("g", "x", {"n": 1})
        assert kinds()[0] == ["unauthorized", "sync"]
        said, last_id = kinds(kinds()[1])
        assert said == ["unauthorized"]
        assert "!2@" in last_id
        without_mark = last_id.replace("!2", "")
        private.append("open")
        assert kinds(without_mark)[0] == ["sync", "sync"]
        said, last_id = kinds(last_id)
        assert said == ["sync", "sync"]
        assert kinds(last_id) == ([], last_id)
        private.clear()
        assert kinds(last_id)[0] == ["unauthorized"]


@given(st.text("0123456789~.-!abcfx \x00é", max_size=60))
def test_whatever_a_browser_comes_back_with_is_read(last_id: str) -> None:
    asked = [Subscription.checked("orders", str(number)) for number in range(3)]
    for came in (last_id, Ids(asked, None, "")._sealed(last_id)):
        ids = Ids(asked, None, came)
        assert set(ids.lacked) <= set(asked)
        assert ids.since is None or ids.since.upto < 2**63


def test_an_item_has_its_own_address(client: Client) -> None:
    Stream("orders").set("g", "a", {"n": 1})
    response = client.get(reverse("motia:stream-item", args=["orders", "g", "a"]))
    assert told(response) == [("a", {"type": "sync", "data": {"n": 1, "id": "a"}})]
    response = client.get("/streams/orders/g/b/")
    assert told(response) == [("b", {"type": "sync", "data": None})]


def test_who_begins_may_ask_for_the_items_that_were_written_last(client: Client) -> None:
    for group in ("g", "h"):
        Stream("orders").set_many(group, {name: {} for name in "abc"})
    assert len(told(client.get("/streams/orders/g/?limit=2"))[0][1]["data"]) == 2
    both = told(client.get("/streams/?follow=orders/g&follow=orders/h&limit=2"))
    assert [[each["id"] for each in event["data"]] for _, event in both] == [["b", "c"]] * 2
    for wrong in ("0", "-1", "many", "", "1e3", "٣", "9" * 30):
        refused = client.get("/streams/orders/g/", {"limit": wrong})
        assert refused.status_code == 400
        assert "limit: expected a whole number" in refused.json()["detail"]


def test_several_are_followed_at_once_whatever_they_are_called(client: Client) -> None:
    Stream("orders").set(NASTY, NASTY, {"n": 1})
    Stream("orders").set("g", "a", {"n": 1})
    several = ["/".join(quote(part, safe="") for part in parts) for parts in [
        ("orders", NASTY, NASTY), ("orders", "g"), ("orders", "g"),
    ]]  # fmt: skip
    response = client.get(reverse("motia:streams"), {"follow": several})
    assert told(response) == [
        (NASTY, {"type": "sync", "data": {"n": 1, "id": NASTY}}),
        (None, {"type": "sync", "data": [{"n": 1, "id": "a"}]}),
    ]
    with_position = ["id" in each for each in events(response) if "data" in each]
    assert with_position == [False, True]


@pytest.mark.parametrize(
    "query",
    ["", "?follow=orders", "?follow=a/b/c/d", "?follow=orders/%25ff", "?follow=orders/",
     "?follow=orders/%2500", "?follow=orders/" + "x" * 256,
     "?" + "&".join(f"follow=orders/{each}" for each in range(101))],
)  # fmt: skip
def test_what_cannot_be_followed_is_a_400_that_names_what_was_expected(
    client: Client, query: str
) -> None:
    response = client.get(f"/streams/{query}")
    assert response.status_code == 400
    assert "expected" in response.json()["detail"]


def test_a_stranger_cannot_tell_what_is_forbidden_from_what_is_not_there(client: Client) -> None:
    answers = [client.get(f"/streams/{name}/g/") for name in ("private", "missing")]
    first, second = [(each.status_code, each.content) for each in answers]
    assert first == second
    assert first[0] in (401, 403)
    response = client.get("/streams/?follow=private/g&follow=orders/g&follow=missing/g")
    assert [event["type"] for _, event in told(response)] == [
        "unauthorized", "unauthorized", "sync"
    ]  # fmt: skip


def test_who_is_logged_in_follows_what_is_his(client: Client) -> None:
    client.force_login(User.objects.create_user("ann"))
    assert told(client.get("/streams/private/g/"))[0][1]["type"] == "sync"
    client.force_login(User.objects.create_user("bob"))
    assert client.get("/streams/private/g/").status_code == 403


def test_a_token_says_who_it_is_and_for_which_streams(client: Client) -> None:
    ann = User.objects.create_user("ann")

    def status(token: str, stream: str = "private") -> int:
        return client.get(f"/streams/{stream}/g/", {"token": token}).status_code

    assert status(stream_token(ann)) == 200
    assert status(stream_token(ann, "private")) == 200
    assert status(stream_token(ann, ["orders"])) == 403
    assert status(stream_token(ann, []), "orders") == 403
    assert status(stream_token(ann, max_age=-1)) == 401
    assert status(stream_token(ann)[:-2] + "xx", "orders") == 401
    assert status(stream_token(User.objects.create_user("bob"))) == 403
    token = stream_token(ann)
    ann.is_active = False
    ann.save()
    assert status(token) == 401
    ann.is_active = True
    ann.save()
    assert status(token) == 200
    ann.set_password("another")
    ann.save()
    assert status(token) == 401
    assert client.get("/streams/orders/g/", {"token": "not ours"}).status_code == 200
    with pytest.raises(ValueError, match="who is saved"):
        stream_token(User())
    with pytest.raises(UnknownStream, match="Did you mean 'orders'"):
        stream_token(ann, ["private", "order"])


def test_a_token_may_be_a_header_as_well(client: Client) -> None:
    ann = User.objects.create_user("ann")

    def status(header: str, **query: str) -> int:
        headers = {"Authorization": header}
        return client.get("/streams/private/g/", query, headers=headers).status_code

    token = stream_token(ann)
    assert status(f"Bearer {token}") == status(f"bearer {token}", token="not ours") == 200
    assert status(f"Bearer {stream_token(ann, 'orders')}") == 403
    assert status(f"Bearer {token[:-2]}xx") == 401
    assert status(f"Token {token}") == 403


def test_a_token_outlives_a_change_of_the_secret_key_as_a_session_does(
    client: Client, settings: Any
) -> None:
    token = stream_token(User.objects.create_user("ann", password="known"))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert client.get("/streams/private/g/", {"token": token}).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get("/streams/private/g/", {"token": token}).status_code == 401


def test_a_token_is_no_good_for_what_is_joined_when_it_has_run_out(client: Client) -> None:
    ann = User.objects.create_user("ann")
    user, ticket = StreamTokenAuthentication().authenticate(
        RestRequest(RequestFactory().get("/", {"token": stream_token(ann)}))
    )
    auth = Auth(user=user, auth=ticket, request=cast(Any, None))
    group = Subscription.checked("private", "g")
    assert may_follow(group, auth)
    assert not may_follow(group, replace(auth, auth=replace(ticket, expires=time.time() - 1)))


def test_the_project_s_permissions_come_first(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motia_django.live.access.Gate.permission_classes", [IsAuthenticated])
    monkeypatch.setattr(
        "motia_django.live.access.Gate.authentication_classes", [BasicAuthentication]
    )
    refused = client.get("/streams/orders/g/")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize("broken", ["canAccess", "onJoin"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        *((each, 403) for each in (PermissionDenied, PermissionError, Http404, User.DoesNotExist)),
        *((each, 403) for each in (NotFound, ZeroDivisionError, AttributeError, KeyError)),
        *((each, 503) for each in (ConnectionError, TimeoutError, OperationalError, APIException)),
        (RuntimeError, 503),
    ],
)
def test_what_says_no_or_fails_whenever_it_is_asked_has_refused_and_all_else_is_asked_again(
    client: Client, broken: str, error: type[Exception], status: int
) -> None:
    def fails() -> None:
        raise error

    both = "/streams/?follow=flaky/g&follow=orders/g"
    with installed(streams=[make_stream("orders"), make_stream("flaky", **{broken: fails})]):
        assert client.get("/streams/flaky/g/").status_code == status
        kinds = [event["type"] for _, event in told(client.get(both))]
        assert kinds == (["unauthorized", "sync"] if status == 403 else ["sync"])
        assert events(client.get(both))[-1]["id"].partition("@")[0].endswith("!1")


async def nobody(subscription: Any, auth: Any) -> bool:
    return False


async def not_awaited(subscription: Any, auth: Any) -> Any:
    return nobody(subscription, auth)


async def yields(subscription: Any, auth: Any) -> AsyncIterator[bool]:
    yield False


def not_called() -> Any:
    return lambda: False


def not_iterated() -> Iterator[bool]:
    yield False


class Neither:
    """What is neither true nor false, as an array of several numbers."""

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


@pytest.mark.filterwarnings("ignore:coroutine 'nobody' was never awaited")
@pytest.mark.parametrize("asked", ["canAccess", "onJoin"])
@pytest.mark.parametrize("function", [not_awaited, not_called, not_iterated, yields])
def test_what_would_give_an_answer_is_none_and_has_refused(
    client: Client, asked: str, function: Any
) -> None:
    with installed(streams=[make_stream("orders", **{asked: function})]):
        assert client.get("/streams/orders/g/").status_code == 403


def test_an_answer_that_is_neither_true_nor_false_has_refused(client: Client) -> None:
    with installed(streams=[make_stream("orders", canAccess=Neither)]):
        assert client.get("/streams/orders/g/").status_code == 403


@pytest.mark.parametrize("answer", [False, {"unauthorized": True}])
def test_who_may_see_may_still_be_refused_by_on_join(client: Client, answer: Any) -> None:
    async def on_join(subscription: Any, auth: Any) -> Any:
        assert auth.request.method == "GET"
        return answer if subscription.groupId == "no" else None

    with installed(streams=[make_stream("orders", onJoin=on_join)]):
        assert client.get("/streams/orders/no/").status_code == 403
        assert client.get("/streams/orders/yes/").status_code == 200


def test_other_methods_are_answered_as_rest_framework_does(client: Client) -> None:
    head = client.head("/streams/orders/g/")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"].startswith("text/event-stream")
    options = client.options("/streams/orders/g/").json()
    assert (options["name"], options["description"][:19]) == ("Streams", "Items that are foll")
    checked = Client(enforce_csrf_checks=True)
    for method in ("post", "put", "delete"):
        response = getattr(checked, method)("/streams/orders/g/")
        assert response.status_code == 405
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "text/html", "image/png"])
def test_whatever_is_accepted_gets_events(client: Client, accept: str) -> None:
    response = client.get("/streams/orders/g/", headers={"Accept": accept})
    assert events(response)
    for name, value in [
        ("Cache-Control", "no-store, no-cache, private, no-transform"),
        ("Content-Encoding", "identity"),
        ("X-Accel-Buffering", "no"),
    ]:
        assert response.headers[name] == value


def test_without_streams_there_is_no_door() -> None:
    def doors() -> list[str]:
        patterns = run_path(urls.__file__)["urlpatterns"]
        return [str(each.pattern) for each in patterns if "streams/" in str(each.pattern)]

    assert len(doors()) == 3
    with installed():
        assert doors() == []
