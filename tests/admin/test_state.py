"""State in the admin: listed by group, edited as JSON, and heard by those who watch it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.timezone import localtime

from motia_django import models
from motia_django.admin.items import PREVIEWED
from motia_django.admin.state_form import StateItemForm
from motia_django.public import state

LIST = "/admin/motia/stateitem/"
WATCHER = {"name": "Watch", "triggers": [{"type": "state", "groupId": "g"}]}
ANY_VALUE: list[Any] = [
    None, False, True, 0, "", [], {}, 1.5, -7, "text", "5", "null", '"quoted"', "{", [None],
    {"": None}, {"b": 1, "a": [{"ü": "\x00 </textarea><b>"}]}, 2**70, "line\nline", [[[]]],
]  # fmt: skip


def page_of(group: str, key: str) -> str:
    return f"{LIST}{models.StateItem.objects.get(group=group, key=key).pk}/change/"


def typed(client: Client, address: str) -> dict[str, str]:
    """Return what a browser would send if Save was pressed on a fresh page."""
    form = client.get(address).context["adminform"].form
    return {name: str(form[name].value()) for name in ("content", "seen_version")}


def errors_of(response: Any) -> str:
    assert response.status_code == 200
    return str(response.context["errors"])


def events() -> list[tuple[str, Any, Any]]:
    """Return the changes that runs were born of, oldest first."""
    inputs: Any = models.Run.objects.order_by("id").values_list("input", flat=True)
    return [(each["eventType"], each["oldValue"], each["newValue"]) for each in inputs]


@pytest.mark.parametrize("value", ANY_VALUE)
def test_a_page_saved_as_it_was_opened_changes_nothing(admin_client: Client, value: Any) -> None:
    state.set("g", "k", value)
    address = page_of("g", "k")
    assert admin_client.post(address, typed(admin_client, address)).status_code == 302
    saved = state.get("g", "k")
    assert saved == value
    assert type(saved) is type(value)


@pytest.mark.parametrize("value", ANY_VALUE)
def test_every_json_value_can_be_added(admin_client: Client, value: Any) -> None:
    sent = {"group": " g", "key": "k ", "content": f" {json.dumps(value)}\r\n"}
    assert admin_client.post(f"{LIST}add/", sent).status_code == 302
    assert state.items(" g") == [("k ", value)]


def test_saving_adding_and_deleting_starts_the_steps_that_watch(
    admin_client: Client, install: Callable[..., None]
) -> None:
    install(dict(WATCHER))
    admin_client.post(f"{LIST}add/", {"group": "g", "key": "k", "content": "1"})
    address = page_of("g", "k")
    admin_client.post(address, {**typed(admin_client, address), "content": "2"})
    admin_client.post(address.replace("change", "delete"), {"post": "yes"})
    assert events() == [
        ("state:created", None, 1),
        ("state:updated", 1, 2),
        ("state:deleted", 2, None),
    ]
    assert LogEntry.objects.count() == 3
    assert not models.StateItem.objects.exists()


def test_deleting_many_is_heard_one_by_one(
    admin_client: Client, install: Callable[..., None]
) -> None:
    for key in ("a", "b", "c"):
        state.set("g", key, key)
    install(dict(WATCHER))
    chosen = models.StateItem.objects.exclude(key="c").values_list("pk", flat=True)
    sent = {"action": "delete_selected", "_selected_action": list(chosen), "post": "yes"}
    assert admin_client.post(LIST, sent).status_code == 302
    assert sorted(events()) == [("state:deleted", "a", None), ("state:deleted", "b", None)]
    assert state.items("g") == [("c", "c")]


@pytest.mark.parametrize(
    "text", ["{'a': 1}", "[1,", "NaN", "1e999", '"\\ud800"', "", "   ", "plain", "[" * 5000]
)
def test_what_is_not_json_is_refused_and_stays_as_it_was_typed(
    admin_client: Client, text: str
) -> None:
    state.set("g", "k", 1)
    address = page_of("g", "k")
    response = admin_client.post(address, {**typed(admin_client, address), "content": text})
    assert "This is not JSON" in errors_of(response) or "A value is required" in errors_of(response)
    assert response.context["adminform"].form["content"].value() == text
    assert state.get("g", "k") == 1


def test_an_item_changed_since_the_page_was_opened_is_not_overwritten(
    admin_client: Client, install: Callable[..., None]
) -> None:
    state.set("g", "k", 1)
    install(dict(WATCHER))
    address = page_of("g", "k")
    sent = {**typed(admin_client, address), "content": '{"mine":  true}'}
    state.set("g", "k", "theirs")
    response = admin_client.post(address, sent)
    assert "after you opened it" in errors_of(response)
    assert response.context["adminform"].form["content"].value() == '{"mine":  true}'
    assert state.get("g", "k") == "theirs"
    assert events() == [("state:updated", 1, "theirs")]
    assert "after you opened it" in errors_of(admin_client.post(address, sent))


@pytest.mark.parametrize("version", ["", "x", None])
def test_a_form_without_the_version_it_saw_is_refused(
    admin_client: Client, version: str | None
) -> None:
    state.set("g", "k", 1)
    sent = {"content": "2"} if version is None else {"content": "2", "seen_version": version}
    assert errors_of(admin_client.post(page_of("g", "k"), sent))
    assert state.get("g", "k") == 1


def test_an_item_that_is_edited_expires_when_it_did_before_and_says_when(
    admin_client: Client,
) -> None:
    state.set("g", "k", 1, ttl=60)
    until = models.StateItem.objects.get().expires_at
    address = page_of("g", "k")
    assert until is not None
    shown = f"{localtime(until):%H:%M:%S}"
    assert shown in admin_client.get(LIST).content.decode()
    assert shown in admin_client.get(address).content.decode()
    admin_client.post(address, {**typed(admin_client, address), "content": "2"})
    assert state.get("g", "k") == 2
    assert models.StateItem.objects.get().expires_at == until


def test_an_item_that_has_expired_is_not_there_and_can_be_added(
    admin_client: Client, install: Callable[..., None]
) -> None:
    state.set("g", "k", 1, ttl=60)
    install(dict(WATCHER))
    address = page_of("g", "k")
    models.StateItem.objects.update(expires_at=timezone.now())
    assert admin_client.get(address).status_code == 302
    assert not admin_client.get(LIST).context["cl"].result_list
    sent = {"group": "g", "key": "k", "content": "2"}
    assert admin_client.post(f"{LIST}add/", sent).status_code == 302
    assert state.items("g") == [("k", 2)]
    assert events() == [("state:deleted", 1, None), ("state:created", None, 2)]


def test_who_writes_between_the_forms_check_and_its_saving_is_not_overwritten(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.set("g", "k", 1)
    address = page_of("g", "k")
    sent = {**typed(admin_client, address), "content": "2"}
    clean = StateItemForm.clean

    def slow(self: StateItemForm) -> Any:
        cleaned = clean(self)
        state.set("g", "k", "theirs")
        return cleaned

    monkeypatch.setattr(StateItemForm, "clean", slow)
    response = admin_client.post(address, sent, follow=True)
    assert "nothing was saved" in response.content.decode()
    assert not LogEntry.objects.exists()


def test_group_and_key_stay_what_they_are(admin_client: Client) -> None:
    state.set("g", "k", 1)
    address = page_of("g", "k")
    sent = {**typed(admin_client, address), "content": "2", "group": "other", "key": "other"}
    assert admin_client.post(address, sent).status_code == 302
    assert state.items("g") == [("k", 2)]
    assert state.list_groups() == ["g"]


def test_adding_an_item_that_is_there_is_refused(admin_client: Client) -> None:
    state.set("g", "k", 1)
    sent = {"group": "g", "key": "k", "content": "2"}
    assert "already exists" in errors_of(admin_client.post(f"{LIST}add/", sent))
    assert state.get("g", "k") == 1


def test_a_large_value_can_be_edited(admin_client: Client) -> None:
    value = {"text": "x" * 1_000_000}
    state.set("g", "k", value)
    address = page_of("g", "k")
    assert admin_client.post(address, typed(admin_client, address)).status_code == 302
    assert state.get("g", "k") == value


def test_the_list_is_narrowed_by_group_and_by_the_beginning_of_the_key(
    admin_client: Client,
) -> None:
    for group, key in [("g", "a 1"), ("g", "a 2"), ("g", "b"), ("h", "a 3"), ("h", "100%")]:
        state.set(group, key, 1)

    def listed(query: str) -> list[str]:
        return [row.key for row in admin_client.get(LIST + query).context["cl"].result_list]

    assert listed("?group=g") == ["a 1", "a 2", "b"]
    assert listed("?group=g&q=a%20") == ["a 1", "a 2"]
    assert listed("?q=a%203") == ["a 3"]
    assert listed("?q=%25") == []
    assert listed("?group=nobody") == []


def test_the_list_reads_of_a_long_value_only_its_length(admin_client: Client) -> None:
    state.set("g", "long", "x" * (PREVIEWED + 1))
    state.set("g", "short", {"password": "pw-1", "a": "<b>"})
    with CaptureQueriesContext(connection) as queries:
        html = admin_client.get(LIST).content.decode()
    assert f"{PREVIEWED + 3} characters of JSON" in html
    assert "&lt;b&gt;" in html
    assert "pw-1" not in html
    table, column = map(connection.ops.quote_name, ("motia_state", "value"))
    assert not any(f", {table}.{column}," in each["sql"] for each in queries)


def test_who_may_only_view_cannot_change(client_of: Callable[..., Client]) -> None:
    state.set("g", "k", {"a": "<b>"})
    client, address = client_of("view_stateitem"), page_of("g", "k")
    html = client.get(address).content.decode()
    assert "&quot;a&quot;: &quot;&lt;b&gt;&quot;" in html
    assert "<textarea" not in html
    assert client.post(address, {"content": "2", "seen_version": "1"}).status_code == 403
    assert client.post(address.replace("change", "delete"), {"post": "yes"}).status_code == 403
    sent = {"group": "g", "key": "n", "content": "2"}
    assert client.post(f"{LIST}add/", sent).status_code == 403
    chosen = models.StateItem.objects.values_list("pk", flat=True)
    client.post(
        LIST, {"action": "delete_selected", "_selected_action": list(chosen), "post": "yes"}
    )
    assert state.items("g") == [("k", {"a": "<b>"})]


def test_the_list_has_pages(admin_client: Client) -> None:
    for number in range(60):
        state.set("g", f"{number:03}", number)
    rows = admin_client.get(f"{LIST}?p=2").context["cl"].result_list
    assert [row.key for row in rows] == [f"{number:03}" for number in range(50, 60)]


@override_settings(MOTIA={"STATE": {"BACKEND": "motia_django.stores.memory.MemoryState"}})
def test_state_kept_elsewhere_is_said_to_be_elsewhere(admin_client: Client) -> None:
    models.StateItem.objects.create(group="g", key="k", value="1")
    response = admin_client.get(LIST)
    assert "motia_django.stores.memory.MemoryState" in response.content.decode()
    assert not response.context["cl"].result_list
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.get(page_of("g", "k")).status_code == 302


def test_a_value_under_a_telling_name_is_not_shown_but_to_who_may_change_it(
    admin_client: Client, client_of: Callable[..., Client]
) -> None:
    state.set("shop", "stripe_token", "sk_live_1")
    state.set("shop", "colour", "blue")
    looking = client_of("view_stateitem")
    for client in (admin_client, looking):
        html = client.get(LIST).content.decode()
        assert "sk_live_1" not in html
        assert "blue" in html
    assert "sk_live_1" not in looking.get(page_of("shop", "stripe_token")).content.decode()
    assert typed(admin_client, page_of("shop", "stripe_token"))["content"] == '"sk_live_1"'


@pytest.mark.django_db
def test_what_steers_a_line_is_spelled_out_and_blanks_at_the_ends_are_seen(
    admin_client: Client, make_run: Callable[..., models.Run]
) -> None:
    turned = "hall\u202e"
    value: Any = {"last\u2066": "\u202e5z"}
    state.set(turned, "a ", value)
    models.StreamItem.objects.create(stream="rooms", group=turned, item="x\u202e", value=value)
    run = make_run(trigger="state", source=f"{turned}/a", message_group=turned)
    models.RunKey.objects.create(run_id=run.id, name="room", value=turned)
    page = page_of(turned, "a ")
    pages = (LIST, page, f"{LIST}groups/", "/admin/motia/streamitem/", "/admin/motia/run/",
             "/admin/motia/streamitem/groups/",
             f"/admin/motia/run/{run.id}/change/")  # fmt: skip
    for address in pages:
        html = admin_client.get(address).content.decode()
        assert "hall\\u202e" in html, address
        at = html.find("\u202e")
        assert at < 0, (address, html[max(at - 200, 0) : at + 20])
    assert "“a ”" in admin_client.get(LIST).content.decode()
    saved = {**typed(admin_client, page), "reason": "tried"}
    assert admin_client.post(page, saved).status_code == 302
    assert state.get(turned, "a ") == value
