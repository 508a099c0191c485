"""The pieces of work that are counted, each the smallest of its kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone
from pydantic import BaseModel

from motia_django import enqueue, ledger, runner, state, tasks
from motia_django.celery_app import project_app, task_name
from motia_django.delivery import Delivery
from motia_django.runs import Outcome, Run, Status
from tests.costs.counting import Work
from tests.factories import kept_run, make_run, make_step, published
from tests.web.serving import http, post, serving

LISTED = 100


class Todo(BaseModel):
    """What is posted."""

    title: str
    done: bool = False
    priority: int = 3


def _answer(request: Any, ctx: Any) -> dict[str, Any]:
    return {"status": 201, "body": request.body.model_dump()}


def _posting(record: str) -> Any:
    trigger = http("POST", f"/{record}", bodySchema=Todo)
    return make_step(_answer, trigger, name=f"Post{record.title()}", record=record)


def _writing() -> Any:
    """Return a Step that writes an item of state and enqueues a message, both or none."""

    def handler(request: Any, ctx: Any) -> dict[str, Any]:
        body = request.body.model_dump()
        ctx.state.set("todos", str(uuid4()), body)
        ctx.enqueue("all", body)
        return {"status": 201, "body": body}

    trigger = http("POST", "/writes", bodySchema=Todo)
    return make_step(handler, trigger, name="Write", enqueues=["all"], atomic=True)


def _listening(record: str) -> Any:
    trigger = {"type": "queue", "topic": record}
    return make_step(lambda input: None, trigger, name=f"Hear{record.title()}", record=record)


@contextmanager
def works() -> Iterator[dict[str, Work]]:
    """Have Steps, and return what is to be counted, by name."""
    steps = [made(record) for made in (_posting, _listening) for record in ("all", "failures")]
    steps.append(_writing())
    with ExitStack() as stack:
        client = stack.enter_context(serving(*steps))
        stack.enter_context(published())
        body = {"title": "Count", "done": True, "priority": 1}
        yield {
            "a request, light": Work(lambda _: _posted(client, body, "/failures")),
            "a request, kept": Work(lambda _: _posted(client, body, "/all")),
            "a request that writes and enqueues": Work(lambda _: _posted(client, body, "/writes")),
            "a birth": Work(lambda _: enqueue("all", {})),
            f"{LISTED} births in a list": Work(lambda _: enqueue(_messages("all"))),
            "a light message": Work(lambda _: enqueue("failures", {})),
            f"{LISTED} light messages in a list": Work(lambda _: enqueue(_messages("failures"))),
            "a claim": Work(_claimed, _queued),
            "a finish": Work(_finished, lambda: _claimed(_queued())),
            "a run from its claim to its finish": Work(_executed, _queued),
            "a light run": Work(runner.perform, _light),
            "an item of state made": Work(lambda _: state.set("todos", str(uuid4()), body)),
            "an item of state written anew": Work(lambda _: state.set("todos", "1", body)),
        }


def _posted(client: Any, body: Any, path: str) -> None:
    assert post(client, body, path).status_code == 201


def _messages(topic: str) -> list[dict[str, Any]]:
    return [{"topic": topic, "data": {}} for _ in range(LISTED)]


def _queued() -> Run:
    return kept_run(step="HearAll", source="all", input={})


def _light() -> Run:
    return make_run(step="HearFailures", source="failures", input={}, light=True)


def _claimed(run: Run) -> Run:
    values: Any = {"worker": "w@machine", "lease": timedelta(minutes=1)}
    claimed = ledger.claim(run.id, step=run.step, **values)
    assert claimed is not None
    return claimed


def _finished(run: Run) -> None:
    now = timezone.now()
    outcome = Outcome(status=Status.SUCCEEDED, value=1, started_at=now, finished_at=now)
    assert ledger.finish(run, outcome, Delivery()) is not None


def _executed(run: Run) -> None:
    tasks.execute(project_app().tasks[task_name(run.step)], str(run.id))
