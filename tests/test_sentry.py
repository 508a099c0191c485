"""What Sentry's real SDK is told of runs, in processes of their own, since it changes them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.docs.pages import ROOT

SET_UP = """
import json, logging, sys
import django
from django.conf import settings
{before}
django.setup()
{after}
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tests.factories import deliver, installed, kept_run, let_time_pass, make_step, row
from tests.web.serving import http, serving
from motia_django import enqueue, invoke
{body}
print(json.dumps(events, default=str))
"""
INIT = """
import sentry_sdk
from sentry_sdk.transport import Transport

events = []

class Collecting(Transport):
    def capture_envelope(self, envelope):
        if envelope.get_event():
            events.append(envelope.get_event())

sentry_sdk.init(dsn="https://key@sentry.invalid/1", transport=Collecting)
"""


def told(body: str, *, late: bool = False) -> list[dict[str, Any]]:
    """Return the events of a process that does something, with Sentry from before Django or after.

    `ids` in the last event is what the process says the ids should be.
    """
    before, after = ("", INIT) if late else (INIT, "")
    code = SET_UP.format(before=before, after=after, body=body)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def tags(event: dict[str, Any]) -> dict[str, str]:
    """Return the tags that are ours."""
    found = dict(event.get("tags") or {})
    return {key: value for key, value in found.items() if key.startswith("motia.")}


DIES = """
def handler(input, ctx):
    raise LookupError("no such order")

run = None
with installed(make_step(handler, {"type": "queue", "topic": "work", "config": {"maxRetries": 2}})):
    [run_id] = enqueue("work", 1)
    deliver([run_id])
    assert events == [], "a retry is no failure yet"
    for _ in range(2):
        let_time_pass(run_id)
        deliver([run_id])
    assert row(run_id).status == "dead"
events.append({"tags": {"motia.step": "Work", "motia.run_id": run_id,
                        "motia.trace_id": row(run_id).trace_id}})
"""


@pytest.mark.parametrize("late", [False, True], ids=["before Django", "after Django"])
def test_a_run_is_told_of_once_when_it_is_dead(late: bool) -> None:
    event, expected = told(DIES, late=late)
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("LookupError", "no such order")
    assert error["stacktrace"]["frames"][-1]["function"] == "handler"
    assert tags(event) == tags(expected)


TELLS = """
def handler(input, ctx):
    ctx.logger.error("Odd order", {"id": 17})
    logging.getLogger("shop").error("Odd, too")
    sentry_sdk.capture_message("Oddest")
    try:
        ctx.invoke("Inner")
    except LookupError as error:
        sentry_sdk.capture_exception(error)

def inner(input, ctx):
    sentry_sdk.capture_message("Inside")
    raise LookupError("inside")

steps = make_step(handler), make_step(inner, {"type": "queue", "topic": "inner"}, name="Inner")
with installed(*steps):
    [run_id] = enqueue("work", 1)
    deliver([run_id])
    sentry_sdk.capture_message("Outside")
    assert row(run_id).status == "succeeded"
"""


def test_what_a_handler_tells_is_tagged_with_the_run_that_goes_on() -> None:
    events = told(TELLS)
    steps = [tags(event).get("motia.step") for event in events]
    assert steps == ["Work", "Work", "Work", "Inner", "Work", None]
    assert len({tags(event).get("motia.run_id") for event in events}) == 3
    assert len({tags(event).get("motia.trace_id") for event in events}) == 2


ANSWERS = """
from rest_framework.exceptions import APIException, NotFound

def answer(request, ctx):
    kind = request.params["kind"]
    if kind == "invoke":
        ctx.invoke("Inner")
    raise {"error": LookupError("no such order"), "missing": NotFound(),
           "refused": APIException("later")}[kind]

def inner(input, ctx):
    raise LookupError("inside")

steps = (make_step(answer, http("GET", "/x/:kind"), name="Door"),
         make_step(inner, {"type": "queue", "topic": "inner"}, name="Inner"))
with serving(*steps) as client:
    for kind in ("missing", "refused", "error", "invoke", "missing"):
        client.get(f"/x/{kind}")
    sentry_sdk.capture_message("Outside")
"""


def test_a_request_that_fails_is_told_of_once_with_its_run() -> None:
    error, invoked, outside = told(ANSWERS)
    assert [each["exception"]["values"][-1]["value"] for each in (error, invoked)] == [
        "no such order",
        "inside",
    ]
    assert error["transaction"] == invoked["transaction"] == "/x/{kind}"
    assert [tags(each).get("motia.step") for each in (error, invoked, outside)] == [
        "Door",
        "Door",
        None,
    ]
    assert tags(error)["motia.run_id"] != tags(invoked)["motia.run_id"]


LOSES = """
from motia_django import ledger, models, runner
with installed(make_step()):
    run = kept_run(attempt=3)
    models.Run.objects.filter(id=run.id).update(
        status="running", fence=1, attempt=9, wake_at="2020-01-01T00:00:00Z"
    )
    for lost in ledger.take_lost(1):
        runner.conclude(lost, ledger.lost_outcome(lost))
"""


def test_a_run_whose_worker_was_lost_is_told_of_by_upkeep() -> None:
    [event] = told(LOSES)
    assert event["exception"]["values"][-1]["type"] == "WorkerLost"
    assert tags(event)["motia.step"] == "Work"


ODD = """
class Odd(Exception):
    __slots__ = ()
    def __setattr__(self, name, value):
        if not name.startswith("__"):  # these are Python's own
            raise RuntimeError("nobody writes to me")
        super().__setattr__(name, value)

def answer(request, ctx):
    raise Odd("odd")

with serving(make_step(answer, http())) as client:
    assert client.get("/x").status_code == 500
"""


def test_an_error_that_lets_nobody_write_to_it_is_tagged_too() -> None:
    [event] = told(ODD)
    assert event["exception"]["values"][-1]["type"] == "Odd"
    assert tags(event)["motia.step"] == "Work"


BREAKS_OFF = """
def answer(request, ctx):
    yield "one"
    raise LookupError("no second part")

with serving(make_step(answer, http())) as client:
    try:
        b"".join(client.get("/x").streaming_content)
    except LookupError:
        events.append({"message": "it broke off"})
"""


def test_an_answer_that_breaks_off_is_told_of_once_with_its_run() -> None:
    event, broke_off = told(BREAKS_OFF)
    assert event["exception"]["values"][-1]["value"] == "no second part"
    assert tags(event)["motia.step"] == "Work"
    assert broke_off["message"] == "it broke off"


BY_WSGI = """
from motia_django.wsgi import get_wsgi_application
from tests.web.test_wsgi_handler import ask

def answer(request, ctx):
    sentry_sdk.set_tag("of_the_first", "yes")
    raise LookupError("no such order")

application = get_wsgi_application()
with serving(make_step(answer, http("GET", "/x/:kind"), http())):
    ask(application, path="/x/missing")
    ask(application)
    sentry_sdk.capture_message("Outside")
"""


def test_our_wsgi_application_is_watched_as_djangos_own_is() -> None:
    *errors, outside = told(BY_WSGI)
    assert [each["transaction"] for each in errors] == ["/x/{kind}", "/x"]
    assert [each["request"]["url"] for each in errors] == [
        "http://testserver/x/missing",
        "http://testserver/x",
    ]
    assert {tags(each)["motia.step"] for each in errors} == {"Work"}
    assert "of_the_first" not in (outside.get("tags") or {}), "each request has a scope of its own"
