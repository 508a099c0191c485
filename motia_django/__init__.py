"""Motia's Steps for teams that run Django and Celery.

The public words, loaded when they are first asked for, so that this package can be imported before
Django is set up.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    """The tag of the release, or how far it is from one."""

    from motia_django.context import AsyncContext as AsyncContext
    from motia_django.context import Context as Context
    from motia_django.context import FlowContext as FlowContext
    from motia_django.dialects.builders import *  # noqa: F403  # each has an `__all__`
    from motia_django.dialects.guards import *  # noqa: F403
    from motia_django.dialects.names import *  # noqa: F403
    from motia_django.exceptions import Dead as Dead
    from motia_django.exceptions import LeaseLost as LeaseLost
    from motia_django.exceptions import MotiaError as MotiaError
    from motia_django.exceptions import Retry as Retry
    from motia_django.exceptions import Snooze as Snooze
    from motia_django.exceptions import VersionConflict as VersionConflict
    from motia_django.live.dismissals import adisconnect as adisconnect
    from motia_django.live.dismissals import disconnect as disconnect
    from motia_django.live.tokens import stream_token as stream_token
    from motia_django.loggers import Logger as Logger
    from motia_django.pagination import apaginate as apaginate
    from motia_django.pagination import paginate as paginate
    from motia_django.public import StateManager as StateManager
    from motia_django.public import Stream as Stream
    from motia_django.public import adiscard as adiscard
    from motia_django.public import aenqueue as aenqueue
    from motia_django.public import ainvoke as ainvoke
    from motia_django.public import awake as awake
    from motia_django.public import discard as discard
    from motia_django.public import enqueue as enqueue
    from motia_django.public import invoke as invoke
    from motia_django.public import logger as logger
    from motia_django.public import state as state
    from motia_django.public import state_manager as state_manager
    from motia_django.public import stateManager as stateManager
    from motia_django.public import stream_wrapper as stream_wrapper
    from motia_django.public import streams as streams
    from motia_django.public import wake as wake
    from motia_django.schemas.adapted import Upload as Upload
    from motia_django.steps import Step as Step
    from motia_django.triggers.base import TriggerInfo as TriggerInfo
    from motia_django.triggers.cron import cron as cron
    from motia_django.triggers.exchange import Request as Request
    from motia_django.triggers.exchange import Response as Response
    from motia_django.triggers.http import api as api
    from motia_django.triggers.http import http as http
    from motia_django.triggers.queue import event as event
    from motia_django.triggers.queue import queue as queue
    from motia_django.triggers.sse import sse as sse
    from motia_django.triggers.state import StateChange as StateChange
    from motia_django.triggers.state import state_changed as state_changed
    from motia_django.triggers.stream import StreamChange as StreamChange
    from motia_django.triggers.stream import StreamEvent as StreamEvent
    from motia_django.triggers.stream import stream as stream
    from motia_django.triggers.written import *  # noqa: F403

_HOMES = {
    name: home
    for home, names in {
        "context": "AsyncContext Context FlowContext",
        "dialects.builders": "MultiTriggerStepBuilder StepBuilder StepDefinition multi_trigger_step"
        " step",
        "dialects.guards": "get_api_triggers get_cron_triggers get_http_triggers get_queue_triggers"
        " get_state_triggers get_stream_triggers is_api_step is_api_trigger is_cron_step"
        " is_cron_trigger is_event_step is_http_step is_http_trigger is_noop_step"
        " is_queue_step is_queue_trigger is_state_step is_state_trigger is_stream_step"
        " is_stream_trigger",
        "dialects.names": "ApiConfig ApiMiddleware ApiReq ApiRequest ApiResponse ApiRouteConfig"
        " ApiRouteHandler ApiRouteMethod ApiRoute_Config ApiStreamHttpRequest ApiStreamRequest"
        " ApiStreamResponse ChannelReader ChannelWriter CronConfig CronHandler"
        " CronStepConfig CronStep_Config Emit EmitObject Emitter Enqueuer EventConfig EventHandler"
        " EventStepConfig EventStep_Config EventTrigger FlowContextStateStreams HandlerConfig"
        " Handlers InfrastructureConfig InternalStateManager MotiaHttpArgs"
        " MotiaHttpRequest MotiaHttpResponse NoopConfig NoopStepConfig StateStreamConfig"
        " StateTriggerInput StepHandler StreamAuthInput StreamAuthResult StreamSubscription"
        " StreamTriggerInput TriggerCondition TriggerConfig TriggerInput TriggerMetadata"
        " generate_step_id schema_to_json_schema step_wrapper",
        "exceptions": "Dead LeaseLost MotiaError Retry Snooze VersionConflict",
        "live.dismissals": "adisconnect disconnect",
        "live.tokens": "stream_token",
        "loggers": "Logger",
        "pagination": "apaginate paginate",
        "public": "StateManager Stream adiscard aenqueue ainvoke awake discard enqueue invoke"
        " logger state stateManager state_manager stream_wrapper streams wake",
        "schemas.adapted": "Upload",
        "steps": "Step",
        "triggers.base": "TriggerInfo",
        "triggers.cron": "cron",
        "triggers.exchange": "Request Response",
        "triggers.http": "api http",
        "triggers.queue": "event queue",
        "triggers.sse": "sse",
        "triggers.state": "StateChange state_changed",
        "triggers.stream": "StreamChange StreamEvent stream",
        "triggers.written": "ApiTrigger CronTrigger Enqueue QueryParam QueueConfig QueueTrigger"
        " StateTrigger StepConfig StreamConfig StreamTrigger",
    }.items()
    for name in names.split()
}
"""The public words, each with the module that it is in."""

_ENGINE = ("Motia", "get_instance", "init_iii", "setup_step_endpoint")
"""What Motia has to reach its engine."""

if not TYPE_CHECKING:  # to which all of the above are public
    __all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _ENGINE:
        raise ImportError(
            f"motia_django has no {name}: there is no engine of Motia's to reach here"
        )
    if name == "__version__":
        return metadata.version("motia-django")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
