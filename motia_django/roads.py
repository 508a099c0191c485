"""How a task's messages go to the broker: as Celery sends each, or with all looked up once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import orjson
from celery import signals
from celery.app.routes import MapRoute
from celery.utils.nodenames import anon_nodename
from kombu import Producer, Queue
from kombu.common import Broadcast
from kombu.serialization import dumps
from kombu.utils import json

from motia_django.sources import is_own

Road = Callable[[str, tuple[Any, ...], dict[str, Any]], object]
"""Takes a message: the task's id, its arguments and the message's headers."""
_OPTIONAL = frozenset(
    {
        *("shadow", "eta", "expires", "group", "group_index", "timelimit", "parent_id"),
        *("replaced_task_nesting", "stamped_headers", "stamps"),
    }
)
"""Headers that Celery's workers need not find; to write them takes a tenth of a message's time."""
_LIMITS = ("time_limit", "soft_time_limit", "expires")
_NOTHING: tuple[Any, ...] = (None, 0, [None, None], {})
_JSON = {"content_type": "application/json", "content_encoding": "utf-8"}


def is_usual(task: Any) -> bool:
    """Return whether each message of a task goes where its first one goes, by Celery's own code.

    Not so where a router of the project's may look at the arguments, or where somebody, such as
    Sentry or a task class of the project's, has put a method in the place of one of Celery's.
    """
    app: Any = task.app
    return (
        app.amqp.create_task_message == app.amqp.as_task_v2
        and not (app.current_worker_task and app.conf.task_inherit_parent_priority)
        and task.expires is None
        and all(isinstance(each, MapRoute) for each in app.amqp.router.routes)
        and all(
            is_own(each, "celery") for each in (task.apply_async, task.shadow_name, app.send_task)
        )
    )


def long_road(task: Any, options: dict[str, Any], producer: Producer | None) -> Road:
    """Return the road by `apply_async`, which looks all up for each message."""

    def send(task_id: str, arguments: tuple[Any, ...], headers: dict[str, Any]) -> None:
        task.apply_async(
            arguments,
            task_id=task_id,
            producer=producer,
            headers=headers,
            argsrepr=f"({task_id!r},)",
            kwargsrepr="{}",
            **options,
        )

    return send


def routed(task: Any, router: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a task's messages, with the queue that the project's routes choose."""
    options = {**task._get_exec_options(), **options}
    found: dict[str, Any] = router.route(options, task.name, (), {}, task)
    return found


class Way:
    """What the messages of a task that `is_usual` have in common, looked up once for all of them.

    Its roads are the one that `apply_async` takes in the end. Celery's signals are sent.
    """

    def __init__(self, task: Any, options: Mapping[str, Any]) -> None:
        """Take the options of messages, which are `routed`."""
        self._task, self._options = task, {**options}
        self._facts = {name: self._options.pop(name, None) for name in _LIMITS} | {
            "name": task.name,
            "kwargsrepr": "{}",
            "ignore_result": task.ignore_result,
            "create_sent_event": task.app.conf.task_send_sent_event,
        }
        queue = self._options.get("queue")
        is_declared = isinstance(queue, Queue) and not isinstance(queue, Broadcast)
        self._declared = [queue] if is_declared else None
        self._unsaid = _unsaid(task.app.amqp.as_task_v2("", **self._facts).headers)
        self._is_json = _is_json(self._options.get("serializer") or task.app.conf.task_serializer)

    def road(self, producer: Producer, *, retry: bool) -> Road:
        """Return the road from what goes on here and now, through one producer."""
        app: Any = self._task.app
        name, options = self._task.name, {**self._options, "retry": retry}
        if self._declared is not None:
            options["declare"] = _Undeclared(self._declared, producer)
        parent = app.current_worker_task
        request = parent and parent.request
        is_seen = _is_seen()
        unsaid = [] if is_seen else [e for e in self._unsaid if not (parent and e == "parent_id")]
        is_written = self._is_json and not is_seen
        message_of = partial(
            app.amqp.as_task_v2,
            **self._facts,
            root_id=request and (request.root_id or request.id),
            parent_id=request and request.id,
            reply_to=app.thread_oid,
            origin=anon_nodename(),
        )

        def send(task_id: str, arguments: tuple[Any, ...], headers: dict[str, Any]) -> None:
            message = message_of(task_id, args=arguments, argsrepr=f"({task_id!r},)")
            for each in unsaid:
                del message.headers[each]
            if is_written:
                message = _written(message)
            app.amqp.send_task_message(producer, name, message, headers=headers, **options)

        return send


def _is_json(serializer: str) -> bool:
    """Return whether what it writes says of itself that it is JSON, and is nothing more."""
    content_type, encoding, content = dumps([None], serializer=serializer)
    is_said = {"content_type": content_type, "content_encoding": encoding} == _JSON
    return is_said and content == json.dumps([None])


def _is_seen() -> bool:
    """Return whether a message is shown to somebody, who is to find in it what Celery promises."""
    return bool(signals.before_task_publish.receivers or signals.after_task_publish.receivers)


def _written(message: Any) -> Any:
    """Return a task's message with its body as JSON, which takes kombu twenty times as long."""
    try:
        body = orjson.dumps(message.body)
    except orjson.JSONEncodeError:  # an integer over 64 bits
        return message
    message.properties.update(_JSON)
    return message._replace(body=body)


def _unsaid(headers: Mapping[str, Any]) -> list[str]:
    """Return which headers say no more than their absence would, to whoever receives them."""
    return [name for name, value in headers.items() if name in _OPTIONAL and value in _NOTHING]


class _Undeclared(list[Any]):
    """What has to be there before a message is sent, but for what its connection has declared.

    kombu knows that as well, but copies each entity before it asks. It looks here anew whenever it
    tries, and a connection that was lost has declared nothing.
    """

    def __init__(self, entities: Iterable[Any], producer: Producer) -> None:
        super().__init__(entities)
        self._producer = producer

    def __iter__(self) -> Iterator[Any]:
        connection: Any = self._producer.connection
        return (e for e in super().__iter__() if hash(e) not in connection.declared_entities)
