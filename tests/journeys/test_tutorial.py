from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.running import Project, eventually, sample_project
from tests.servers import fresh_mariadb, fresh_postgresql, fresh_rabbitmq, fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


COUNTS = {
    "ChargeOrder": 3,
    "FollowUpFailedOrder": 1,
    "PackOrder": 2,
    "AuditOrders": 18,
    "ShowOrder": 18,
}
"""Runs of each Step after three orders, of which two are paid and packed."""

FRESH = {
    "postgresql": fresh_postgresql,
    "mariadb": fresh_mariadb,
    "redis": fresh_redis,
    "rabbitmq": fresh_rabbitmq,
}


@pytest.fixture(
    params=["sqlite-redis", "postgresql-redis", "postgresql-rabbitmq", "mariadb-rabbitmq"]
)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """The sample project with web server, worker and beat, on each database and broker."""
    database, broker = request.param.split("-")
    for server in {database, broker} & set(FRESH):
        request.getfixturevalue(f"{server}_server")
    database_url = FRESH[database]() if database in FRESH else None
    with sample_project(tmp_path, database_url, FRESH[broker]()) as started:
        started.start_worker()
        started.start_beat()
        started.start_web()
        yield started


def test_the_tutorial_and_the_other_patterns_work(project: Project) -> None:
    """One journey, since it takes longer to start than to walk."""
    the_tutorial_works_as_it_is_printed(project)
    the_other_patterns_work(project)
    the_commands_work(project)


def the_tutorial_works_as_it_is_printed(project: Project) -> None:
    """Do what the tutorial says, and what it says of mistakes."""
    body = {"title": "Learn Motia", "description": "Complete the tutorial"}
    created = project.call("POST", "/todos", body)
    assert created.status == 201
    todo = created.json
    assert {**todo, "id": "", "createdAt": ""} == {
        "id": "",
        "title": "Learn Motia",
        "description": "Complete the tutorial",
        "completed": False,
        "createdAt": "",
    }

    listed = project.call("GET", "/todos")
    assert (listed.status, listed.json) == (200, {"todos": [todo], "count": 1})

    empty = project.call("POST", "/todos", {"title": ""})
    assert (empty.status, list(empty.json)) == (400, ["title"])
    assert project.call("POST", "/todos", '{"title": ').status == 400
    assert project.call("DELETE", "/todos").status == 405

    processed = f"[ProcessTodo] Todo processed todoId={todo['id']}"
    eventually(lambda: processed in project.log("worker"), project.all_logs)
    eventually(lambda: project.runs(step="ProcessTodo", status="succeeded"), project.all_logs)
    background = project.runs(step="ProcessTodo")
    foreground = project.runs(step="CreateTodo")
    assert len(background) == len(foreground) == 1
    assert background[0]["traceId"] == foreground[0]["traceId"]
    assert created.headers["Motia-Trace-Id"] == foreground[0]["traceId"]
    assert background[0]["parentId"] == foreground[0]["id"]


def the_other_patterns_work(project: Project) -> None:
    """Order something: conditions, invocations, changes of state, an order's shipment."""
    greeted = project.call("GET", "/greet?name=Ada")
    assert greeted.json["message"] == "Hello, Ada!"

    ordered = project.call("POST", "/orders", {"customer": "ada", "amount": 250})
    refused = project.call("POST", "/orders", {"customer": "bob", "amount": 99_999})
    small = project.call("POST", "/orders", {"customer": "eve", "amount": 5})
    assert [each.status for each in (ordered, refused, small)] == [202, 202, 202]
    order_id = ordered.json["orderId"]

    def settled() -> bool:
        return all(run["finishedAt"] for run in project.runs()) and all(
            len(project.runs(step=step)) == count for step, count in COUNTS.items()
        )

    def counted() -> str:
        return str(Counter((run["step"], run["status"]) for run in project.runs()))

    eventually(settled, counted)
    assert len(project.runs(step="ReviewLargeOrder", status="succeeded")) == 2
    assert len(project.runs(step="ReviewLargeOrder", status="skipped")) == 1
    assert [run["trigger"] for run in project.runs(step="ProcessPayment")] == ["invoke"] * 3

    shipped = project.call("PUT", f"/orders/{order_id}/ship")
    assert (shipped.status, shipped.json["status"]) == (200, "shipped")
    assert project.call("PUT", "/orders/none/ship").status == 404
    eventually(lambda: project.runs(step="SendEmail", status="succeeded"), project.all_logs)
    [email] = project.runs(step="SendEmail")
    assert email["input"] == {"orderId": order_id}

    assert project.call("POST", "/process").json == {"refreshes": 1}


def the_commands_work(project: Project) -> None:
    """Run, send and look from the command line, beside the running processes."""
    before = len(project.runs(step="ProcessTodo", status="succeeded"))
    done = project.command("motia_steps", "run", "CreateTodo", "--input", '{"title": "x"}')
    assert json.loads(done.stdout)["status"] == 201
    created = json.loads(done.stdout)["body"]["id"]
    eventually(lambda: len(project.runs(step="ProcessTodo", status="succeeded")) == before + 1)

    data = json.dumps({"todoId": created})
    sent = project.command("motia_steps", "enqueue", "todo.created", data)
    run_id = sent.stdout.strip()
    eventually(lambda: len(project.runs(step="ProcessTodo", status="succeeded")) == before + 2)

    trace = project.look("trace", run_id)
    assert "ProcessTodo  succeeded" in trace
    assert "info: Todo processed" in trace
    names = {each["name"] for each in json.loads(project.look("list", "--format", "json"))}
    assert {"CreateTodo", "ShipOrder", "GreetUser", "Slow"} <= names
