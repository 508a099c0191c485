"""Steps, runs and deliveries for tests, without files and without a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from celery.signals import after_task_publish, before_task_publish
from django.utils import timezone

from motia_django import ledger, models, registry, tasks
from motia_django.celery_app import project_app, task_name
from motia_django.queues import routed
from motia_django.registry import Registry
from motia_django.runs import Run, Status, new_run_id
from motia_django.steps import Step, read_step
from motia_django.stream_config import StreamConfig, read_stream
from motia_django.tracing import new_trace_id
from motia_django.upkeep import upkeep

QUEUE = {"type": "queue", "topic": "work"}

_hearers: dict[str, list[Callable[..., Any]]] = {}


def _pass_on(signal: Any, **kwargs: Any) -> None:
    for hearer in _hearers.get(signal.name, ()):
        hearer(**kwargs)


# Up to Celery 5.6 who connects to them later than the first message is sent may not be heard:
# it keeps asking the list of receivers of then, of which it clears away the dead in a copy.
before_task_publish.connect(_pass_on)
after_task_publish.connect(_pass_on)


def nothing(input: Any, ctx: Any) -> None:
    """Do nothing: the handler of a Step whose handler does not matter."""


def make_step(
    handler: Callable[..., Any] = nothing,
    *triggers: Mapping[str, Any],
    name: str = "Work",
    **config: Any,
) -> Step:
    """Return a Step; by default it listens on the topic `work`."""
    config = {"name": name, "triggers": list(triggers) or [QUEUE], **config}
    step, problems = read_step(
        SimpleNamespace(config=config, handler=handler), Path(__file__), "tests"
    )
    assert step is not None, problems
    return step


def make_stream(name: str = "orders", **config: Any) -> StreamConfig:
    """Return a stream."""
    module = SimpleNamespace(config={"name": name, **config})
    stream, problems = read_stream(module, Path(__file__), "tests")
    assert stream is not None, problems
    return stream


@contextmanager
def installed(*steps: Step, streams: Sequence[StreamConfig] = ()) -> Iterator[Registry]:
    """Make these the only Steps and streams of the process for the block, with Celery tasks."""
    before = [step for step in registry.registry() if step.name in {each.name for each in steps}]
    with registry.installed(Registry(steps, streams=streams)) as new:
        assert not new.problems, new.problems
        tasks.register(new)
        try:
            yield new
        finally:
            for step in steps:
                project_app().tasks.pop(task_name(step.name), None)
            tasks.register(before)


def make_run(**values: Any) -> Run:
    """Return a run of the Step `Work`, queued now, that is not in the ledger yet."""
    now = timezone.now()
    defaults: dict[str, Any] = {
        "id": new_run_id(),
        "step": "Work",
        "trigger": "queue",
        "source": "work",
        "trace_id": new_trace_id(),
        "created_at": now,
        "wake_at": now + ledger.patience(0),
    }
    return Run(**{**defaults, **values})


def once() -> dict[str, str]:
    """Return what a form holds besides what is typed: its id, as of one that was just shown."""
    return {"once": str(new_run_id())}


def kept_run(**values: Any) -> Run:
    """Return a run that is in the ledger."""
    run = make_run(**values)
    ledger.keep([run])
    if Status(run.status).final:
        models.Run.objects.filter(id=run.id).update(finished_at=run.created_at)
    return run


def row(run: Run | str | UUID) -> models.Run:
    """Return a run's row as it is now."""
    return models.Run.objects.get(id=run.id if isinstance(run, Run) else run)


def rows(**filters: Any) -> list[models.Run]:
    """Return the rows of runs, oldest first."""
    return list(models.Run.objects.filter(**filters).order_by("created_at", "id"))


def deliver(run_ids: Sequence[str | UUID]) -> None:
    """Deliver these runs' messages, as a worker would get them."""
    for run_id in run_ids:
        task = project_app().tasks[task_name(row(str(run_id)).step)]
        task.apply(args=(str(run_id),), throw=True)


def work_off(rounds: int = 20) -> None:
    """Deliver what is queued, and what that causes, until nothing is."""
    for _ in range(rounds):
        queued = [str(each.id) for each in rows(status=Status.QUEUED)]
        if not queued:
            return
        deliver(queued)
    raise AssertionError("there is always something queued")


def let_time_pass(run: Run | str | UUID) -> None:
    """Make a run's time come, as if one had waited, and let upkeep look."""
    run_id = run.id if isinstance(run, Run) else run
    models.Run.objects.filter(id=run_id).update(wake_at=timezone.now())
    upkeep()


@contextmanager
def heard(signal: Any, hearer: Callable[..., Any]) -> Iterator[None]:
    """Have `before_task_publish` or `after_task_publish` heard for the block."""
    hearers = _hearers.setdefault(signal.name, [])
    hearers.append(hearer)
    try:
        yield
    finally:
        hearers.remove(hearer)


@contextmanager
def unheard() -> Iterator[None]:
    """Have nobody hear of messages in the block, so that they are written as for most projects."""
    signals = (before_task_publish, after_task_publish)
    for signal in signals:
        signal.disconnect(_pass_on)
    try:
        assert not any(signal.receivers for signal in signals)
        yield
    finally:
        for signal in signals:
            signal.connect(_pass_on)


@contextmanager
def listening(signal: Any, receiver: Callable[..., Any]) -> Iterator[None]:
    """Have one of our own signals heard for the block."""
    signal.connect(receiver)
    try:
        yield
    finally:
        signal.disconnect(receiver)


@contextmanager
def published() -> Iterator[list[str]]:
    """Collect the ids of the runs that are handed to the broker, in their order."""
    ids: list[str] = []

    def note(headers: Mapping[str, Any], **kwargs: Any) -> None:
        ids.append(headers["id"])

    with heard(after_task_publish, note):
        yield ids


@contextmanager
def routing(**conf: Any) -> Iterator[None]:
    """Have Celery's settings, such as `task_routes`, say where messages go for the block."""
    app: Any = project_app()
    before = {name: app.conf[name] for name in conf}
    try:
        _route(conf)
        yield
    finally:
        _route(before)


def _route(conf: Mapping[str, Any]) -> None:
    app: Any = project_app()
    app.conf.update(conf)
    for name in ("queues", "router"):
        app.amqp.__dict__.pop(name, None)
    app.amqp.flush_routes()
    routed.cache_clear()
