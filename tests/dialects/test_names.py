"""The names of Motia's module: all there, and working."""

from __future__ import annotations

from typing import Any

import pytest

import motia_django
from motia_django import (
    ApiRequest,
    ApiResponse,
    ApiRouteConfig,
    ApiTrigger,
    Enqueue,
    QueueConfig,
    StepConfig,
    StepDefinition,
    StreamEvent,
    StreamTriggerInput,
    cron,
    generate_step_id,
    get_queue_triggers,
    http,
    is_cron_step,
    is_http_step,
    is_http_trigger,
    is_noop_step,
    is_queue_step,
    queue,
    schema_to_json_schema,
    state,
    step,
    stream,
)
from tests.factories import make_step

MOTIA = [
    "StepHandler",
    "step_wrapper",
    "stream_wrapper",
    "ApiStreamRequest",
    "ApiStreamHttpRequest",
    "ApiStreamResponse",
    "ApiRouteHandler",
    "EventHandler",
    "CronHandler",
    "EventTrigger",
    "HandlerConfig",
    "InfrastructureConfig",
    "TriggerMetadata",
    "ChannelReader",
    "ChannelWriter",
    "generate_step_id",
    "api",
    "http",
    "queue",
    "cron",
    "state",
    "stream",
    "schema_to_json_schema",
    "step",
    "StepDefinition",
    "StepBuilder",
    "multi_trigger_step",
    "MultiTriggerStepBuilder",
    "ApiMiddleware",
    "ApiRequest",
    "ApiResponse",
    "ApiRouteMethod",
    "MotiaHttpRequest",
    "MotiaHttpArgs",
    "MotiaHttpResponse",
    "ApiTrigger",
    "CronTrigger",
    "Enqueue",
    "Enqueuer",
    "FlowContext",
    "QueryParam",
    "QueueTrigger",
    "StateTrigger",
    "StateTriggerInput",
    "Step",
    "StepConfig",
    "StreamConfig",
    "StreamAuthInput",
    "StreamAuthResult",
    "StreamEvent",
    "StreamSubscription",
    "StreamTrigger",
    "StreamTriggerInput",
    "TriggerCondition",
    "TriggerConfig",
    "TriggerInfo",
    "TriggerInput",
    "enqueue",
    "logger",
    "Stream",
    "StateManager",
    "stateManager",
    "is_api_trigger",
    "is_queue_trigger",
    "is_cron_trigger",
    "is_state_trigger",
    "is_stream_trigger",
    "is_api_step",
    "is_queue_step",
    "is_cron_step",
    "is_state_step",
    "is_stream_step",
    "get_api_triggers",
    "get_queue_triggers",
    "get_cron_triggers",
    "get_state_triggers",
    "get_stream_triggers",
]


@pytest.mark.parametrize("name", MOTIA)
def test_every_public_name_of_motia_is_here(name: str) -> None:
    assert getattr(motia_django, name) is not None
    assert name in motia_django.__all__


@pytest.mark.parametrize("name", ["Motia", "get_instance", "init_iii", "setup_step_endpoint"])
def test_what_reaches_motias_engine_says_that_there_is_none(name: str) -> None:
    with pytest.raises(ImportError, match=f"motia_django has no {name}: there is no engine"):
        getattr(motia_django, name)


@pytest.mark.parametrize(
    "name", ["FlowContext", "ApiRequest", "ApiResponse", "MotiaHttpArgs", "MotiaHttpRequest"]
)
def test_types_take_the_types_of_what_they_hold(name: str) -> None:
    assert getattr(motia_django, name)[dict[str, Any]] is not None


def test_what_helpers_give_is_a_dict_with_attributes() -> None:
    trigger = http("POST", "/x", body_schema=dict)
    assert trigger == {"type": "http", "method": "POST", "path": "/x", "body_schema": dict}
    assert isinstance(trigger, ApiTrigger)
    assert (trigger.type, trigger.method, trigger.path) == ("http", "POST", "/x")
    assert trigger.bodySchema is dict
    assert trigger.condition is None
    assert cron(expression="@daily").expression == "@daily"
    assert stream("todo").stream_name == "todo"
    assert queue("t").topic == "t"
    with pytest.raises(AttributeError, match="QueueTrigger has no key 'nonsense'"):
        _ = queue("t").nonsense


def test_state_makes_a_trigger_and_is_state() -> None:
    assert state() == {"type": "state"}
    assert state("orders", events=["updated"]).group_id == "orders"
    assert callable(state.get)


def test_configs_are_made_by_name() -> None:
    config = StepConfig(name="A", triggers=[queue("t")], enqueues=[Enqueue(topic="u")], flows=None)
    assert config == {"name": "A", "triggers": [queue("t")], "enqueues": [{"topic": "u"}]}
    assert config.flows is None
    assert config.enqueues[0].label is None
    assert config.model_dump() == dict(config)
    assert QueueConfig(maxRetries=5).max_retries == 5
    assert QueueConfig().max_retries == 3
    assert ApiRouteConfig(name="A", path="/a", method="GET", emits=[])["type"] == "api"


def test_requests_and_answers_are_made_by_name() -> None:
    request = ApiRequest(path_params={"id": "1"}, queryParams={"q": "2"}, body={"a": 1}, headers={})
    assert (request.params, request.query, request.body) == ({"id": "1"}, {"q": "2"}, {"a": 1})
    assert request.path_params == request.pathParams == request["path_params"] == {"id": "1"}
    assert request.request is request
    with pytest.raises(TypeError, match="Request has no part 'nonsense'"):
        ApiRequest(nonsense=1)
    answer = ApiResponse(status=201, body={"a": 1}, headers={"X": "y"})
    assert (answer.status, answer.body, answer.headers) == (201, {"a": 1}, {"X": "y"})
    change = StreamTriggerInput(
        stream_name="s",
        group_id="g",
        id="1",
        event=StreamEvent(type="create", data={}),
        timestamp=1,
    )
    assert change.streamName == "s"


def test_guards_ask_steps_configs_and_definitions() -> None:
    def handler(input: Any) -> None:
        pass

    config: dict[str, Any] = {"name": "A", "triggers": [http("GET", "/a"), queue("t")]}
    definition = step(config, handler)
    assert isinstance(definition, StepDefinition)
    assert definition.config.name == "A"
    assert definition.handler is handler
    assert step(config).handle(handler) == definition
    for each in (config, definition, make_step(handler, *config["triggers"])):
        assert is_http_step(each)
        assert is_queue_step(each)
        assert not is_cron_step(each)
        assert not is_noop_step(each)
        assert len(get_queue_triggers(each)) == 1
    assert is_http_trigger({"type": "api"})
    assert is_noop_step({"triggers": []})


def test_an_id_of_a_step_is_always_the_same() -> None:
    assert generate_step_id("a_step.py") == generate_step_id("a_step.py")
    assert generate_step_id("a_step.py") != generate_step_id("b_step.py")
    assert schema_to_json_schema({"type": "object"}) == {"type": "object"}
    assert schema_to_json_schema(None) is None
