"""Streams in the admin: their items, and a deletion that followers hear of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from django.utils.timezone import localtime

from motia_django import Stream, models
from motia_django.admin.items import PREVIEWED
from tests.factories import installed, make_step, make_stream

LIST = "/admin/motia/streamitem/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    """Declare two streams and a Step that follows one of them."""
    follower = make_step(print, {"type": "stream", "streamName": "orders"})
    with installed(follower, streams=[make_stream("orders"), make_stream("chat")]):
        yield


def page_of(group: str, item: str) -> str:
    return f"{LIST}{models.StreamItem.objects.get(group=group, item=item).pk}/change/"


def shown(response: Any) -> list[str]:
    """Return the ids of the items in a list."""
    return [row.item for row in response.context["cl"].result_list]


def test_items_are_listed_filtered_and_found_by_how_their_id_begins(admin_client: Client) -> None:
    for stream, group, item in [("orders", "g", "17"), ("orders", "ü/", "18"), ("chat", "g", "2")]:
        Stream(stream).set(group, item, {"text": "<b>hello</b>"})
    assert shown(admin_client.get(LIST)) == ["2", "17", "18"]
    assert shown(admin_client.get(LIST, {"stream": "orders"})) == ["17", "18"]
    assert shown(admin_client.get(LIST, {"group": "g"})) == ["2", "17"]
    assert shown(admin_client.get(LIST, {"q": "1"})) == ["17", "18"]
    assert shown(admin_client.get(LIST, {"stream": "a\x00b"})) == []
    html = admin_client.get(LIST).content.decode()
    assert "<b>hello" not in html
    assert "&lt;b&gt;hello" in html


def test_an_item_says_until_when_it_stays_and_is_not_shown_after(admin_client: Client) -> None:
    Stream("orders").set("g", "1", {}, ttl=60)
    until = models.StreamItem.objects.get().expires_at
    assert until is not None
    for page in (LIST, page_of("g", "1")):
        assert f"{localtime(until):%H:%M:%S}" in admin_client.get(page).content.decode()
    models.StreamItem.objects.update(expires_at=timezone.now())
    assert shown(admin_client.get(LIST)) == []


def test_an_item_can_be_looked_at_and_not_written(admin_client: Client) -> None:
    Stream("orders").set("g", "1", {"text": "x" * (PREVIEWED + 1)})
    assert "characters of JSON" in admin_client.get(LIST).content.decode()
    page = admin_client.get(page_of("g", "1"))
    assert "x" * (PREVIEWED + 1) in page.content.decode()
    assert b"_save" not in page.content
    assert admin_client.post(page_of("g", "1"), {"group": "h"}).status_code == 403
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert Stream("orders").list_groups() == ["g"]


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_deleted_item_is_told_of(admin_client: Client, is_gone: bool) -> None:
    Stream("orders").set("g", "1", {})
    Stream("orders").set("g", "2", {})
    with installed(*([] if is_gone else [make_step(print, name="Other")])):
        address = page_of("g", "1").replace("change", "delete")
        assert admin_client.post(address, {"post": "yes"}).status_code == 302
    chosen = {"action": "delete_selected", "_selected_action": [page_of("g", "2").split("/")[-3]]}
    assert admin_client.post(LIST, {**chosen, "post": "yes"}).status_code == 302
    events = list(models.StreamEvent.objects.order_by("id").values_list("kind", "item"))
    assert events == [("create", "1"), ("create", "2"), ("delete", "1"), ("delete", "2")]
    kinds = [run.input["event"]["type"] for run in models.Run.objects.order_by("id")]
    assert kinds == ["create", "create", "delete"], "the first had nobody who followed"
    assert models.StreamItem.objects.count() == 0


def test_a_permission_is_asked(client: Client) -> None:
    Stream("orders").set("g", "1", {})
    user = User.objects.create_user("ann", password="x", is_staff=True)
    client.force_login(user)
    assert client.get(LIST).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_streamitem"))
    assert client.get(LIST).status_code == 200
    address = page_of("g", "1").replace("change", "delete")
    assert client.post(address, {"post": "yes"}).status_code == 403


def test_a_run_tells_in_words_what_it_did_to_a_stream(admin_client: Client) -> None:
    timeline = [
        {"at": 0, "kind": "stream", "operation": "set", "stream": "orders", "group": "g",
         "item": "1", "old": None, "new": {"id": "1"}},
        {"at": 0, "kind": "stream", "operation": "list", "stream": "orders", "group": "g"},
    ]  # fmt: skip
    Stream("orders").set("g", "1", {})
    run = models.Run.objects.get()
    run.timeline = timeline
    run.save()
    page = admin_client.get(f"/admin/motia/run/{run.pk}/change/")
    assert [line.text for line in page.context["timeline"]] == ["set orders/g/1", "list orders/g"]


def test_a_step_says_which_events_of_a_stream_it_wants(admin_client: Client) -> None:
    some = {"type": "stream", "streamName": "orders", "events": ["create", "delete"]}
    with installed(make_step(print, some, name="Some"), streams=[make_stream("orders")]):
        assert (
            "of create, delete"
            in admin_client.get("/admin/motia/step/Some/change/").content.decode()
        )


def test_an_item_of_a_telling_name_is_not_shown(admin_client: Client) -> None:
    row = models.StreamItem.objects.create(stream="s", group="g", item="api_key", value="sk_1")
    for address in ("", f"{row.pk}/change/"):
        html = admin_client.get(f"/admin/motia/streamitem/{address}").content.decode()
        assert "api_key" in html
        assert "sk_1" not in html
