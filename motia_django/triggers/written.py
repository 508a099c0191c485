"""What a file declares, as it is written: dicts, whose keys are attributes in either spelling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from motia_django.sources import snake

__all__ = [
    "ApiTrigger",
    "CronTrigger",
    "Enqueue",
    "QueryParam",
    "QueueConfig",
    "QueueTrigger",
    "StateTrigger",
    "StepConfig",
    "StreamConfig",
    "StreamTrigger",
    "Written",
]

W = TypeVar("W", bound="Written")


class Written(dict[str, Any]):
    """A part of a config: `QueueConfig(max_retries=5)` is `{"max_retries": 5}`.

    What is None is left out. What is left out is as an attribute what it is by default.
    """

    defaults: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, *given: Mapping[str, Any], **keys: Any) -> None:
        super().__init__(*given, **keys)
        for key in [key for key, value in self.items() if value is None]:
            del self[key]

    def __getattr__(self, name: str) -> Any:
        found = [key for key in self if isinstance(key, str) and snake(key) == snake(name)]
        if found:
            return self[found[0]]
        try:
            return self.defaults[snake(name)]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no key {name!r}") from None

    @classmethod
    def model_validate(cls: type[W], value: Mapping[str, Any]) -> W:
        """Return a dict as such a part."""
        return cls(value)

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """Return the plain dict."""
        return dict(self)


class WrittenTrigger(Written):
    """One entry of a config's `triggers`."""

    kind: ClassVar[str]

    def __init__(self, *given: Mapping[str, Any], **keys: Any) -> None:
        super().__init__({"type": self.kind}, **(dict(*given) | keys))


class ApiTrigger(WrittenTrigger):
    """An http trigger: `ApiTrigger(method="POST", path="/todos")`."""

    kind = "http"
    defaults = dict.fromkeys(
        ("condition", "middleware", "body_schema", "response_schema", "query_params")
    )


class QueueTrigger(WrittenTrigger):
    """A queue trigger: `QueueTrigger(topic="todo.created")`."""

    kind = "queue"
    defaults = dict.fromkeys(("condition", "input", "config"))


class CronTrigger(WrittenTrigger):
    """A cron trigger: `CronTrigger(expression="0 * * * *")`."""

    kind = "cron"
    defaults = dict.fromkeys(("condition",))

    @property
    def expression(self) -> Any:
        """When it is due."""
        return self.get("expression", self.get("schedule"))


class StateTrigger(WrittenTrigger):
    """A state trigger: `StateTrigger(condition=...)`."""

    kind = "state"
    defaults = dict.fromkeys(("condition", "group_id", "key", "events"))


class StreamTrigger(WrittenTrigger):
    """A stream trigger: `StreamTrigger(stream_name="todos")`."""

    kind = "stream"
    defaults = dict.fromkeys(("condition", "group_id", "item_id", "events"))


class QueueConfig(Written):
    """How a queue trigger's runs are delivered: `QueueConfig(type="fifo", max_retries=5)`."""

    defaults: ClassVar[Mapping[str, Any]] = {
        "type": "standard",
        "max_retries": 3,
        "retry_for": None,
        "visibility_timeout": None,
        "delay_seconds": 0,
        "concurrency": None,
        "backoff_type": "exponential",
        "backoff_delay_ms": 1000,
    }


class Enqueue(Written):
    """A topic that a Step sends to: `Enqueue(topic="todo.created", label="New")`."""

    defaults: ClassVar[Mapping[str, Any]] = {"label": None, "conditional": False}


class QueryParam(Written):
    """What the query may hold: `QueryParam(name="limit", description="How many")`."""


class StepConfig(Written):
    """The config of a Step: `StepConfig(name="CreateTodo", triggers=[...])`."""

    defaults: ClassVar[Mapping[str, Any]] = {
        "enqueues": [],
        "virtual_enqueues": None,
        "virtual_subscribes": None,
        "description": None,
        "flows": None,
        "include_files": None,
    }


class StreamConfig(Written):
    """The config of a stream: `StreamConfig(name="todos")`."""

    defaults = dict.fromkeys(
        ("description", "schema", "base_config", "can_access", "on_join", "on_leave")
    )
