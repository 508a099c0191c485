"""One run's page: the error first, its trace as a waterfall, attempts, causes, copies of it."""

from __future__ import annotations

import json
import re
import shlex
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import django
import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pydantic import BaseModel
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAdminUser, IsAuthenticated

from motia_django import Snooze, Upload, discovery, enqueue, models, registry, wake
from motia_django.admin import reproductions, words
from motia_django.admin.copies import of_run
from motia_django.payloads import MASK
from motia_django.steps import Step
from motia_django.testing import Motia
from motia_django.webhooks import github
from tests.admin.conftest import MakeRun
from tests.factories import deliver, installed, make_step, make_stream, nothing, once
from tests.factories import rows as all_rows
from tests.web.serving import http, serving

pytestmark = pytest.mark.django_db

LIST = "/admin/motia/run/"
WORK = {"type": "queue", "topic": "work"}
MESSAGE: dict[str, Any] = {"step": "Work", "trigger": "queue", "source": "work"}
REQUEST: dict[str, Any] = {
    "method": "POST",
    "path": "/todos",
    "query": {"x": ["1", "2"], "token": MASK},
    "headers": {"Content-Type": "application/json", "Authorization": MASK},
    "body": {"title": "it's", "apiKey": MASK},
}


@pytest.fixture(autouse=True)
def _steps() -> Iterator[None]:
    def work(input: Any) -> Any:
        if input["n"] > 1:
            raise ValueError("too much")

    hidden = make_step(name="Hidden")
    with installed(make_step(work, WORK), hidden):
        yield


def at(run: models.Run, what: str = "change") -> str:
    return f"{LIST}{run.pk}/{what}/"


def html(client: Client, run: models.Run) -> str:
    response = client.get(at(run))
    assert response.status_code == 200
    return response.content.decode()


def copies(client: Client, run: models.Run) -> dict[str, str]:
    return {each.id: each.text for each in client.get(at(run)).context["copies"]}


def test_the_error_is_the_first_thing(admin_client: Client, make_run: MakeRun) -> None:
    error = "Traceback (most recent call last):\n  here\nKeyError: 'orderId'"
    page = html(admin_client, make_run(**MESSAGE, status="dead", error=error))
    parts = [
        "KeyError: &#x27;orderId&#x27;</p>",
        "Traceback<",
        'value="Redrive"',
        "motia-life",
        "This run",
    ]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)


