"""Running a Step by hand: checked by its schema, one run of it alone, told in timeline and log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.test import Client
from pydantic import BaseModel

from motia_django import ledger, models
from tests.admin.schemas import Broken
from tests.factories import installed, make_step, make_stream, once, work_off

QUEUE = {"type": "queue", "topic": "work"}
STATE = {"type": "state", "groupId": "orders", "events": ["updated"]}
STREAM = {"type": "stream", "streamName": "chat"}
CRON = {"type": "cron", "schedule": "0 3 * * *"}


class Parcel(BaseModel):
    weight: int
    to: str = "Berlin"


CHECKED = {"type": "queue", "topic": "work", "input": Parcel}


def page_of(step: str, index: int = 0) -> str:
    return f"/admin/motia/step/{quote(step)}/run/{index}/"


def test_the_form_begins_with_an_example_of_what_the_schema_takes(admin_client: Client) -> None:
    with installed(make_step(print, CHECKED)):
        html = admin_client.get(page_of("Work")).content.decode()
    assert "&quot;weight&quot;: 0" in html
    assert "&quot;to&quot;: &quot;Berlin&quot;" in html


def test_a_run_of_this_step_alone_begins_and_its_page_says_who_began_it(
    admin_client: Client,
) -> None:
    got: list[Any] = []
    with installed(make_step(got.append, CHECKED, name="A"), make_step(print, QUEUE, name="B")):
        sent = {"content": '{"weight": 3}', "reason": "a parcel got lost", **once()}
        answer = admin_client.post(page_of("A"), sent, follow=True)
        run = models.Run.objects.get()
        work_off()
        html = admin_client.get(f"/admin/motia/run/{run.id}/change/").content.decode()
    assert (run.step, run.trigger, run.source, run.input) == ("A", "queue", "work", {"weight": 3})
    assert answer.redirect_chain[-1][0].endswith(f"{run.id}/change/")
    assert got == [Parcel(weight=3)]
    assert "by admin (admin): a parcel got lost" in html
    assert "Run now: queue work: a parcel got lost" in str(LogEntry.objects.get().change_message)


def test_a_light_step_leaves_its_run_too_if_it_is_run_by_hand(admin_client: Client) -> None:
    with installed(make_step(print, QUEUE, record="failures")):
        admin_client.post(page_of("Work"), {"content": "1", **once()})
        work_off()
    assert models.Run.objects.get().status == "succeeded"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ('{"weight": "heavy", "to": 5}', "to: Input should be a valid string"),
        ("{weight: 3}", "This is not JSON"),
        ("", "A value is required"),
        ("[" * 100_000, "This is not JSON"),
        ("NaN", "This is not JSON"),
        ('{"weight": 1e999}', "This is not JSON"),
        ('"\\ud800"', "This is not JSON"),
        ('{"a\\u0000": 1}', "weight: Field required"),
    ],
)
def test_what_the_schema_refuses_is_not_born_and_stays_typed(
    admin_client: Client, typed: str, told: str
) -> None:
    with installed(make_step(print, CHECKED)):
        page = admin_client.post(page_of("Work"), {"content": typed, "reason": "why", **once()})
    html = page.content.decode()
    assert page.status_code == 200
    assert told in html
    assert typed.replace('"', "&quot;") in html
    assert not models.Run.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_mask_that_was_copied_is_refused(admin_client: Client) -> None:
    with installed(make_step()):
        page = admin_client.post(page_of("Work"), {"content": '{"token": "********"}', **once()})
    assert "token: ******** stands where" in page.content.decode()
    assert not models.Run.objects.exists()


def test_a_watcher_of_state_is_told_of_a_change_that_is_not_made(admin_client: Client) -> None:
    got: list[Any] = []
    change = {"event": "updated", "group": "orders", "key": "17", "old": "1", "new": '{"a": 2}'}
    with installed(make_step(got.append, STATE, name="A"), make_step(print, STATE, name="B")):
        admin_client.post(page_of("A"), {**change, **once()})
        work_off()
    run = models.Run.objects.get()
    assert (run.step, run.source, run.status) == ("A", "orders/17", "succeeded")
    assert (got[0].event_type, got[0].old_value, got[0].new_value) == ("state:updated", 1, {"a": 2})
    assert not models.StateItem.objects.exists()


def test_a_change_that_the_trigger_is_deaf_to_is_refused(admin_client: Client) -> None:
    same = {"event": "updated", "group": "other", "key": "17", "old": "1", "new": "2"}
    with installed(make_step(print, STATE)):
        html = admin_client.post(page_of("Work"), {**same, **once()}).content.decode()
    assert "does not listen for such a change" in html
    assert not models.Run.objects.exists()


def test_a_follower_of_a_stream_is_told_of_an_event_that_is_not_sent(admin_client: Client) -> None:
    got: list[Any] = []
    event = {"event": "create", "group": "room", "item": "", "content": '{"text": "hello"}'}
    with installed(make_step(got.append, STREAM), streams=[make_stream("chat")]):
        assert "create" in admin_client.get(page_of("Work")).content.decode()
        admin_client.post(page_of("Work"), {**event, **once()})
        work_off()
    assert models.Run.objects.get().source == "chat/room"
    assert (got[0].group_id, got[0].id, got[0].event.data) == ("room", None, {"text": "hello"})
    assert not models.StreamEvent.objects.exists()


def test_a_schedule_runs_now_and_is_skipped_where_a_tick_would_be(admin_client: Client) -> None:
    with installed(make_step(print, CRON)):
        admin_client.post(page_of("Work"), {"reason": "month's end", **once()})
        first = models.Run.objects.get()
        ledger.pause("Work", by="me")
        models.Run.objects.all().delete()
        page = admin_client.post(page_of("Work"), once(), follow=True)
    assert first.timeline[0]["reason"] == "month's end"
    assert "was not run" in page.content.decode()
    assert models.Run.objects.get().status == "skipped"


@pytest.mark.parametrize("address", [page_of("Gone"), page_of("Work", 9), page_of("a\x00b")])
def test_what_is_not_there_is_a_404(admin_client: Client, address: str) -> None:
    with installed(make_step(print, QUEUE)):
        assert admin_client.get(address).status_code == 404
        assert admin_client.post(address, {"content": "1", **once()}).status_code == 404


def test_running_by_hand_needs_its_permission(client_of: Callable[..., Client]) -> None:
    client = client_of("view_step")
    with installed(make_step(print, QUEUE)):
        assert "Run now" not in client.get("/admin/motia/step/Work/change/").content.decode()
        assert client.get(page_of("Work")).status_code == 403
        assert client.post(page_of("Work"), {"content": "1", **once()}).status_code == 403
    assert not models.Run.objects.exists()


def test_who_may_not_see_runs_is_led_back_to_the_step(client_of: Callable[..., Client]) -> None:
    client = client_of("view_step", "run_step")
    with installed(make_step(print, QUEUE)):
        assert "Run now" in client.get("/admin/motia/step/Work/change/").content.decode()
        answer = client.post(page_of("Work"), {"content": "1", **once()})
    assert answer.url == "/admin/motia/step/Work/change/"  # type: ignore[attr-defined]
    assert models.Run.objects.count() == 1


def test_a_form_from_elsewhere_starts_nothing(admin_user: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    with installed(make_step(print, QUEUE)):
        assert strict.post(page_of("Work"), {"content": "1", **once()}).status_code == 403
    assert not models.Run.objects.exists()


def test_a_schema_that_raises_is_an_error_of_the_form(admin_client: Client) -> None:
    with installed(make_step(print, {**QUEUE, "input": Broken})):
        response = admin_client.post(page_of("Work"), {"content": '{"weight": 1}', **once()})
        assert "KeyError: &#x27;scales&#x27;" in response.content.decode()
    assert response.status_code == 200
    assert not models.Run.objects.exists()
    assert not LogEntry.objects.exists()
