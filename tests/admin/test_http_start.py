"""An http Step run by hand: through the project's own handler, as who asks, and no more than he."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, override_settings
from django.urls import clear_url_caches, include, path
from pydantic import BaseModel
from rest_framework.permissions import IsAdminUser, IsAuthenticated

from motia_django import invoke, models
from motia_django.admin import exchange
from motia_django.registry import registry
from motia_django.web.routing import urlpatterns_for
from tests.factories import installed, make_step, nothing, once

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/motia/step/Work/run/0/"


class NewTodo(BaseModel):
    title: str


@contextmanager
def serving(*steps: Any, below: str = "") -> Iterator[None]:
    """Serve these Steps, and the admin."""
    with installed(*steps):
        urls = ModuleType("urls_of_this_test")
        patterns = (urlpatterns_for(registry().routes()), "motia")
        own = [path("admin/", admin.site.urls), path(below, include(patterns))]
        urls.urlpatterns = own  # type: ignore[attr-defined]
        with override_settings(ROOT_URLCONF=urls):
            clear_url_caches()
            yield
        clear_url_caches()


def http(method: str = "POST", path: str = "/todos/:id", **keys: Any) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, **keys}


def echo(request: Any) -> dict[str, Any]:
    body = {
        "id": request.params.get("id"),
        "body": request.body,
        "query": request.query,
        "accept": request.headers["Accept"],
        "key": request.headers.get("Idempotency-Key"),
        "user": str(request.user),
    }
    return {"status": 201, "body": body, "headers": {"X-Own": "yes"}}


def asked(client: Client, page: str = PAGE, **typed: Any) -> Any:
    """Open the form, which gives the browser its CSRF cookie, and send it."""
    assert client.get(page).status_code == 200
    return client.post(page, {**once(), **typed})


def test_the_request_is_the_one_that_was_typed_and_its_answer_is_shown(
    admin_client: Client,
) -> None:
    with serving(make_step(echo, http()), below="api/v1/"):
        page = asked(
            admin_client,
            param_id="17 ü%2F",
            query="?page=2&sort=nämé",
            headers="idempotency-key: k-1\n\nAccept: application/json;q=0.9",
            content='{"a": [1]}',
            reason="to see it",
        )
    answer = page.context["answer"]
    assert answer.status == "201 Created"
    assert ("X-Own", "yes") in answer.headers
    for part in (
        '"id": "17 ü%2F"',
        '"page": "2"',
        '"sort": "nämé"',
        '"key": "k-1"',
        '"accept": "application/json;q=0.9"',
        '"user": "admin"',
    ):
        assert part in answer.body, answer.body
    run = models.Run.objects.get()
    assert run.input["path"] == "/api/v1/todos/17 ü%2F"
    assert answer.run_url.endswith(f"{run.id}/change/")
    assert "to see it" in admin_client.get(answer.run_url).content.decode()
    begin = run.timeline[0]
    assert (begin["kind"], begin["by"], begin["reason"]) == (
        "started",
        "admin (admin)",
        "to see it",
    )
    assert "Run now: http POST /todos/:id: to see it" in str(LogEntry.objects.get().change_message)


def test_its_run_is_there_with_its_answer_where_others_are_written_behind_theirs(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handler() -> dict[str, Any]:
        invoke("Child")
        return {"status": 204}

    steps = make_step(handler, http(path="/todos")), make_step(nothing, name="Child")
    monkeypatch.delattr(mail, "outbox")  # by which a test is known, whose runs are written at once
    with serving(*steps), override_settings(MOTIA={"HISTORY_DELAY": 60}):
        page = asked(admin_client, reason="why")
    run = models.Run.objects.get(step="Work")
    assert page.context["answer"].run_url.endswith(f"{run.id}/change/")
    assert [each["kind"] for each in run.timeline] == ["started", "invoke"]
    assert models.Run.objects.get(step="Child").timeline == []


def test_the_body_begins_as_an_example_and_what_the_view_refuses_is_shown(
    admin_client: Client,
) -> None:
    with serving(make_step(echo, http(path="/todos", bodySchema=NewTodo))):
        assert "&quot;title&quot;: &quot;&quot;" in admin_client.get(PAGE).content.decode()
        page = asked(admin_client, content='{"title": 5}')
    assert page.context["answer"].status == "400 Bad Request"
    assert "Input should be a valid string" in page.context["answer"].body
    assert "refused before any run began" in page.content.decode()
    assert not models.Run.objects.exists()


def test_nobody_is_more_than_his_own_account(client_of: Callable[..., Client]) -> None:
    client = client_of("view_step", "run_step")
    with serving(make_step(echo, http("GET", "/todos"))):
        with permissions(IsAuthenticated):
            assert asked(client).context["answer"].status == "201 Created"
        with permissions(NotStaff):
            assert asked(client).context["answer"].status == "403 Forbidden"
    assert models.Run.objects.count() == 1
    assert asked_by_run() == {"staff"}


@pytest.mark.parametrize(
    "typed",
    [
        "X-Forwarded-For: 10.0.0.1",
        "Remote-User: root",
        "Cookie: sessionid=other",
        "Host: elsewhere",
        "X-CSRFToken: x",
        "no header",
        "Accept: a\x00b",
        "Accept-Language: 你好",
        "Bad Name: x",
    ],
)
def test_headers_that_a_proxy_may_be_trusted_to_set_are_refused(
    admin_client: Client, typed: str
) -> None:
    with serving(make_step(echo, http("GET", "/todos"))):
        page = asked(admin_client, headers=typed)
    assert page.context["form"].errors["headers"]
    assert "answer" not in page.context
    assert not models.Run.objects.exists()


@pytest.mark.parametrize(
    "typed",
    [
        {"query": "?token=********"},
        {"headers": "Authorization: ********"},
        {"content": '{"token": "********"}'},
        {"param_id": "********"},
    ],
)
def test_masks_that_were_copied_are_not_sent(admin_client: Client, typed: dict[str, str]) -> None:
    with serving(make_step(echo, http())):
        page = asked(admin_client, **{"param_id": "17", **typed})
    [told] = page.context["form"].non_field_errors()
    assert "******** stands where" in told
    assert not models.Run.objects.exists()


def test_a_handler_that_fails_is_shown_as_the_project_shows_it(admin_client: Client) -> None:
    def fails(request: Any) -> None:
        raise ValueError("boom")

    with serving(make_step(fails, http("GET", "/todos"))):
        admin_client.raise_request_exception = False
        page = asked(admin_client)
    assert page.context["answer"].status.startswith("500")
    assert page.context["answer"].run_url
    assert models.Run.objects.get().status == "dead"


def test_an_answer_that_takes_too_long_is_not_waited_for(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "SECONDS", 0.3)
    may_end = threading.Event()

    def slow(request: Any) -> None:
        may_end.wait(30)

    with serving(make_step(slow, http("GET", "/todos"))):
        page = asked(admin_client)
        assert "goes on, and may have effects" in page.content.decode()
        assert not models.Run.objects.exists()
        may_end.set()
        for thread in threading.enumerate():
            if thread.name.startswith("motia-admin"):
                thread.join(30)
    assert models.Run.objects.get().status == "succeeded"


def test_an_answer_without_an_end_is_cut(admin_client: Client) -> None:
    def endless(request: Any) -> StreamingHttpResponse:
        return StreamingHttpResponse(iter(lambda: b"x" * 10_000, b""), content_type="text/plain")

    with serving(make_step(endless, http("GET", "/todos"))):
        answer = asked(admin_client).context["answer"]
    assert len(answer.body) == exchange.MOST_BYTES
    assert answer.note


@pytest.mark.parametrize("tail", ["y" * 200_000, "broken"])
def test_json_whose_secrets_cannot_be_masked_is_not_shown(admin_client: Client, tail: str) -> None:
    text = '{"token": "tell-nobody", "rest": "' + tail

    def tells(request: Any) -> HttpResponse:
        return HttpResponse(text, content_type="application/json")

    with serving(make_step(tells, http("GET", "/todos"))):
        html = asked(admin_client).content.decode()
    assert "tell-nobody" not in html
    assert f"{min(len(text), exchange.MOST_BYTES)} bytes of application/json" in html


def test_who_may_not_see_the_run_is_told_that_there_is_one(
    client_of: Callable[..., Client],
) -> None:
    def breaks(request: Any) -> None:
        raise ValueError("boom")

    client = client_of("view_step", "run_step")
    client.raise_request_exception = False
    with serving(make_step(breaks, http("GET", "/todos"))):
        page = asked(client)
    assert models.Run.objects.count() == 1
    assert page.context["answer"].run_url == ""
    assert "It has a run, which you may not see." in page.content.decode()
    assert "refused before any run began" not in page.content.decode()


def test_an_answer_that_never_ends_is_left_in_time(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "SECONDS", 2)
    closed = threading.Event()

    def beats() -> Iterator[bytes]:
        try:
            while True:
                time.sleep(0.05)
                yield b": beat\n\n"
        finally:
            closed.set()

    def beat(request: Any) -> StreamingHttpResponse:
        return StreamingHttpResponse(beats(), content_type="text/event-stream")

    with serving(make_step(beat, http("GET", "/todos"))):
        answer = asked(admin_client).context["answer"]
    assert answer.body.startswith(": beat")
    assert answer.note
    assert closed.wait(5)


def test_who_gave_up_waiting_holds_no_place(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "SECONDS", 0.2)
    monkeypatch.setattr(exchange, "_AT_ONCE", threading.BoundedSemaphore(1))
    may_end = threading.Event()

    def silent(request: Any) -> None:
        may_end.wait(30)

    with serving(make_step(silent, http("GET", "/todos"))):
        told = [asked(admin_client).context["no_answer"] for _ in range(2)]
        may_end.set()
        for thread in threading.enumerate():
            if thread.name.startswith("motia-admin"):
                thread.join(30)
    assert all("goes on, and may have effects" in each for each in told)


def test_bytes_are_not_shown_and_nothing_of_an_answer_is_markup(admin_client: Client) -> None:
    def image(request: Any) -> HttpResponse:
        return HttpResponse(b"\x89PNG\xff", content_type="image/png")

    def page(request: Any) -> HttpResponse:
        return HttpResponse("<script>alert(1)</script>", headers={"X-A": "<b>"})

    for handler, told in ((image, "5 bytes of image/png"), (page, "&lt;script&gt;alert(1)")):
        with serving(make_step(handler, http("GET", "/todos"))):
            html = asked(admin_client).content.decode()
        assert told in html
        assert "<script>alert" not in html
        assert "<b>" not in html


def test_secrets_of_an_answer_are_masked(admin_client: Client) -> None:
    def tells(request: Any) -> dict[str, Any]:
        return {"body": {"token": "tell-nobody"}, "headers": {"X-Api-Key": "nor-this"}}

    with serving(make_step(tells, http("GET", "/todos"))):
        html = asked(admin_client).content.decode()
    assert "tell-nobody" not in html
    assert "nor-this" not in html


def test_a_step_has_its_own_word_on_its_answer_but_not_on_its_headers(admin_client: Client) -> None:
    def tells(request: Any) -> dict[str, Any]:
        body = {"token": "tell-all", "account": "tell-nobody"}
        return {"body": body, "headers": {"X-Api-Key": "nor-this", "X-Account": "nor-that"}}

    with serving(make_step(tells, http("GET", "/todos"), redact=["account"])):
        html = asked(admin_client).content.decode()
    assert "tell-all" in html
    assert "tell-nobody" not in html
    assert "nor-th" not in html


def test_where_the_project_does_not_serve_the_step_it_is_said(admin_client: Client) -> None:
    urls = ModuleType("urls_without_steps")
    urls.urlpatterns = [path("admin/", admin.site.urls)]  # type: ignore[attr-defined]
    with installed(make_step(echo, http("GET", "/todos"))), override_settings(ROOT_URLCONF=urls):
        clear_url_caches()
        page = asked(admin_client)
    clear_url_caches()
    assert "answers GET /todos here" in page.content.decode()


def test_a_parameter_is_one_segment_of_the_path(admin_client: Client) -> None:
    with serving(make_step(echo, http("GET", "/todos/:id"))):
        for typed in ("", "a/b", "../admin"):
            assert "answer" not in asked(admin_client, param_id=typed).context
    assert not models.Run.objects.exists()


def test_of_two_paths_of_a_step_each_is_asked_at_its_own(admin_client: Client) -> None:
    where: list[str] = []

    def handler(request: Any) -> None:
        where.append(request.path)

    with serving(make_step(handler, http("GET", "/a/:id"), http("GET", "/b/:id"))):
        asked(admin_client, param_id="1")
        asked(admin_client, PAGE.replace("/0/", "/1/"), param_id="2")
    assert where == ["/a/1", "/b/2"]


class NotStaff(IsAdminUser):
    """Lets in nobody who is staff."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return not request.user.is_staff


@contextmanager
def permissions(*classes: Any) -> Iterator[None]:
    """Make these what the routes of the Steps ask."""
    from motia_django.web.views import StepView

    before = StepView.permission_classes
    StepView.permission_classes = classes
    try:
        yield
    finally:
        StepView.permission_classes = before


def asked_by_run() -> set[str]:
    """Return who asked, as the handler saw it."""
    return {run.output["body"]["user"] for run in models.Run.objects.all()}
