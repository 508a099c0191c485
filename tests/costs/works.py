"""The pieces of work that are counted, each the smallest of its kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone
from pydantic import BaseModel

from motia_django import enqueue, ledger, operations, runner, state, tasks
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


def _in_turn(topic: str, **config: Any) -> Any:
    trigger = {"type": "queue", "topic": topic, "config": config}
    return make_step(lambda input: None, trigger, name=f"Hear{topic.title()}")


@contextmanager
def works() -> Iterator[dict[str, Work]]:
    """Have Steps, and return what is to be counted, by name."""
    steps = [made(record) for made in (_posting, _listening) for record in ("all", "failures")]
    steps.append(_writing())
    steps.append(_in_turn("groups", type="fifo"))
    steps.append(_in_turn("pools", concurrency={"limit": 1, "key": "n"}))
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
            f"{LISTED} births in a list, each of a group of its own": Work(
                lambda _: enqueue(_apart("groups"))
            ),
            f"{LISTED} births in a list, each with a limit of its own": Work(
                lambda _: enqueue(_apart("pools"))
            ),
            f"{LISTED} cancels, each of a group of its own": Work(_cancelled, _grouped),
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


def _apart(topic: str) -> list[dict[str, Any]]:
    """Return messages of which none waits for another."""
    names = [str(uuid4()) for _ in range(LISTED)]
    return [{"topic": topic, "data": {"n": each}, "messageGroupId": each} for each in names]


def _grouped() -> list[UUID]:
    return [UUID(each) for each in enqueue(_apart("groups"))]


def _cancelled(run_ids: list[UUID]) -> None:
    results = list(operations.many(run_ids, lambda each: operations.cancel(each, by="ada")))
    assert not any(each.refusal for each in results)


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