def test_the_address_of_a_run_may_be_shortened(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run()
    answer = admin_client.get(f"{LIST}{run.pk}/")
    assert (answer.status_code, answer["Location"]) == (302, f"{LIST}{run.pk}/change/")
    assert Client().get(f"{LIST}{run.pk}/")["Location"].startswith("/admin/login/")


def test_how_the_list_was_narrowed_is_kept_through_a_redrive(
    admin_client: Client, make_run: MakeRun
) -> None:
    run = make_run(**MESSAGE, status="dead", error="KeyError: 1", input={"n": 1})
    origin = "?_changelist_filters=status%3Ddead%26q%3Da%2526b%26self%3D1"
    response = admin_client.get(at(run) + origin)
    assert f'action="../redrive/{origin}"' in response.content.decode()
    assert response.context["runs_url"] == f"{LIST}?status=dead&q=a%26b&self=1"
    asked = admin_client.get(at(run, "edit") + origin)
    assert asked.context["run_url"] == at(run) + origin
    done = admin_client.post(at(run, "redrive") + origin, {"reason": ""})
    assert done.headers["Location"] == at(run) + origin
    refused = admin_client.post(at(run, "redrive") + origin, {"reason": ""})
    assert refused.headers["Location"] == at(run) + origin
    assert admin_client.get(at(run)).context["runs_url"] == LIST


@pytest.mark.parametrize(
    ("address", "crumbs"),
    [
        ("run/", "Home Motia Steps Runs"),
        ("flow/", "Home Motia Steps Flows"),
        ("overview/", "Home Motia Steps Overview"),
        ("step/Work/change/", "Home Motia Steps Steps Work"),
    ],
)
def test_breadcrumbs_lead_through_the_app(admin_client: Client, address: str, crumbs: str) -> None:
    page = admin_client.get(f"/admin/motia/{address}").content.decode()
    tag = "ol" if django.VERSION >= (6, 1) else "div"
    [found] = re.findall(rf'<{tag} class="breadcrumbs">(.*?)</{tag}>', page, re.DOTALL)
    assert re.sub("<[^>]*>|›", " ", unescape(found)).split() == crumbs.split()


def test_redrives_stand_between_the_attempts(admin_client: Client, make_run: MakeRun) -> None:
    def failed(number: int) -> dict[str, Any]:
        return {"at": 1, "kind": "attempt", "attempt": number, "error": f"KeyError: {number}"}

    redriven = {"at": None, "kind": "redriven", "by": "ada", "time": timezone.now().isoformat()}
    timeline = [failed(1), failed(2), redriven, failed(1), {**redriven, "by": "bob"}]
    run = make_run(**MESSAGE, status="queued", attempt=0, timeline=timeline)
    rows = admin_client.get(at(run)).context["attempts"]
    assert [each.get("number") or each["redriven"].text for each in rows] == [
        1, 2, "by ada", 1, "by bob",
    ]  # fmt: skip
    assert "redriven by ada</td>" in html(admin_client, run)


@pytest.mark.parametrize(
    ("status", "attempt", "redrives", "said"),
    [
        ("running", 1, 1, "The error of attempt 2, before the redrive:"),
        ("queued", 0, 1, "The error of attempt 2, before the redrive:"),
        ("running", 3, 0, "The error of attempt 2:"),
        ("scheduled", 2, 0, ""),
        ("dead", 2, 0, ""),
        ("cancelled", 1, 1, ""),
    ],
)
def test_of_a_run_that_goes_on_it_is_said_whose_error_it_shows(
    admin_client: Client, make_run: MakeRun, status: str, attempt: int, redrives: int, said: str
) -> None:
    failed = {"at": 1, "kind": "attempt", "attempt": 2, "error": "KeyError: 1"}
    note = {"at": None, "kind": "redriven", "by": "ada", "time": timezone.now().isoformat()}
    timeline = [failed, *[note] * redrives]
    run = make_run(
        **MESSAGE, status=status, attempt=attempt, timeline=timeline, error="KeyError: 1"
    )
    page = admin_client.get(at(run))
    assert page.context["problem_of"] == said
    assert ('class="errornote motia-problem"' in page.content.decode()) is not bool(said)


def test_a_dead_run_leads_to_all_that_died_of_its_error(
    admin_client: Client, client_of: Callable[..., Client], make_run: MakeRun
) -> None:
    mark = "9ef7b3a52323ac91"
    failed = {**MESSAGE, "error": "KeyError: 1", "fingerprint": mark}
    dead = make_run(**failed, status="dead")
    link = f'<a href="/admin/motia/deadletter/{mark}/change/">All dead runs with this error</a>'
    assert link in html(admin_client, dead)
    assert admin_client.get(f"/admin/motia/deadletter/{mark}/change/").status_code == 200
    assert mark not in html(admin_client, make_run(**failed, status="scheduled"))
    assert "deadletter" not in html(client_of("view_run"), dead)


def test_the_waterfall_has_a_line_for_each_run_with_a_link_and_words(
    admin_client: Client, make_run: MakeRun
) -> None:
    now = timezone.now()
    top = make_run(**MESSAGE, started_at=now + timedelta(seconds=2))
    child = make_run(**MESSAGE, status="running", finished_at=None, parent_id=top.id)
    page = html(admin_client, top)
    assert page.count('class="motia-life"') == 2
    assert f'href="{at(child)}"' in page
    assert 'aria-label="waited 2 s; attempt 1: succeeded' in page
    assert 'class="motia-mark-open"' in page
    assert "style=" not in page


def test_earlier_attempts_of_other_runs_are_drawn_too(
    admin_client: Client, make_run: MakeRun
) -> None:
    now = timezone.now().isoformat()
    entry = {"at": 1, "kind": "attempt", "attempt": 1, "began": now, "ended": now, "error": "E"}
    top = make_run(**MESSAGE)
    make_run(**MESSAGE, attempt=2, parent_id=top.id, timeline=[entry])
    assert html(admin_client, top).count('<rect class="motia-mark-failed" x="0.000%"') == 1


def test_the_attempts_are_listed_each_with_its_error(
    admin_client: Client, make_run: MakeRun
) -> None:
    entry = {"at": 1, "kind": "attempt", "began": "2026-11-28T12:00:00+00:00"}
    entry |= {"ended": "2026-11-28T12:00:01+00:00"}
    timeline = [{**entry, "attempt": number, "error": f"E{number}"} for number in (1, 2)]
    run = make_run(**MESSAGE, attempt=3, timeline=timeline)
    told = admin_client.get(at(run)).context["attempts"]
    assert [(each["number"], each["took"], each["error"]) for each in told] == [
        (1, "1 s", "E1"),
        (2, "1 s", "E2"),
        (3, "< 1 ms", ""),
    ]
    assert admin_client.get(at(make_run(**MESSAGE))).context["attempts"] == []


def test_causes_lead_both_ways_across_traces(admin_client: Client, make_run: MakeRun) -> None:
    old = make_run(**MESSAGE)
    new = make_run(**MESSAGE, parent_id=old.id, trace_id="b" * 32, status="dead")
    assert f'<a href="{at(new)}">Work</a> <span class="motia-status motia-dead">' in html(
        admin_client, old
    )
    page = admin_client.get(at(new))
    assert page.context["cause"]["url"] == at(old)
    assert len(page.context["trace"].branches) == 1


def test_the_index_keys_lead_to_all_runs_that_have_them(
    admin_client: Client, make_run: MakeRun
) -> None:
    run, other, unlike = (make_run(**{**MESSAGE, "step": step}) for step in ("Work", "B", "Work"))
    for each, name in ((run, "customer.id"), (other, "customer.id"), (unlike, "shop")):
        models.RunKey.objects.create(run_id=each.id, name=name, value="<b>&7")
    [(text, url)] = admin_client.get(at(run)).context["keys"]
    assert text == "customer.id=<b>&7"
    assert list(admin_client.get(url).context["cl"].result_list) == [other, run]


def test_of_one_name_a_run_may_have_several_keys(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run(**MESSAGE)
    for value in ("2", "1"):
        models.RunKey.objects.create(run_id=run.id, name="orderId", value=value)
    page = admin_client.get(at(run))
    assert [text for text, _url in page.context["keys"]] == ["orderId=2", "orderId=1"]
    assert admin_client.get(at(run, "export")).json()["keys"] == ["orderId=2", "orderId=1"]


def may(user: Any, permission: str, step: str, flows: Any) -> bool:
    return step != "Hidden"


@override_settings(MOTIA={"MAY": "tests.admin.test_run_page.may"})
def test_runs_of_hidden_steps_are_in_no_trace_cause_or_export(
    client_of: Callable[..., Client], make_run: MakeRun
) -> None:
    client = client_of("view_run")
    top = make_run(**{**MESSAGE, "step": "Hidden"})
    seen = make_run(**MESSAGE, parent_id=top.id)
    make_run(**{**MESSAGE, "step": "Hidden"}, parent_id=seen.id)
    page = html(client, seen)
    assert "Hidden" not in page
    assert "Hidden" not in client.get(at(seen, "export")).content.decode()
    assert client.get(at(top, "export")).status_code == 404


@override_settings(MOTIA={"MAY": "tests.admin.test_run_page.may"})
def test_no_timeline_or_export_names_a_step_that_the_hook_hides(
    client_of: Callable[..., Client], admin_client: Client, make_run: MakeRun
) -> None:
    entries = [
        {"at": 0, "kind": "enqueue", "topic": "both", "steps": ["Work", "Hidden"]},
        {"at": 0, "kind": "enqueue", "topic": "one", "steps": ["Hidden"]},
        {"at": 0, "kind": "enqueue", "topic": "none", "steps": []},
        {"at": 0, "kind": "invoke", "step": "Hidden", "status": "succeeded", "run_id": "x"},
        {"at": None, "kind": "moved", "by": "ada", "from": "Hidden", "to": "Work"},
        {"at": 0, "kind": "enqueue", "topic": "held", "steps": ["Hidden"], "run_id": "x"},
    ]
    client = client_of("view_run")
    with installed(make_step(name="Work"), make_step(name="Hidden")):
        run = make_run(**MESSAGE, timeline=entries)
        lines = client.get(at(run)).context["timeline"]
        export = client.get(at(run, "export")).content.decode()
        whole = [line.text for line in admin_client.get(at(run)).context["timeline"]]
    told = ["both → Work", "one", "none → nobody listens", "succeeded", "by ada"]
    told.append("held: held by run x (dedupeKey)")
    assert [line.text for line in lines] == told
    assert "Hidden" not in export
    assert json.loads(export)["timeline"][0]["steps"] == ["Work"]
    assert whole[:2] == ["both → Work, Hidden", "one → Hidden"]
    assert whole[3:5] == ["Hidden: succeeded", "by ada, from Hidden to Work"]


def test_a_page_of_a_long_trace_stays_within_its_queries(
    admin_client: Client, make_run: MakeRun
) -> None:
    top = make_run(**MESSAGE)
    for _ in range(120):
        make_run(**MESSAGE, parent_id=top.id, attempt=2)
    with CaptureQueriesContext(connection) as queries:
        html(admin_client, top)
    assert len(queries) < 20


# -- to take away


def test_a_run_is_downloaded_whole_and_masked(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run(**MESSAGE, input={"n": 1, "token": "t-1"}, timeline=[{"kind": "note", "at": 1}])
    answer = admin_client.get(at(run, "export"))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="run-{run.id}.json"'
    told = json.loads(answer.content)
    assert told["id"] == str(run.id)
    assert told["input"] == {"n": 1, "token": MASK}
    assert [each["step"] for each in told["trace"]] == ["Work"]
    assert set(told) >= {field.name for field in models.Run._meta.fields} - {
        "index", "fence", "limited", "unique_key", "unique_until", "woken",
    }  # fmt: skip


@pytest.mark.parametrize("status", ["succeeded", "dead"])
def test_a_step_has_its_own_word_on_what_is_shown_of_its_runs(
    admin_client: Client, make_run: MakeRun, status: str
) -> None:
    data = {"account": "s3cret", "client_secret": "cs_1"}
    told = [
        {"kind": "log", "at": 1, "level": "info", "message": "Paying", "fields": data},
        {"kind": "state", "at": 2, "operation": "set", "key": "account", "new": "s3cret"},
    ]
    with installed(make_step(print, redact=["account"])):
        run = make_run(**MESSAGE, status=status, input=data, output=data, timeline=told)
        pages = [html(admin_client, run), admin_client.get(at(run, "export")).content.decode()]
        pages += copies(admin_client, run).values()
        for deed in ("rerun", "rerun_edited", "redrive", "edit"):
            pages.append(admin_client.get(at(run, deed), follow=True).content.decode())
    assert all("s3cret" not in each for each in pages)
    assert pages[0].count("cs_1") >= 3
    assert pages[1].count("cs_1") == 3


@pytest.mark.parametrize("id", ["nonsense", "0c7fae07-24ae-4cec-8fb1-e561a4116444", "%00"])
def test_what_is_not_there_is_not_downloaded(admin_client: Client, id: str) -> None:
    assert admin_client.get(f"{LIST}{id}/export/").status_code == 404


def test_a_request_is_copied_as_curl(admin_client: Client, make_run: MakeRun) -> None:
    text = copies(admin_client, make_run(input=REQUEST))["command"]
    assert shlex.split(text.replace("\\\n", "")) == [
        "curl", "-X", "POST", "http://testserver/todos?x=1&x=2&token=SECRET",
        "-H", "Authorization: SECRET", "-H", "Content-Type: application/json",
        "-d", '{"title":"it\'s","apiKey":"SECRET"}',
    ]  # fmt: skip


def test_a_form_is_copied_as_a_form(admin_client: Client, make_run: MakeRun) -> None:
    form = {"headers": {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}}
    run = make_run(input={**REQUEST, **form, "query": {}, "body": {"a": "1&2", "b": ["x", "y"]}})
    words = shlex.split(copies(admin_client, run)["command"].replace("\\\n", ""))
    assert words[4:] == ["--data-urlencode", "a=1&2"] + [
        word for each in ("x", "y") for word in ("--data-urlencode", f"b={each}")
    ]


SIGNED: dict[str, Any] = {"step": "Signed", "trigger": "http", "source": "POST /x"}


@contextmanager
def signed() -> Iterator[None]:
    """Serve a Step whose requests are signed."""
    with serving(
        make_step(
            lambda request: {"status": 202},
            http("POST", authentication=[github("NO_SUCH")], permissions=[]),
            name="Signed",
        )
    ):
        yield


def test_what_turns_the_direction_of_an_error_is_spelled_out(admin_client: Client) -> None:
    def handler(input: Any, ctx: Any) -> None:
        ctx.logger.info("about \u202e to fail")
        raise ValueError("card \u202e declined\u2066\nsecond line")

    once = {"type": "queue", "topic": "work", "config": {"maxRetries": 1, "backoffDelayMs": 0}}
    with installed(make_step(handler, once)):
        [run_id] = enqueue("work", {})
        deliver([run_id])
        models.Run.objects.update(status="queued")
        deliver([run_id])
        run = models.Run.objects.get()
        errors = "/admin/motia/deadletter/"
        page = f"{errors}{run.fingerprint}/change/"
        for address in (at(run), LIST, errors, page, "/admin/motia/step/Work/change/"):
            html = admin_client.get(address).content.decode()
            assert not {"\u202e", "\u2066"} & set(html), address
            assert "card \\u202e declined" in html, address


def test_what_is_too_long_for_a_page_is_cut_there_and_not_copied_from_it(
    admin_client: Client, make_run: MakeRun
) -> None:
    run = make_run(trigger="queue", source="work", input={"text": "é" * 1_000_000}, status="dead")
    html = admin_client.get(at(run)).content.decode()
    assert "it would be too long for a page" in html
    assert len(html) < 300_000
    exported = json.loads(admin_client.get(f"/admin/motia/run/{run.id}/export/").content)
    assert exported["input"] == run.input


def test_the_copies_of_a_signed_request_know_of_its_signature(make_run: MakeRun) -> None:
    run = make_run(**SIGNED, input={**REQUEST, "path": "/x"}, output={"status": 202})
    request = RequestFactory().get("/")
    with signed():
        command, test = (each.text for each in of_run(run, request))
        assert failure_of(test) == ""
    comment, sent = command.split("\n", 1)
    assert comment.startswith("# X-Hub-Signature-256: ")
    assert "X-Hub-Signature-256: ..." in shlex.split(sent.replace("\\\n", ""))
    assert "Signature" not in of_run(run, request)[0].text


def test_what_came_is_copied_and_not_what_the_handler_made_of_it() -> None:
    def handler(request: Any) -> Any:
        request.body["seen"] = request.body.pop("id")
        return {"status": 201, "body": request.body}

    needs = {"type": "object", "required": ["id"], "additionalProperties": False}
    route = http("POST", bodySchema={**needs, "properties": {"id": {}}})
    with serving(make_step(handler, route)) as client:
        assert client.post("/x", {"id": "web"}, "application/json").status_code == 201
        [row] = all_rows()
        command, test = (each.text for each in of_run(row, RequestFactory().get("/")))
        assert failure_of(test) == ""
    assert shlex.split(command.replace("\\\n", ""))[-1] == '{"id":"web"}'
    assert "self.motia.http('POST', '/x', json={'id': 'web'})" in test


@pytest.mark.parametrize(
    "input", [None, 7, "x", [], {}, {"motia:cut": {"bytes": 9, "begins": "{"}}, {"method": None}]
)
@pytest.mark.parametrize("trigger", ["http", "queue", "cron", "state", "invoke", "nonsense"])
def test_an_input_of_any_shape_can_be_copied(
    admin_client: Client, make_run: MakeRun, input: Any, trigger: str
) -> None:
    run = make_run(**{**MESSAGE, "trigger": trigger}, input=input)
    assert shlex.split(copies(admin_client, run)["command"].replace("\\\n", ""))


def test_a_message_is_copied_as_a_command(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run(**MESSAGE, input={"n": 1, "t": "it's \x00"})
    words = shlex.split(copies(admin_client, run)["command"])
    assert words[1:5] == ["manage.py", "motia_steps", "enqueue", "work"]
    assert json.loads(words[6]) == {"n": 1, "t": "it's \x00"}
    assert len(words) == 7
    run = make_run(**MESSAGE, input=1, message_group="order 17")
    assert shlex.split(copies(admin_client, run)["command"])[7:] == ["--group", "order 17"]


def failure_of(text: str) -> str:
    """Return what a test that was printed fails with, as it is run; an empty text if it passes.

    Its class is not torn down: that would close this test's own connection to the database.
    """
    namespace: dict[str, Any] = {"__name__": "printed"}
    exec(compile(text, "printed", "exec"), namespace)
    [case] = [each for name, each in namespace.items() if name.endswith("Test")]
    result = unittest.TestResult()
    for each in unittest.defaultTestLoader.loadTestsFromTestCase(case):
        each(result)
    assert result.testsRun == 1
    return "".join(text for _, text in [*result.failures, *result.errors])


def test_a_message_is_copied_as_a_test_that_tells_whether_it_is_mended(
    admin_client: Client, make_run: MakeRun
) -> None:
    good = make_run(**MESSAGE, input={"n": 1, "text": 'x"""\\' * 40}, output={"a": 1})
    assert failure_of(copies(admin_client, good)["test"]) == ""
    bad = make_run(**MESSAGE, status="dead", input={"n": 2}, error='ValueError: """\\n"')
    text = copies(admin_client, bad)["test"]
    assert ", which died: " in text
    assert "ValueError: too much" in failure_of(text)


def conduct(order: Any, ctx: Any) -> None:
    """Snooze until the item of state says that the order is over; begin it the first time."""
    if ctx.state.get("orders", order["id"]) is None:
        ctx.state.set("orders", order["id"], {"status": "goes on"})
        ctx.enqueue("order.begun", {**order, "run": ctx.run_id})
    if ctx.state.get("orders", order["id"])["status"] == "goes on":
        raise Snooze("its order goes on", after=timedelta(days=1))


def ship(order: Any, ctx: Any) -> None:
    ctx.state.set("orders", order["id"], {"status": "shipped"})
    wake(order["run"])


def test_a_run_that_what_it_caused_has_woken_is_copied_as_a_test(motia: Motia) -> None:
    begun = {"type": "queue", "topic": "order.begun"}
    with installed(
        make_step(conduct, WORK, enqueues=["order.begun"]), make_step(ship, begun, name="Ship")
    ):
        [run] = motia.queue("work", {"id": "17"})
        text = reproductions.of_run(models.Run.objects.get(id=run.id))
        assert "self.assertEqual(run.status, 'scheduled', run.error)" in text
        assert failure_of(text) == ""
        motia.drain()
        text = reproductions.of_run(models.Run.objects.get(id=run.id))
        assert "self.motia.drain()\n" in text and "wake" not in text
        assert "self.assertEqual(run.status, 'succeeded', run.error)" in text
        assert failure_of(text) == ""


def test_a_run_that_was_snoozed_until_it_was_due_is_copied_as_a_test(motia: Motia) -> None:
    def work(input: Any, ctx: Any) -> None:
        if timezone.now() < ctx.created_at + timedelta(hours=2):
            raise Snooze("the bank is closed", after=3600)

    with installed(make_step(work, WORK)):
        [run] = motia.queue("work", {"n": 1})
        motia.drain(scheduled=True)
        text = reproductions.of_run(models.Run.objects.get(id=run.id))
        assert "do here what it waited for ('the bank is closed'):\n" in text
        assert "self.motia.drain(scheduled=True)" in text
        assert failure_of(text) == ""


def test_a_run_that_was_woken_from_outside_is_copied_as_a_test_that_says_so(motia: Motia) -> None:
    def work(input: Any, ctx: Any) -> None:
        if ctx.state.get("approved", "17") is None:
            raise Snooze("somebody has to\napprove it", after=3600)

    with installed(make_step(work, WORK)):
        [run] = motia.queue("work", {"n": 1})
        motia.state.set("approved", "17", True)
        wake(run.id)
        motia.drain()
        motia.state.delete("approved", "17")
        text = reproductions.of_run(models.Run.objects.get(id=run.id))
        comment = "# Do here what it waited for ('somebody has to\\napprove it'), and wake it:"
        assert comment in text
        assert "'scheduled' != 'succeeded'" in failure_of(text)
        done = "self.motia.state.set('approved', '17', True)"
        assert failure_of(text.replace(comment, done)) == ""


def test_a_copied_test_asks_for_rows_where_its_app_has_tables(make_run: MakeRun) -> None:
    run, comment = make_run(**MESSAGE, input={"n": 1}), "# Make the rows that it reads first."
    for app, is_asked in (("auth", True), ("staticfiles", False), ("nowhere", False)):
        with installed(replace(make_step(), app=app)):
            assert (comment in reproductions.of_run(run)) is is_asked


def test_the_state_that_a_run_found_is_made_for_the_test(
    admin_client: Client, make_run: MakeRun
) -> None:
    changes = [
        {"kind": "state", "operation": "get", "group": "g", "key": "k"},
        {"kind": "state", "operation": "update", "group": "g", "key": "k", "old": {"n": 1}},
        {"kind": "state", "operation": "set", "group": "g", "key": "k", "old": {"n": 2}},
        {"kind": "state", "operation": "set", "group": "g", "key": "new", "old": None},
    ]
    run = make_run(**MESSAGE, input={"n": 1}, timeline=changes)
    text = copies(admin_client, run)["test"]
    assert "self.motia.state.set('g', 'k', {'n': 1})" in text
    assert text.count("state.set") == 1
    assert failure_of(text) == ""


def test_a_request_is_copied_as_a_test(admin_client: Client, make_run: MakeRun) -> None:
    with registry.installed(discovery.discover()):
        body = {**REQUEST, "query": {}, "body": {"title": "x", "description": ""}}
        run = make_run(input=body, output={"status": 201})
        text = copies(admin_client, run)["test"]
        assert failure_of(text) == ""
        wrong = make_run(input={**body, "body": {"title": ""}}, output={"status": 201})
        assert "AssertionError: 400 != 201" in failure_of(copies(admin_client, wrong)["test"])


class Badge(BaseAuthentication):
    """Lets in who shows a badge, and nobody else."""

    def authenticate(self, request: Any) -> Any:
        if request.headers.get("X-Badge") != "red":
            raise AuthenticationFailed
        return AnonymousUser(), "red"


def may_add(request: Any) -> bool:
    """Let in who has a permission of Django's."""
    return bool(request.user.has_perm("auth.add_user"))


def gated(**policies: Any) -> Step:
    """Return a Step that answers only to who sends its header."""

    def handler(request: Any) -> Any:
        return {"status": 200 if request.headers.get("X-Shop") == "7" else 409}

    return make_step(handler, http("POST", **policies), name="Gated")


@pytest.mark.parametrize(
    ("policies", "user"),
    [
        ({"permissions": []}, None),
        ({"permissions": [IsAuthenticated]}, "get_user_model()()"),
        ({"permissions": [IsAuthenticated & IsAdminUser]}, "get_user_model()(is_staff=True"),
        ({"authentication": [Badge], "permissions": []}, "get_user_model()()"),
        ({"authentication": [Badge], "permissions": [may_add]}, "get_user_model"),
    ],
)
def test_a_request_that_somebody_may_send_is_copied_as_a_test(
    make_run: MakeRun, policies: dict[str, Any], user: str | None
) -> None:
    headers = {"Host": "shop.example", "X-Shop": "7", "X-Badge-Token": MASK}
    sent = {"method": "POST", "path": "/x", "headers": headers, "body": {"n": 1}}
    run = make_run(
        step="Gated", trigger="http", source="POST /x", input=sent, output={"status": 200}
    )
    with serving(gated(**policies)):
        text = reproductions.of_run(run)
        assert failure_of(text) == "", text
    assert "shop.example" not in text
    assert "'X-Badge-Token': 'SECRET'" in text
    assert "# 'SECRET' stands for what is masked" in text
    assert (f"user={user}" in text) if user else ("user=" not in text)


def test_the_items_of_streams_that_a_run_found_are_made_for_the_test(make_run: MakeRun) -> None:
    def handler(input: Any, ctx: Any) -> None:
        assert ctx.streams.board.get("a", "17") == {"id": "17", "n": 1}

    here = {"kind": "stream", "stream": "board", "group": "a"}
    noted = [
        {**here, "operation": "get", "item": "17"},
        {**here, "operation": "update", "item": "17", "old": {"id": "17", "n": 1}},
        {**here, "operation": "get", "item": "18\n" * 40},
        {"kind": "state", "operation": "get", "group": "g", "key": "k"},
    ]
    with installed(make_step(handler), streams=[make_stream("board")]):
        text = reproductions.of_run(make_run(**MESSAGE, input={"n": 1}, timeline=noted))
        assert failure_of(text) == "", text
    assert "Stream('board').set('a', '17', {'id': '17', 'n': 1})" in text
    assert "# The run read 'g/k', and what that was is not kept" in text
    assert "# self.motia.state.set('g', 'k', ...)" in text


class Upward(BaseModel):
    """A form with a file."""

    title: str
    file: Upload


def uploading(name: str) -> dict[str, Any]:
    """Return the input of a request that uploaded a file of this name."""
    kept = {"file": name, "size": 9, "contentType": "text/csv"}
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return {
        "method": "POST",
        "path": "/x",
        "headers": headers,
        "body": {"title": "t", "file": kept},
    }


@contextmanager
def taking_files() -> Iterator[None]:
    """Serve a Step that takes a file."""

    def handler(request: Any) -> Any:
        return {"status": 200, "body": [request.body.file.name, request.body.file.content_type]}

    with serving(make_step(handler, http("POST", bodySchema=Upward), name="Up")):
        yield


def test_an_upload_is_copied_as_a_form_with_a_file(make_run: MakeRun) -> None:
    run = make_run(
        step="Up", trigger="http", source="POST /x", input=uploading("p.csv"),
        output={"status": 200},
    )  # fmt: skip
    with taking_files():
        command, test = (each.text for each in of_run(run, RequestFactory().get("/")))
        assert failure_of(test) == "", test
    assert "SimpleUploadedFile('p.csv', b\"...\", content_type='text/csv')" in test
    comment, sent = command.split("\n", 1)
    assert comment == "# p.csv: 9 bytes, whose content is not kept"
    words = shlex.split(sent.replace("\\\n", ""))
    assert words[4:] == ["--form-string", "title=t", "-F", "file=@p.csv"]


@pytest.mark.parametrize("name", [".env", "/etc/passwd", "a;type=x", "-", 'a"b', "\n", "", "~/x"])
def test_a_copied_upload_names_no_file_that_its_sender_chose_well(
    make_run: MakeRun, name: str
) -> None:
    run = make_run(step="Up", trigger="http", source="POST /x", input=uploading(name))
    with taking_files():
        command, test = (each.text for each in of_run(run, RequestFactory().get("/")))
        compile(test, "printed", "exec")
    assert shlex.split(command, comments=True)[-2:] == ["-F", "file=@FILE"]


def test_a_form_is_copied_as_a_test_of_the_form(make_run: MakeRun) -> None:
    def handler(request: Any) -> Any:
        return {"status": 200 if request.body == {"a": "1&2", "b": ["x", "y"]} else 409}

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    sent = {
        "method": "POST",
        "path": "/x",
        "headers": headers,
        "body": {"a": "1&2", "b": ["x", "y"]},
    }
    run = make_run(
        step="Form", trigger="http", source="POST /x", input=sent, output={"status": 200}
    )
    with serving(make_step(handler, http("POST"), name="Form")):
        assert failure_of(reproductions.of_run(run)) == ""


@pytest.mark.parametrize(
    "values",
    [
        {"step": "Gone"},
        {"source": "another topic"},
        {"input": {"motia:cut": {}}},
        *({"trigger": kind} for kind in ("cron", "state", "stream", "nonsense")),
    ],
)
def test_a_run_that_no_test_can_repeat_is_not_copied_as_one(
    make_run: MakeRun, values: dict[str, Any]
) -> None:
    assert reproductions.of_run(make_run(**{**MESSAGE, "input": 1, **values})) == ""


def starter(kind: str, change: dict[str, Any]) -> Step:
    """Return a Step of this trigger that fails unless it is given this input, times aside."""

    def handler(input: Any, ctx: Any) -> None:
        given = input if ctx.trigger.type in ("queue", "invoke") else input.to_json()
        given = {key: value for key, value in given.items() if key in change}
        assert given == change, given

    return make_step(handler, {"type": kind, **STARTED_BY[kind]}, name="Follow")


STARTED_BY: dict[str, dict[str, Any]] = {
    "state": {"groupId": "orders"},
    "stream": {"streamName": "board of today"},
}
ORDER = {"groupId": "orders", "itemId": "17"}
FOLLOWED = {"streamName": "board of today", "groupId": "a", "id": "17"}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("state", {**ORDER, "oldValue": None, "newValue": {"n": 1}}),
        ("state", {**ORDER, "oldValue": {"n": 1}, "newValue": {"n": 2}}),
        ("state", {**ORDER, "oldValue": {"n": 1}, "newValue": None}),
        ("stream", {**FOLLOWED, "event": {"type": "create", "data": {"id": "17", "n": 1}}}),
        ("stream", {**FOLLOWED, "event": {"type": "update", "data": {"id": "17", "n": 1}}}),
        ("stream", {**FOLLOWED, "event": {"type": "delete", "data": {"id": "17"}}}),
        (
            "stream",
            {**FOLLOWED, "event": {"type": "event", "data": {"type": "seen", "data": {"by": 1}}}},
        ),
    ],
)
def test_a_change_is_copied_as_a_test(kind: str, change: Any, make_run: MakeRun) -> None:
    with installed(starter(kind, change), streams=[make_stream("board of today")]):
        source = {"state": "orders/17", "stream": "board of today/a/17"}[kind]
        given = {**change, "timestamp": 1}
        run = make_run(step="Follow", trigger=kind, source=source, input=given)
        assert failure_of(reproductions.of_run(run)) == ""


def test_a_tick_is_copied_as_a_test(make_run: MakeRun) -> None:
    ticks: list[Any] = []
    report = make_step(
        lambda input, ctx: ticks.append(ctx.trigger.scheduled_time.isoformat()),
        {"type": "cron", "schedule": "0 7 * * *"},
        name="Report",
    )
    with installed(report):
        due = "2026-03-02T07:00:00+00:00"
        run = make_run(step="Report", trigger="cron", source="x", input={"scheduledTime": due})
        assert failure_of(reproductions.of_run(run)) == ""
    assert ticks == [due]


def test_an_invocation_is_copied_as_a_test(make_run: MakeRun) -> None:
    run = make_run(step="Work", trigger="invoke", source="", input={"n": 2})
    assert "ValueError: too much" in failure_of(reproductions.of_run(run))


@pytest.mark.parametrize("step", ["7 of 9", "shop::Pay-now", "ü", "'\"\\"])
def test_a_step_of_any_name_has_a_test(make_run: MakeRun, step: str) -> None:
    with installed(make_step(lambda input: None, name=step)):
        text = reproductions.of_run(make_run(**{**MESSAGE, "step": step}, input=1))
        assert failure_of(text) == ""


def test_the_texts_are_escaped_and_need_no_script(admin_client: Client, make_run: MakeRun) -> None:
    page = html(admin_client, make_run(**MESSAGE, input={"x": "</textarea><script>alert(1)"}))
    assert "<script>alert" not in page
    assert 'readonly spellcheck="false"' in page


def test_an_endless_error_is_shown_as_far_as_one_reads_it(
    admin_client: Client, make_run: MakeRun
) -> None:
    error = "Traceback (most recent call last):\nValueError: " + "long " * 100_000 + "to the end"
    entry = {"at": 1, "kind": "error", "attempt": 1, "message": error[35:], "traceback": error}
    run = make_run(status="dead", error=error, fingerprint="c" * 16, timeline=[entry])
    for address in (f"run/{run.id}/change", "deadletter/" + "c" * 16 + "/change"):
        html = admin_client.get(f"/admin/motia/{address}/").content.decode()
        assert "to the end" in html
        assert len(html) < 150_000


@pytest.mark.parametrize("end", ['"', '""', '"""', "\\", "\x0cy", "\u2028z", "'" * 3])
def test_the_copied_test_is_python_however_the_error_ends(
    admin_client: Client, make_run: MakeRun, end: str
) -> None:
    with installed(make_step(name="Pay")):
        run = make_run(step="Pay", trigger="queue", source="work", status="dead", input={"a": 1},
                       error=f"ValueError: expected {end}")  # fmt: skip
        page = admin_client.get(f"/admin/motia/run/{run.id}/change/")
    [text] = [each.text for each in page.context["copies"] if each.id == "test"]
    compile(text, "test_copied.py", "exec")
    assert "ValueError: expected" in text.splitlines()[0]


@pytest.mark.parametrize(
    "timeline",
    [
        [{"kind": "enqueue", "topic": "t", "steps": 5}],
        [{"kind": "log", "at": 1e300, "message": 1}],
        [{"kind": "redriven", "time": "0001-01-01T00:00:00+23:00", "by": ["x"]}],
        [{"kind": "attempt", "attempt": 1, "began": "0001-01-01T00:00:00+23:00"}],
        [{"kind": "attempt", "attempt": 1, "began": "9999-12-31T23:59:59-23:00"}],
        [{"kind": {"a": 1}, "attempt": []}, None, 1, [2]],
        {"a": 1},
        "x",
    ],
)
def test_a_timeline_that_nobody_would_write_is_shown_all_the_same(
    admin_client: Client, make_run: MakeRun, timeline: Any
) -> None:
    run = make_run(status="dead", error="E: x", timeline=timeline)
    for page in ("change", "export"):
        assert admin_client.get(f"/admin/motia/run/{run.id}/{page}/").status_code == 200


def test_the_copied_command_sends_no_file_of_whoever_pastes_it(
    admin_client: Client, make_run: MakeRun
) -> None:
    sent = {"method": "POST", "path": "/up", "body": {"f": "@/etc/passwd"},
            "headers": {"Content-Type": "multipart/form-data; boundary=x"}}  # fmt: skip
    run = make_run(source="POST /up", input=sent)
    copies = admin_client.get(f"/admin/motia/run/{run.id}/change/").context["copies"]
    [text] = [each.text for each in copies if each.id == "command"]
    assert shlex.split(text)[-2:] == ["--form-string", "f=@/etc/passwd"]


def test_what_state_holds_under_a_telling_name_is_not_shown(
    admin_client: Client, make_run: MakeRun
) -> None:
    entry = {"at": 0, "kind": "state", "operation": "set", "group": "g", "key": "stripe_token",
             "old": "sk_old", "new": "sk_new"}  # fmt: skip
    event = {"at": 0, "kind": "stream", "operation": "set", "stream": "s", "group": "g",
             "item": "api_key", "old": {"a": "sk_1"}, "new": ["sk_2"], "event": "sk_3"}  # fmt: skip
    with installed(make_step(name="Work")):
        run = make_run(**MESSAGE, timeline=[entry, event, "odd"], input={})
        page = html(admin_client, run)
        export = admin_client.get(at(run, "export")).content.decode()
    assert "g/stripe_token" in page
    assert '"api_key"' in export
    assert "sk_" not in page + export


CHANGED: dict[str, Any] = {
    "type": "state", "eventType": "state:updated", "groupId": "shop", "itemId": "stripe_token",
    "oldValue": "sk_1", "newValue": {"live": "sk_2"},
}  # fmt: skip
TOLD: dict[str, Any] = {
    "type": "stream", "streamName": "shop", "groupId": "g", "id": "api_key", "timestamp": 1,
    "event": {"type": "update", "data": "sk_3"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "trigger", "input"),
    [
        ("state", {"type": "state"}, CHANGED),
        ("stream", {"type": "stream", "streamName": "shop"}, TOLD),
        ("invoke", {"type": "state"}, CHANGED),
    ],
)
def test_a_run_that_a_secret_has_started_shows_it_nowhere(
    admin_client: Client, make_run: MakeRun, kind: str, trigger: dict[str, Any], input: Any
) -> None:
    step = make_step(print, trigger)
    started: Any = {"step": "Work", "trigger": kind, "source": step.triggers[0].source}
    with installed(step, streams=[make_stream("shop")]):
        over = make_run(**started, input=input)
        dead = make_run(**started, input=input, status="dead")
        shown = [html(admin_client, over), admin_client.get(at(over, "export")).content.decode()]
        for run, deed in ((over, "rerun"), (over, "rerun_edited"), (dead, "edit")):
            shown.append(admin_client.get(at(run, deed), follow=True).content.decode())
        typed = {"content": json.dumps(words.masked_input(models.Run(input=input))), **once()}
        admin_client.post(at(over, "rerun_edited"), typed)
    assert all("sk_" not in each for each in shown)
    assert MASK in shown[0] and MASK in shown[1]
    assert models.Run.objects.get(parent_id=over.id).input == input


def test_the_facts_say_how_long_it_waited_and_worked_as_the_first_line_does(
    admin_client: Client, make_run: MakeRun
) -> None:
    born = timezone.now() - timedelta(hours=1)
    first, last = born + timedelta(seconds=1), born + timedelta(minutes=15)
    entry = {"at": 0, "kind": "attempt", "attempt": 1, "began": first.isoformat(),
             "ended": (first + timedelta(minutes=2)).isoformat(), "error": "E: x"}  # fmt: skip
    run = make_run(attempt=2, created_at=born, started_at=last, timeline=[entry],
                   finished_at=last + timedelta(minutes=1))  # fmt: skip
    context = admin_client.get(f"/admin/motia/run/{run.id}/change/").context
    assert context["lead"][1:] == ["waited 1 s", "worked 3 min in 2 attempts"]
    facts = dict(context["times"])
    assert (facts["Waited"], facts["Worked"]) == ("1 s", "3 min")


def test_how_long_it_took_to_notice_that_a_worker_was_lost_is_no_work(
    admin_client: Client, make_run: MakeRun
) -> None:
    born = timezone.now() - timedelta(hours=1)
    last = born + timedelta(seconds=71)
    lost = {"at": None, "kind": "worker_lost", "attempt": 1, "message": "WorkerLost: x"}
    entry = {"at": 71, "kind": "attempt", "attempt": 1, "began": born.isoformat(),
             "ended": last.isoformat(), "error": "WorkerLost: x"}  # fmt: skip
    run = make_run(attempt=2, created_at=born, started_at=last, timeline=[lost, entry],
                   finished_at=last + timedelta(seconds=5))  # fmt: skip
    response = admin_client.get(f"/admin/motia/run/{run.id}/change/")
    told = ["worked 5 s", "lost its worker, which was noticed after 1 min 11 s"]
    assert response.context["lead"][2:] == told
    assert dict(response.context["times"])["Worked"] == "5 s"
    assert "attempt 1: its worker was lost, 1 min 11 s" in response.content.decode()


def test_a_run_that_is_snoozed_is_shown_without_an_error(
    admin_client: Client, make_run: MakeRun
) -> None:
    snoozed = {"at": None, "kind": "snoozed", "until": "2026-11-22T19:00:00+00:00"}
    timeline = [
        {**snoozed, "attempt": 1, "times": 12, "reason": "nobody has approved it"},
        {**snoozed, "attempt": 2, "times": 1, "reason": "not yet"},
    ]
    now = timezone.now()
    values = {"status": "scheduled", "attempt": 0, "tried_since": now, "wake_at": now}
    values |= {"started_at": None, "finished_at": None}
    page = html(admin_client, make_run(**MESSAGE, **values, timeline=timeline))
    assert "12 times, until 2026-11-22 19:00:00: nobody has approved it" in page
    assert "until 2026-11-22 19:00:00: not yet" in page
    assert re.search(r"It was snoozed, and goes on at 20[^<]*: not yet</li>", page)


def test_a_run_that_may_be_snoozed_for_a_time_only_says_when_that_ends(
    admin_client: Client, make_run: MakeRun
) -> None:
    trigger = {"type": "queue", "topic": "work", "config": {"retryFor": 3600}}
    now = timezone.now()
    values = {"status": "scheduled", "attempt": 0, "tried_since": now, "wake_at": now}
    values |= {"step": "Work", "trigger": "queue", "source": "work", "started_at": None}
    with installed(make_step(nothing, trigger)):
        page = html(admin_client, make_run(**values, finished_at=None))
    ends = timezone.localtime(now + timedelta(hours=1))
    told = f"Snoozed after {ends:%Y-%m-%d %H:%M:%S}[^<]*, when its retryFor ends, it would be dead."
    assert re.search(rf"It was snoozed, and goes on at 20[^<]*[.] {told}</li>", page)


def test_each_call_of_a_run_that_was_snoozed_and_its_end_are_shown(
    admin_client: Client, make_run: MakeRun
) -> None:
    born = timezone.now() - timedelta(seconds=10)
    began, again = born + timedelta(seconds=2), born + timedelta(seconds=8)
    child = make_run(**MESSAGE)
    entry = {"at": 1, "kind": "snoozed", "times": 1, "reason": "its order goes on", "attempt": 1}
    entry |= {"worked": 1, "calls": [[began.isoformat(), 1]]}
    entry |= {"until": (born + timedelta(days=1)).isoformat()}
    woken = {"at": None, "kind": "woken", "time": (born + timedelta(seconds=7)).isoformat()}
    woken |= {"step": "Work", "run_id": str(child.id)}
    values: dict[str, Any] = {"created_at": born, "tried_since": began, "started_at": again}
    values |= {"finished_at": again + timedelta(seconds=1), "timeline": [entry, woken]}
    run = make_run(**MESSAGE, **values)
    context = admin_client.get(at(run)).context
    assert context["lead"][1:] == ["waited 2 s", "worked 2 s in 2 calls", "was snoozed once"]
    times = dict(context["times"])
    assert times["Started"] == words.moment_with_zone(began)
    assert times["Last call began"] == words.moment_with_zone(again)
    assert [(each["number"], each["took"], each["error"]) for each in context["attempts"]] == [
        (1, "1 s", "its order goes on"),
        (1, "1 s", ""),
    ]
    snoozed, by = context["timeline"]
    assert (snoozed.kind, snoozed.at) == ("snoozed", "1 s")
    assert (by.kind, by.text, by.url) == ("woken", f"by Work, run {child.id}", at(child))
    page = html(admin_client, run)
    assert '<span class="motia-status motia-scheduled">snoozed</span>' in page
    told = "waited 2 s; attempt 1: asked to go on later, 1 s; snoozed 4 s; waited 1 s; attempt 1:"
    assert f'aria-label="{told}' in page
    other = html(admin_client, make_run(**MESSAGE))
    assert f'aria-label="{told}' in other


def test_calls_of_which_only_the_number_was_kept_count_as_well(
    admin_client: Client, make_run: MakeRun
) -> None:
    calls = [["2026-11-28T12:00:00+00:00", 1], ["2026-11-28T12:09:00+00:00", 1]]
    entry = {"at": 1, "kind": "snoozed", "times": 10, "worked": 60, "calls": calls, "attempt": 1}
    lead = admin_client.get(at(make_run(**MESSAGE, timeline=[entry]))).context["lead"]
    assert lead[-2:] == ["worked 1 min in 11 calls", "was snoozed 10 times"]


def test_what_a_snooze_says_is_escaped_and_cut(admin_client: Client, make_run: MakeRun) -> None:
    reason = "<script>" + 600 * "x"
    timeline: list[Any] = [{"at": None, "kind": "snoozed", "times": 1, "reason": reason}, "junk"]
    now = timezone.now()
    values = {"status": "scheduled", "attempt": 0, "tried_since": now, "wake_at": now}
    values |= {"started_at": None, "finished_at": None}
    run = make_run(**MESSAGE, **values, timeline=timeline)
    page = html(admin_client, run)
    assert "<script>x" not in page and "&lt;script&gt;xx" in page
    [reason] = admin_client.get(at(run)).context["waits"]
    assert len(reason.text) < 400


def test_a_message_whose_key_is_held_links_to_the_run_that_holds_it(
    admin_client: Client, make_run: MakeRun
) -> None:
    holder = make_run(**MESSAGE)
    entry = {"at": 0, "kind": "enqueue", "topic": "t", "steps": ["Work"], "run_id": str(holder.id)}
    [line] = admin_client.get(at(make_run(**MESSAGE, timeline=[entry]))).context["timeline"]
    assert line.text == f"t → Work: held by run {holder.id} (dedupeKey)"
    assert line.url == at(holder)
