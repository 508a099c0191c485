"""What reaches the database as SQL: our own words, and never what somebody has sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings

from motia_django import Stream, enqueue, models, state
from motia_django.runs import Status
from tests.factories import installed, make_step, make_stream, rows, work_off
from tests.web.serving import served

pytestmark = pytest.mark.django_db

MALICE = "m4lice'\"`);--%s/*"


@contextmanager
def watched() -> Iterator[list[str]]:
    """Collect the statements of the block, without their parameters."""
    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield seen
    assert [sql for sql in seen if "m4lice" in sql] == []


def failing(input: Any, ctx: Any) -> None:
    ctx.state.set(MALICE, MALICE, input)
    ctx.logger.info(MALICE, {MALICE: MALICE})
    raise RuntimeError(MALICE)


@pytest.fixture
def client() -> Iterator[Client]:
    """Steps that hear of what they are sent, and a client of theirs."""
    door = make_step(
        lambda request, ctx: {"body": ctx.enqueue({"topic": "work", "data": request.body})},
        {"type": "http", "method": "POST", "path": "/door/:id"},
        name="Door",
        index=["id", "q"],
    )
    once = {"maxRetries": 0, "type": "fifo"}
    work = make_step(failing, {"type": "queue", "topic": "work", "config": once}, index=["id"])
    watch = make_step(lambda change: None, {"type": "state"}, name="Watch")
    with installed(door, work, watch, streams=[make_stream("orders")]), served() as client:
        yield client


def test_a_request_and_all_that_it_leads_to(client: Client) -> None:
    with watched() as seen:
        answer = client.post(
            f"/door/{MALICE.replace('/', '')}?q={MALICE.replace('%', '')}",
            {"id": MALICE, MALICE: MALICE},
            content_type="application/json",
            headers={"Traceparent": MALICE, "X-Name": MALICE},
        )
        assert answer.status_code in (200, 204), answer.content
        work_off()
    assert len(seen) > 5
    assert {row.status for row in rows(step="Work")} <= {Status.DEAD, Status.SCHEDULED}


def test_messages_state_and_streams(client: Client) -> None:
    with watched() as seen:
        enqueue(
            {
                "topic": "work",
                "data": {"id": MALICE},
                "messageGroupId": MALICE,
                "dedupeKey": MALICE,
            }
        )
        state.set(MALICE, MALICE, {MALICE: MALICE})
        state.update(MALICE, MALICE, [{"type": "set", "path": MALICE, "value": MALICE}])
        state.items(MALICE, after=MALICE)
        state.get_many(MALICE, [MALICE])
        state.list_groups()
        state.delete(MALICE, MALICE)
        orders = Stream("orders")
        orders.set(MALICE, MALICE, {"text": MALICE})
        orders.send(MALICE, MALICE, MALICE)
        orders.list(MALICE)
        orders.delete(MALICE, MALICE)
    assert len(seen) > 10


PAGES = [
    "run/?q={0}",
    "run/?step={0}",
    "run/?status={0}",
    "run/?error={0}",
    "run/?flow={0}",
    "run/?from={0}",
    "deadletter/?step={0}&order={0}",
    "stateitem/?group={0}",
    "stateitem/?q={0}",
    "streamitem/?stream={0}",
    "streamitem/?group={0}&q={0}",
    "streamitem/groups/?stream={0}",
    "batch/preview/?deed=redrive&topic={0}",
    "batch/preview/?deed=redrive&step={0}&error={0}",
    "step/?window={0}",
    "flow/?flow={0}",
]


@pytest.mark.parametrize("page", PAGES)
def test_the_console(admin_client: Client, client: Client, page: str) -> None:
    state.set(MALICE, MALICE, 1)
    with watched(), override_settings(ROOT_URLCONF="sample_project.urls"):
        answer = admin_client.get(f"/admin/motia/{page.format(quote(MALICE, safe=''))}")
    assert answer.status_code in (200, 302, 404)


COMMANDS = [
    ("runs", "--step", MALICE),
    ("runs", "--key", MALICE),
    ("dead", "--error", MALICE),
    ("dead", "--topic", MALICE),
    ("trace", MALICE),
    ("state", "list", MALICE, "--after", MALICE),
    ("discard", "--step", MALICE, "--reason", MALICE, "--yes"),
    ("cancel", "--topic", MALICE, "--reason", MALICE, "--yes"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_the_commands(client: Client, command: tuple[str, ...]) -> None:
    models.Run.objects.all().delete()
    with watched():
        try:
            call_command("motia_steps", *command)
        except CommandError:
            pass  # there is no such Step or trace
