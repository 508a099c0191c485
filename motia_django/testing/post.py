"""Where Celery stands: messages are caught in place of the broker, and delivered when asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kombu import Connection, Producer
from kombu.serialization import prepare_accept_content
from kombu.transport import virtual

from motia_django.celery_app import project_app, setting_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message as a worker would be given it."""

    id: str
    """The task's id, which is the run's."""
    task: str
    arguments: tuple[Any, ...]
    headers: dict[str, Any]
    queue: str

    def deliver(self) -> None:
        """Have Celery run the task here and now, as a worker has."""
        task: Any = project_app().tasks[self.task]
        task.apply(args=self.arguments, task_id=self.id, headers=self.headers, throw=True)


class Post:
    """The messages that were sent and not delivered yet, in the order in which they were sent."""

    def __init__(self) -> None:
        self._waiting: list[Letter] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def take(self, first: int = 0, count: int | None = None) -> list[Letter]:
        """Take out messages from the place `first` on, up to `count` of them."""
        end = len(self._waiting) if count is None else first + count
        taken = self._waiting[first:end]
        del self._waiting[first:end]
        return taken

    def catch(self, letter: Letter) -> None:
        """Keep a message that was sent."""
        self._waiting.append(letter)

    @contextmanager
    def lend(self) -> Iterator[Producer]:
        """Lend a producer of kombu's, by which all goes its usual way until it would be sent."""
        conf: Any = project_app().conf
        is_eager = conf.task_always_eager
        if is_eager:
            conf[setting_name("task_always_eager")] = False
        _catching.append(self)
        try:
            yield _producer()
        finally:
            _catching.pop()
            if is_eager:
                conf[setting_name("task_always_eager")] = True


_catching: list[Post] = []
"""Who catches what is sent; the last one does."""


@lru_cache(maxsize=1)
def _producer() -> Producer:
    """Return a producer whose channels give what is published to who catches it."""
    base: Any = virtual.Channel

    class Channel(base):  # type: ignore[misc]
        def basic_publish(
            self, message: Any, exchange: Any, routing_key: Any, **options: Any
        ) -> None:
            self._inplace_augment_message(message, exchange, routing_key)
            _catching[-1].catch(_letter(self.message_to_python(message)))

    transport = type("Transport", (virtual.Transport,), {"Channel": Channel})
    return Producer(Connection(transport=transport))


def _letter(message: Any) -> Letter:
    """Read a message as a worker would: by the project's own serializer, if it accepts that."""
    conf: Any = project_app().conf
    message.accept = prepare_accept_content(conf.accept_content)
    arguments, _keywords, _embedded = message.payload
    return Letter(
        id=message.headers["id"],
        task=message.headers["task"],
        arguments=tuple(arguments),
        headers=dict(message.headers),
        queue=message.delivery_info["routing_key"],
    )
