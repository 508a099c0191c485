"""Sending a message by hand: all who listen hear it, or nobody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.test import Client, override_settings
from pydantic import BaseModel

from motia_django import models
from tests.admin.schemas import Broken
from tests.factories import installed, make_step, once

PAGE = "/admin/motia/step/topics/"
QUEUE = {"type": "queue", "topic": "a/b & c"}
TO = f"{PAGE}a_2Fb%20_26%20c/enqueue/"


class Parcel(BaseModel):
    weight: int


CHECKED = {**QUEUE, "input": Parcel}


def not_the_secret_one(user: Any, permission: str, step: str, flows: Any) -> bool:
    return step != "Secret"


def test_the_topics_are_offered_with_who_hears_them(admin_client: Client) -> None:
    with installed(make_step(print, QUEUE, name="A"), make_step(print, QUEUE, name="B")):
        page = admin_client.get(PAGE)
        assert admin_client.get(TO).status_code == 200
    [row] = page.context["rows"]
    assert row["topic"] == "a/b & c"
    assert [name for name, _url in row["heard_by"]] == ["A", "B"]
    assert f'href="{TO}"' in page.content.decode()


def test_all_who_listen_get_a_run_that_says_who_sent_it(admin_client: Client) -> None:
    sent = {"content": '{"weight": 2}', "reason": "try", "group": "g", "delay": "90", "key": "k"}
    with installed(make_step(print, CHECKED, name="A"), make_step(print, QUEUE, name="B")):
        page = admin_client.post(TO, {**sent, **once()}, follow=True)
        again = admin_client.post(TO, {**sent, **once()}, follow=True)
    runs = list(models.Run.objects.order_by("step"))
    assert [(run.step, run.status, run.input) for run in runs] == [
        ("A", "scheduled", {"weight": 2}),
        ("B", "scheduled", {"weight": 2}),
    ]
    assert (runs[0].wake_at - runs[0].created_at).total_seconds() == 90  # type: ignore[operator]
    assert {run.timeline[0]["by"] for run in runs} == {"admin (admin)"}
    assert "The message was sent to 2 runs." in page.content.decode()
    [told_again] = [str(each) for each in again.context["messages"]]
    assert told_again.startswith("2 runs that were begun by this dedupe key hold it: no others")
    for html in (page.content.decode(), again.content.decode()):
        assert f"{runs[0].id}/change/" in html
    told = {str(each.change_message) for each in LogEntry.objects.all()}
    assert len(told) == 1
    assert LogEntry.objects.count() == 2
    assert "Enqueue: a/b & c: try" in told.pop()


def test_of_a_key_that_is_taken_by_one_run_only_the_others_are_new(admin_client: Client) -> None:
    sent = {"content": "{}", "key": "k"}
    with installed(make_step(print, QUEUE, name="A"), make_step(print, QUEUE, name="B")):
        admin_client.post(TO, {**sent, **once()}, follow=True)
        models.Run.objects.filter(step="A").delete()
        page = admin_client.post(TO, {**sent, **once()}, follow=True)
    [told] = [str(each) for each in page.context["messages"]]
    assert "The message was sent to 1 run. 1 run that was begun by this dedupe key holds it" in told
    assert all(f"{run.id}/change/" in told for run in models.Run.objects.all())


def test_what_one_listener_would_refuse_is_sent_to_nobody(admin_client: Client) -> None:
    with installed(make_step(print, CHECKED, name="A"), make_step(print, QUEUE, name="B")):
        page = admin_client.post(TO, {"content": '{"weight": "heavy"}', **once()})
    html = page.content.decode()
    assert "A: weight: Input should be a valid integer" in html
    assert "heavy" in html
    assert not models.Run.objects.exists()


@pytest.mark.parametrize(
    "typed",
    [
        {"delay": "-1"},
        {"delay": "nan"},
        {"delay": "1e99"},
        {"delay": "soon"},
        {"group": "x" * 300},
        {"key": "a\x00b"},
        {"content": '{"token": "********"}'},
    ],
)
def test_what_cannot_be_meant_is_said_next_to_it(
    admin_client: Client, typed: dict[str, str]
) -> None:
    with installed(make_step(print, QUEUE)):
        page = admin_client.post(TO, {**{"content": "1"}, **typed, **once()})
    assert page.status_code == 200
    assert page.context["form"].errors[next(iter(typed))]
    assert not models.Run.objects.exists()


@pytest.mark.parametrize("topic", ["nobody", "a\x00b", "a/b"])
def test_a_topic_that_nobody_hears_is_a_404(admin_client: Client, topic: str) -> None:
    with installed(make_step(print, QUEUE)):
        assert admin_client.get(f"{PAGE}{quote(topic)}/enqueue/").status_code == 404


def test_sending_needs_its_permission(client_of: Callable[..., Client]) -> None:
    client = client_of("view_step", "run_step")
    with installed(make_step(print, QUEUE)):
        assert client.get(PAGE).status_code == 403
        assert client.post(TO, {"content": "1"}).status_code == 403
        assert "Enqueue" not in client.get("/admin/motia/step/Work/change/").content.decode()
    assert not models.Run.objects.exists()


def test_nobody_sends_to_a_step_that_the_hook_keeps_from_him(
    client_of: Callable[..., Client],
) -> None:
    client = client_of("view_step", "enqueue_message")
    hook = f"{__name__}.not_the_secret_one"
    other = {"type": "queue", "topic": "open"}
    steps = [make_step(print, QUEUE, other, name="A"), make_step(print, QUEUE, name="Secret")]
    with installed(*steps), override_settings(MOTIA={"MAY": hook}):
        assert [row["topic"] for row in client.get(PAGE).context["rows"]] == ["open"]
        assert client.get(TO).status_code == 403
        assert client.post(TO, {"content": "1"}).status_code == 403
    assert not models.Run.objects.exists()


def test_a_schema_that_raises_is_an_error_of_the_form(admin_client: Client) -> None:
    with installed(make_step(print, {**QUEUE, "input": Broken})):
        response = admin_client.post(TO, {"content": '{"weight": 1}', **once()})
        assert "KeyError: &#x27;scales&#x27;" in response.content.decode()
    assert response.status_code == 200
    assert not models.Run.objects.exists()
    assert not LogEntry.objects.exists()
