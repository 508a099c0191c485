"""Where Celery stands: messages are caught in place of the broker, and delivered when asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from celery.result import denied_join_result
from kombu import Connection, Producer
from kombu.serialization import prepare_accept_content
from kombu.transport import virtual

from motia_django import broker
from motia_django.celery_app import project_app, setting_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message as a worker would be given it: which task is to be run, and with what."""

    id: str
    """The task's id; of a Step it is the run's."""
    name: str
    """The task's name, such as `shop.tasks.send_receipt`."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    queue: str
    eta: datetime | None
    """When it is due, by `eta` or `countdown`; None for at once."""
    headers: dict[str, Any]

    def run(self) -> Any:
        """Have Celery run the task here and now, as a worker has, and return what it returns.

        Raise what it raises. What follows it in a chain is not sent.
        """
        task: Any = project_app().tasks[self.name]
        to_task = {"task_id": self.id, "headers": self.headers}
        return task.apply(args=self.args, kwargs=self.kwargs, throw=True, **to_task).result


class Post:
    """The messages that were sent and not delivered yet, in the order in which they were sent.

    While it is open, it stands in the broker's place: for Steps, whatever Celery is set up to do,
    and for all other tasks that are sent, unless `tasks` is `"project"`.
    """

    def __init__(self, tasks: str | None = None) -> None:
        if tasks not in ("project", None):
            raise ValueError(f"tasks: expected 'project' or None, got {tasks!r}")
        self._waiting: list[Letter] = []
        self._catches_others = tasks is None
        self.others: list[Letter] = []
        """The messages that are not to Steps: of the project's other tasks."""
        self._open = ExitStack()

    def __enter__(self) -> Post:
        with ExitStack() as stack:
            _catching.append(self)
            stack.callback(_catching.remove, self)
            stack.enter_context(broker.replaced(_lent_to_steps))
            if self._catches_others:
                stack.enter_context(_others_caught())
            self._open = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, first: int = 0, count: int | None = None) -> list[Letter]:
        """Take out messages to Steps from the place `first` on, up to `count` of them."""
        end = len(self._waiting) if count is None else first + count
        taken = self._waiting[first:end]
        del self._waiting[first:end]
        return taken

    def catch(self, letter: Letter, *, to_step: bool) -> None:
        """Keep a message that was sent."""
        (self._waiting if to_step else self.others).append(letter)


_catching: list[Post] = []
"""Who catches what is sent; the last one does."""


@contextmanager
def _lent_to_steps() -> Iterator[Producer]:
    """Lend a producer of kombu's, by which all goes its usual way until it would be sent."""
    conf: Any = project_app().conf
    is_eager = conf.task_always_eager
    if is_eager:
        conf[setting_name("task_always_eager")] = False
    try:
        yield _producer(to_step=True)
    finally:
        if is_eager:
            conf[setting_name("task_always_eager")] = True


@contextmanager
def _others_caught() -> Iterator[None]:
    """Have Celery send by our producer whatever is not sent by one of the caller's own."""
    app: Any = project_app()
    before = vars(app).get("producer_or_acquire")
    app.producer_or_acquire = _lent_to_others
    try:
        yield
    finally:
        del app.producer_or_acquire
        if before is not None:
            app.producer_or_acquire = before


@contextmanager
def _lent_to_others(producer: Producer | None = None) -> Iterator[Producer]:
    """Lend a producer to send a task by; no store of results is asked to wait for what it returns.

    That of Redis, or that of AMQP, would open a connection of its own for that.
    """
    with denied_join_result():
        yield producer or _producer(to_step=False)


@lru_cache(maxsize=2)
def _producer(*, to_step: bool) -> Producer:
    """Return a producer whose channels give what is published to who catches it."""
    base: Any = virtual.Channel

    class Channel(base):  # type: ignore[misc]
        def basic_publish(
            self, message: Any, exchange: Any, routing_key: Any, **options: Any
        ) -> None:
            self._inplace_augment_message(message, exchange, routing_key)
            if "task" in message["headers"]:  # and not an event of Celery's that tells of one
                _catching[-1].catch(_letter(self.message_to_python(message)), to_step=to_step)

    transport = type("Transport", (virtual.Transport,), {"Channel": Channel})
    return Producer(Connection(transport=transport))


def _letter(message: Any) -> Letter:
    """Read a message as a worker would: by the project's own serializer, if it accepts that."""
    conf: Any = project_app().conf
    message.accept = prepare_accept_content(conf.accept_content)
    args, kwargs, _embedded = message.payload
    eta = message.headers.get("eta")
    return Letter(
        id=message.headers["id"],
        name=message.headers["task"],
        args=tuple(args),
        kwargs=dict(kwargs),
        queue=message.delivery_info["routing_key"],
        eta=datetime.fromisoformat(eta) if eta else None,
        headers=dict(message.headers),
    )
