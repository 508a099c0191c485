"""The groups of streams, and the live tail of each: what is new, once, and never as markup."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.test import Client
from django.utils import timezone

from motia_django import Stream, models
from motia_django.admin import tails
from tests.factories import installed, make_stream

pytestmark = pytest.mark.django_db
GROUPS = "/admin/motia/streamitem/groups/"


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    """Declare two streams."""
    with installed(streams=[make_stream("orders"), make_stream("chat")]):
        yield


def tail_of(stream: str, group: str, door: str = "events") -> str:
    return f"/admin/motia/streamitem/tail/{quote(stream)}/{quote(group)}/{door}/"


def event(number: int, group: str = "g", data: Any = 1) -> models.StreamEvent:
    return models.StreamEvent.objects.create(
        id=number, stream="orders", group=group, item="i", kind="update", data=data
    )


def asked(client: Client, *known: int) -> dict[str, Any]:
    query = {"known": ",".join(map(str, known))}
    answer = client.get(tail_of("orders", "g", "json"), query)
    assert "no-store" in answer["Cache-Control"]
    return dict(answer.json())


def test_streams_are_listed_with_their_groups_and_what_was_told_last(admin_client: Client) -> None:
    Stream("orders").set("board", "17", {"n": 1})
    Stream("orders").set("ü/ä", "<b>", {})
    Stream("orders").set("gone", "1", {})
    Stream("orders").delete("gone", "1")
    models.StreamItem.objects.create(stream="old", group="g", item="1", value="1")
    page = admin_client.get(GROUPS)
    chat, old, orders = page.context["streams"]
    assert (chat.name, chat.groups) == ("chat", [])
    assert (old.name, old.is_declared, old.groups[0].last) == ("old", False, "")
    assert [(each.name, each.items) for each in orders.groups] == [
        ("board", 1),
        ("gone", 0),
        ("ü/ä", 1),
    ]
    assert orders.groups[0].told == "created 17"
    html = page.content.decode()
    assert "&lt;b&gt;" in html
    for group in ("board", "ü/ä", "gone"):
        assert admin_client.get(tail_of("orders", group)).status_code == 200
    assert [
        each.name for each in admin_client.get(GROUPS, {"stream": "old"}).context["streams"]
    ] == ["old"]
    assert admin_client.get(GROUPS, {"stream": "no\x00ne"}).status_code == 404


def test_what_was_told_last_is_known_whatever_was_told_of_other_groups_since(
    admin_client: Client,
) -> None:
    Stream("orders").set("quiet", "17", {})
    loud = {"stream": "orders", "group": "loud", "kind": "event", "data": "1"}
    models.StreamEvent.objects.bulk_create(models.StreamEvent(**loud) for _ in range(1500))
    (orders,) = admin_client.get(GROUPS, {"stream": "orders"}).context["streams"]
    assert [(each.name, each.told) for each in orders.groups] == [
        ("loud", "sent"),
        ("quiet", "created 17"),
    ]


def test_many_streams_cost_a_page_no_more_questions(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        models.StreamItem.objects.create(stream=f"s{number:02}", group="g", item="1", value="1")
        models.StreamEvent.objects.create(stream=f"s{number:02}", group="g", kind="event", data="1")
    with django_assert_max_num_queries(36):
        page = admin_client.get(GROUPS)
    assert [each.is_open for each in page.context["streams"]].count(True) == 6
    assert "?stream=s39" in page.content.decode()


def test_the_tail_shows_the_newest_events_newest_first_without_a_script(
    admin_client: Client,
) -> None:
    stream = Stream("orders")
    stream.set("g", "17", {"text": "<script>alert(1)</script>", "token": "tell-nobody"})
    stream.send("g", "notice", {"a": 1})
    stream.delete("g", "17")
    stream.set("other", "17", {"b": 2})
    page = admin_client.get(tail_of("orders", "g"))
    lines = page.context["lines"]
    assert [(line.kind, line.item) for line in lines] == [
        ("delete", "17"),
        ("event", "the whole group"),
        ("create", "17"),
    ]
    html = page.content.decode()
    assert "<script>alert" not in html
    assert "tell-nobody" not in html
    assert "<style" not in html
    assert " style=" not in html


def test_the_script_is_told_what_it_does_not_know_yet(admin_client: Client) -> None:
    for number in (3, 4, 6):
        event(number)
    assert [each["id"] for each in asked(admin_client)["events"]] == ["6", "4", "3"]
    assert asked(admin_client, 3, 4, 6) == {"events": [], "gap": False}
    event(5)  # by a transaction that began before the others and committed after them
    event(7, group="other")
    assert [each["id"] for each in asked(admin_client, 3, 4, 6)["events"]] == ["5"]


def test_what_came_too_fast_is_said_to_be_left_out(admin_client: Client) -> None:
    for number in range(1, tails.SHOWN + 10):
        event(number)
    answer = asked(admin_client, 1, 2)
    assert len(answer["events"]) == tails.SHOWN
    assert answer["gap"]
    assert not asked(admin_client)["gap"]


def test_large_data_is_told_of_by_its_size(admin_client: Client) -> None:
    event(1, data="x" * 100_000)
    event(2, data="y" * 3000)
    small, large = asked(admin_client)["events"]
    assert large["data"] == "100002 characters of JSON"
    assert len(small["data"]) <= tails.LONGEST


@pytest.mark.parametrize("known", ["x", "1,,2", "-1", "9" * 5000, "1;2", "\x00", "²"])
def test_nonsense_is_not_known(admin_client: Client, known: str) -> None:
    event(1)
    answer = admin_client.get(tail_of("orders", "g", "json"), {"known": known})
    assert answer.status_code == 200


@pytest.mark.parametrize("door", ["events", "json"])
def test_looking_needs_the_permission_to_see_streams(
    client_of: Callable[..., Client], door: str
) -> None:
    client = client_of("view_stateitem")
    assert client.get(GROUPS).status_code == 403
    assert client.get(tail_of("orders", "g", door)).status_code == 403
    assert client.post(tail_of("orders", "g", door)).status_code == 403


@pytest.mark.parametrize("door", ["events", "json"])
def test_a_name_that_no_group_can_have_is_a_404(admin_client: Client, door: str) -> None:
    assert admin_client.get(tail_of("orders", "a\x00b", door)).status_code == 404
    assert admin_client.get(tail_of("nowhere", "g", door)).status_code == 200


def test_times_are_told_in_the_readers_zone(admin_client: Client) -> None:
    row = event(1)
    local = timezone.localtime(row.created_at)
    assert asked(admin_client)["events"][0]["at"].startswith(f"{local:%Y-%m-%d %H:%M:%S}.")
