"""The Steps' pages and the flows, for Steps of any name and files with problems."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from motia_django import models
from motia_django.declarations import Problem
from tests.admin.conftest import MakeRun
from tests.factories import installed, make_step

STEPS, FLOWS = "/admin/motia/step/", "/admin/motia/flow/"
SCHEMA = {"type": "object", "title": "NewTodo"}
EVIL = "<script>alert(1)</script>"
Install = Callable[..., None]


def page_of(name: str) -> str:
    return reverse("admin:motia_step_change", args=[quote(name)])


def config(name: str, *triggers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "triggers": list(triggers or [{"type": "queue", "topic": "t"}]), **more}


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def is_large(input: Any) -> bool:
    return True


def test_the_list_says_what_starts_each_step_and_where_it_sends(
    admin_client: Client, install: Install
) -> None:
    install(
        config(
            "Everything",
            {"type": "http", "method": "POST", "path": "/todos/:id"},
            {"type": "queue", "topic": "todo.created", "condition": is_large},
            {"type": "cron", "schedule": "0 9 * * *", "timezone": "Europe/Berlin"},
            {"type": "state", "groupId": "orders", "key": "17", "events": ["updated"]},
            {"type": "stream", "streamName": "chat"},
            description="Does it all",
            enqueues=["sent.topic"],
            onDead="died.topic",
            flows=["the flow"],
        )
    )
    html = text_of(admin_client, STEPS)
    assert '<code>died.topic</code> <span class="quiet">(when dead)</span>' in html
    for words in (
        "Does it all", "POST /todos/:id", "todo.created", "if is_large", "0 9 * * *", "next due 20",
        "09:00:00 in Europe/Berlin", "group orders, key 17", "when updated", "chat: any group",
        "sent.topic", "the flow", "tests/admin/conftest.py", "shop",
        "/admin/motia/run/?step=Everything",
    ):  # fmt: skip
        assert words in html, words


def test_a_time_of_another_zone_is_told_in_the_readers_too(
    admin_client: Client, install: Install
) -> None:
    trigger = {"type": "cron", "schedule": "30 23 * * *", "timezone": "Asia/Kathmandu"}
    install(config("Theirs", trigger), config("Ours", {"type": "cron", "schedule": "0 3 * * *"}))
    html = text_of(admin_client, STEPS)
    assert re.search(r"23:30:00 in Asia/Kathmandu \(\d{4}-\d\d-\d\d 17:45:00 UTC\)", html)
    assert "03:00:00 in UTC" in html and "03:00:00 in UTC (" not in html


def test_a_schedule_that_is_over_is_said_to_be_over(admin_client: Client, install: Install) -> None:
    install(config("Past", {"type": "cron", "schedule": "0 0 0 1 1 * 2020"}))
    assert "never due again" in text_of(admin_client, STEPS)


@pytest.mark.parametrize("address", [STEPS, STEPS + "Report/change/", "/admin/motia/flow/"])
def test_a_schedule_is_told_as_operators_have_set_it(
    admin_client: Client, install: Install, address: str
) -> None:
    install(config("Report", {"type": "cron", "schedule": "0 9 * * *"}))
    for deed, given in (("override", {"expression": "30 5 1 1 *", "zone": "Asia/Tokyo"}),
                        ("pause", {})):  # fmt: skip
        admin_client.post(f"/admin/motia/schedule/Report/0/{deed}/", {"reason": "", **given})
        html = text_of(admin_client, address)
        assert "overridden by an operator: 30 5 1 1 * in Asia/Tokyo" in html
        assert ("-01-01 05:30:00 in Asia/Tokyo" in html) is (deed == "override")
        assert ("paused, and not due until it is resumed" in html) is (deed == "pause")


def test_no_schedule_of_a_paused_step_is_said_to_be_due(
    admin_client: Client, install: Install
) -> None:
    install(config("Report", {"type": "cron", "schedule": "0 9 * * *"}))
    models.Pause.objects.create(step="Report")
    html = text_of(admin_client, STEPS)
    assert "not due while its Step is paused" in html
    assert "next due" not in html


def test_the_problems_of_step_files_are_on_top(admin_client: Client, install: Install) -> None:
    file = Path("/shop/steps/a_step.py")
    problem = Problem(id="motia.E004", message=f"unknown {EVIL}", hint="Do", file=file, line=3)
    install(config("Fine"), problems=[problem])
    html = text_of(admin_client, STEPS)
    assert "1 problem in Step files" in html
    assert "/shop/steps/a_step.py:3" in html
    assert "motia.E004" in html
    assert EVIL not in html


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "shop::Create",
        "a.b",
        "Größe/ü",
        "100%",
        "a_5F",
        "?x=1&y#z",
        '"quoted"',
        EVIL,
        "<b>",
        "…",
    ],
)
def test_a_step_of_any_name_has_a_page_that_is_linked_to(
    admin_client: Client, install: Install, make_run: MakeRun, name: str
) -> None:
    install(config(name, flows=[name], enqueues=[name]))
    run = make_run(step=name)
    for address in (STEPS, FLOWS, f"/admin/motia/run/{run.id}/change/"):
        html = text_of(admin_client, address)
        assert f'href="{page_of(name)}"' in html
        assert EVIL not in html
    response = admin_client.get(page_of(name))
    assert response.context["step"].name == name
    assert [each.run for each in response.context["runs"]] == [run]
    assert EVIL not in response.content.decode()
    assert admin_client.get(response.context["row"].runs_url).context["cl"].result_count == 1
    assert admin_client.get(response.context["flows"][0][1]).status_code == 200


def passes(request: Any, ctx: Any, next: Any) -> Any:
    return next()


def test_what_a_trigger_skips_makes_up_for_and_never_tries_again_is_told(
    admin_client: Client, install: Install
) -> None:
    cron = {"type": "cron", "schedule": "0 3 * * *", "overlap": "skip", "catchUp": True}
    noop = {"type": "state", "onNoop": True}
    once = {"type": "queue", "topic": "t", "config": {"maxRetries": 0}}
    install(config("Work", cron, noop, once))
    html = text_of(admin_client, page_of("Work"))
    assert "skipped while a run of it goes on" in html
    assert "made up for if it was missed" in html
    assert "even if nothing changed" in html
    assert "none" in re.findall(r"(?s)Retries</\w+>\s*<\w+>\s*(\w+)", html)


@pytest.mark.parametrize(
    ("backoff", "told"), [("exponential", "after 1 s, doubling"), ("fixed", "each after 1 s")]
)
def test_for_how_long_a_trigger_tries_again_is_told(
    admin_client: Client, install: Install, backoff: str, told: str
) -> None:
    patient = {"retryFor": 86_400, "backoffType": backoff}
    install(config("Work", {"type": "queue", "topic": "t", "config": patient}))
    assert f"for 24 h 0 min, {told}" in text_of(admin_client, page_of("Work"))


def test_the_page_shows_schemas_delivery_and_listeners(
    admin_client: Client, install: Install
) -> None:
    delivery = {
        "maxRetries": 5,
        "backoffDelayMs": 2000,
        "queue": "slow",
        "delaySeconds": 3,
        "type": "fifo",
        "concurrency": {"limit": 2, "key": "customer.id"},
        "priority": 7,
        "index": ["orderId"],
        "visibilityTimeout": 30,
    }
    install(
        config(
            "Http",
            {
                "type": "http",
                "path": "/x",
                "method": "POST",
                "etag": lambda: "a",
                "idempotency": {"required": True},
                "middleware": [passes],
                "bodySchema": SCHEMA,
                "querySchema": dict[str, int],
                "responseSchema": {201: int},
                "permissions": [],
                "throttles": "2/min",
            },
        ),
        config(
            "Send",
            {"type": "queue", "topic": "t", "input": SCHEMA, "config": delivery},
            enqueues=["t", {"topic": "unheard", "label": "The label", "conditional": True}],
        ),
    )
    html = text_of(admin_client, page_of("Http"))
    assert "NewTodo" in html
    assert "Response 201" in html
    assert "Query" in html
    assert "integer" in html
    assert "permissions: none" in html
    assert "throttles: 2/min" in html
    assert "needs a header Idempotency-Key" in html
    assert "heeds an ETag" in html
    assert "middleware: passes" in html
    html = text_of(admin_client, page_of("Send"))
    for words in (
        "5, after 2 s, doubling",
        "Most time for one attempt</dt><dd>30 s",
        "slow",
        "3 s",
        "one at a time in each message group",
        "2 for each customer.id",
        "Priority</dt><dd>7",
        "Found by</dt><dd>orderId",
        "nobody listens",
        "The label",
        "sometimes",
    ):
        assert words in html, words
    assert f'<code>t</code> → <a href="{page_of("Send")}">Send</a>' in html


def test_a_steps_page_has_the_index_keys_of_its_own_and_of_its_triggers(
    admin_client: Client,
) -> None:
    work = {"type": "queue", "topic": "work", "config": {"index": {"box": "input.box"}}}
    web = {"type": "http", "method": "GET", "path": "/nowhere"}
    index = {"orderId": ["orderId", "order"]}
    with installed(make_step(lambda input: None, work, web, index=index)):
        html = text_of(admin_client, page_of("Work"))
    step_s = "orderId (orderId, order)"
    assert re.findall("Found by</dt><dd>([^<]*)", html) == [f"{step_s}, box (input.box)", step_s]
    assert "sync: nothing is awaited" in html


@pytest.mark.parametrize(
    ("redact", "told"),
    [
        (None, []),
        ([], ["nothing but headers"]),
        (["card", "pin"], ["<code>card</code>, <code>pin</code>"]),
        ({"add": ["pin"]}, ["<code>pin</code> besides the words of REDACT"]),
        ({"add": []}, [" besides the words of REDACT"]),
    ],
)
def test_a_steps_page_has_its_own_word_on_what_is_masked(
    admin_client: Client, redact: Any, told: list[str]
) -> None:
    with installed(make_step(print, redact=redact)):
        html = text_of(admin_client, page_of("Work"))
    assert re.findall("Masked in its runs</dt><dd>(.*?)</dd>", html) == told


def test_a_schema_that_json_schema_cannot_express_is_no_error(
    admin_client: Client, install: Install
) -> None:
    install(config("Odd", {"type": "queue", "topic": "t", "input": Callable[[], int]}))
    assert "cannot be written as JSON Schema" in text_of(admin_client, page_of("Odd"))


def test_the_page_shows_the_last_twenty_runs(
    admin_client: Client, install: Install, make_run: MakeRun
) -> None:
    install(config("Busy"))
    for _ in range(22):
        make_run(step="Busy")
    assert len(admin_client.get(page_of("Busy")).context["runs"]) == 20


def test_a_step_that_is_gone_is_a_404(admin_client: Client) -> None:
    assert admin_client.get(page_of("Gone")).status_code == 404


def test_flows_show_the_topics_between_their_steps(admin_client: Client, install: Install) -> None:
    install(
        config("First", enqueues=["next", "nowhere"], flows=["one"]),
        config("Second", {"type": "queue", "topic": "next"}, flows=["one"]),
        config("Other", {"type": "queue", "topic": "next"}, flows=["two"]),
    )
    flow = admin_client.get(FLOWS).context["flows"][0]
    hops = [(hop.topic, hop.heard_by) for hop in flow.members[0].hops]
    second, other = ("Second", page_of("Second"), False), ("Other", page_of("Other"), True)
    assert hops == [("next", [second, other]), ("nowhere", [])]
    narrowed = admin_client.get(f"{FLOWS}?flow=two")
    assert [flow.name for flow in narrowed.context["flows"]] == ["two"]
    assert admin_client.get(f"{FLOWS}?flow=three").status_code == 404


def test_a_project_without_steps_is_told_so(admin_client: Client, install: Install) -> None:
    install()
    assert "There is no Step" in text_of(admin_client, STEPS)
    assert "No Step names a flow" in text_of(admin_client, FLOWS)


@pytest.mark.parametrize("path", ["add/", "Any/", "Any/delete/", "Any/history/"])
def test_there_is_nothing_to_change(admin_client: Client, path: str) -> None:
    for pages in (STEPS, FLOWS):
        assert admin_client.get(pages + path).status_code == 404
        assert admin_client.post(pages).status_code == 405


def test_who_may_view_steps_is_not_shown_runs_or_flows(client_of: Callable[..., Client]) -> None:
    client = client_of("view_step")
    for address in (STEPS, page_of("CreateTodo")):
        html = text_of(client, address)
        assert "/admin/motia/run/" not in html
        assert FLOWS not in html
    assert client.get(FLOWS).status_code == 403


def test_the_pages_need_no_inline_script_or_style(admin_client: Client) -> None:
    for address in (STEPS, FLOWS, page_of("CreateTodo")):
        html = text_of(admin_client, address)
        assert "<style" not in html
        assert " style=" not in html
        assert "<script>" not in html


@pytest.mark.django_db
def test_models_without_a_table_do_not_break_dumpdata() -> None:
    for arguments in ([], ["--all"]):
        written = StringIO()
        call_command("dumpdata", "motia", *arguments, stdout=written)
        assert written.getvalue().strip() == "[]"
