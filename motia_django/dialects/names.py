"""The names of types that Motia's files import, whatever their version, to annotate with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol
from uuid import NAMESPACE_URL, uuid5

from motia_django.dialects.requests import TriggerInput
from motia_django.dialects.several import STEPS, register
from motia_django.dialects.triggers import plain_schema
from motia_django.triggers.base import TriggerInfo
from motia_django.triggers.channel import Body, Channel, Writer
from motia_django.triggers.exchange import Request, Response
from motia_django.triggers.state import StateChange
from motia_django.triggers.stream import StreamChange
from motia_django.triggers.written import (
    ApiTrigger,
    CronTrigger,
    Enqueue,
    QueueTrigger,
    StateTrigger,
    StreamConfig,
    StreamTrigger,
    Written,
)

__all__ = [
    "ApiConfig",
    "ApiMiddleware",
    "ApiReq",
    "ApiRequest",
    "ApiResponse",
    "ApiRouteConfig",
    "ApiRouteHandler",
    "ApiRouteMethod",
    "ApiRoute_Config",
    "ApiStreamHttpRequest",
    "ApiStreamRequest",
    "ApiStreamResponse",
    "ChannelReader",
    "ChannelWriter",
    "CronConfig",
    "CronHandler",
    "CronStepConfig",
    "CronStep_Config",
    "Emit",
    "EmitObject",
    "Emitter",
    "Enqueuer",
    "EventConfig",
    "EventHandler",
    "EventStepConfig",
    "EventStep_Config",
    "EventTrigger",
    "FlowContextStateStreams",
    "HandlerConfig",
    "Handlers",
    "InfrastructureConfig",
    "InternalStateManager",
    "MotiaHttpArgs",
    "MotiaHttpRequest",
    "MotiaHttpResponse",
    "NoopConfig",
    "NoopStepConfig",
    "StateStreamConfig",
    "StateTriggerInput",
    "StepHandler",
    "StreamAuthInput",
    "StreamAuthResult",
    "StreamSubscription",
    "StreamTriggerInput",
    "TriggerCondition",
    "TriggerConfig",
    "TriggerInput",
    "TriggerMetadata",
    "generate_step_id",
    "schema_to_json_schema",
    "step_wrapper",
]

ApiRequest = Request
ApiReq = Request
MotiaHttpRequest = Request
MotiaHttpArgs = Request
ApiStreamRequest = Request
ApiStreamHttpRequest = Request
ApiResponse = Response
MotiaHttpResponse = Channel
ApiStreamResponse = Channel
ChannelReader = Body
ChannelWriter = Writer
StateTriggerInput = StateChange
StreamTriggerInput = StreamChange
TriggerMetadata = TriggerInfo

ApiRouteMethod = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
ApiMiddleware = Callable[..., Any]
ApiRouteHandler = EventHandler = CronHandler = StepHandler = Callable[..., Any]
TriggerCondition = Callable[..., bool | Awaitable[bool]]
TriggerConfig = QueueTrigger | ApiTrigger | CronTrigger | StateTrigger | StreamTrigger
Enqueuer = Callable[[Any], Awaitable[Any]]
Emitter = Enqueuer
Emit = str | Mapping[str, Any]
EmitObject = Enqueue
Handlers = Mapping[str, Callable[..., Any]]
FlowContextStateStreams = Mapping[str, Any]
StateStreamConfig = StreamConfig
EventTrigger = QueueTrigger


class _OfType(Written):
    """A config of 0.x, whose type its class says."""

    _type: str

    def __init__(self, *given: Mapping[str, Any], **keys: Any) -> None:
        super().__init__({"type": self._type}, **(dict(*given) | keys))


class ApiRouteConfig(_OfType):
    """The config of an api Step of 0.x."""

    _type = "api"


class EventConfig(_OfType):
    """The config of an event Step of 0.x."""

    _type = "event"


class CronConfig(_OfType):
    """The config of a cron Step of 0.x."""

    _type = "cron"


class NoopConfig(_OfType):
    """The config of a noop Step of 0.x."""

    _type = "noop"


ApiRoute_Config = ApiRouteConfig
ApiConfig = ApiRouteConfig
EventStep_Config = EventConfig
EventStepConfig = EventConfig
CronStep_Config = CronConfig
CronStepConfig = CronConfig
NoopStepConfig = NoopConfig


class InfrastructureConfig(Written):
    """What 1.0-alpha had for a trigger's `config`: `handler` and `queue`."""

    defaults = dict.fromkeys(("handler", "queue"))


class HandlerConfig(Written):
    """The `handler` of it: memory in MB, processors, and seconds."""

    defaults: ClassVar[Mapping[str, Any]] = {"ram": 128, "cpu": None, "timeout": 30}


class InternalStateManager(Protocol):
    """State, as `ctx.state` is annotated."""

    def get(self, group: str, key: str) -> Any:
        """Return an item."""

    def set(self, group: str, key: str, value: Any) -> Any:
        """Write an item."""


class StreamSubscription(Written):
    """What somebody follows: `group_id`, and `id` if it is one item."""

    defaults = dict.fromkeys(("id",))


class StreamAuthInput(Written):
    """With what somebody asks to follow a stream."""

    defaults = dict.fromkeys(("headers", "path", "query_params", "addr"))


class StreamAuthResult(Written):
    """Whether somebody may follow a stream, and what is known of who it is."""

    defaults = dict.fromkeys(("context",))


def schema_to_json_schema(schema: Any) -> Any:
    """Return a schema, such as a pydantic model, as JSON Schema; None if it is none."""
    found = plain_schema(schema)
    return found if isinstance(found, Mapping) else None


def step_wrapper(config: Any, step_path: str, handler: Any = None, streams: Any = None) -> None:
    """Declare a Step, at the end of a file, or one of several that it holds.

    Of a `config` and a `handler` that the file calls so it need not be said.
    """
    register(STEPS, config, handler)


def generate_step_id(path: str) -> str:
    """Return an id for a Step file, always the same one for its path."""
    return str(uuid5(NAMESPACE_URL, path))
