"""Several Steps, or streams, in one file: registered by `step_wrapper`, or defined by `step`."""

from __future__ import annotations

import pytest

from motia_django import state, streams
from motia_django.checks.project import step_warnings
from tests.dialects.firing import all_went_well, sent, ticked
from tests.projects import Project
from tests.web.serving import post, served

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

JSON = "application/json"

FIRST = """
    from typing import Any

    from motia_django import (
        ApiResponse, ApiTrigger, CronTrigger, EventTrigger, FlowContext, StepConfig, TriggerInput,
        step_wrapper,
    )


    def is_heavy(input: TriggerInput[Any], ctx: FlowContext[Any], trigger: dict[str, Any]) -> bool:
        return input.data.get("grams", 0) > 10 and trigger["type"] in ("event", "api")


    async def is_signed(input: TriggerInput[Any], ctx: Any, trigger: dict[str, Any]) -> bool:
        return is_heavy(input, ctx, trigger) and input.request.headers["X-Signed"] == "yes"


    arrived_config = StepConfig(
        name="Arrived",
        triggers=[EventTrigger(subscribes=["parcel.in", "parcel.back"])],
        emits=["parcel.noted"],
    )


    async def arrived(input: TriggerInput[Any], ctx: FlowContext[Any]) -> None:
        told = [input.trigger.type, input.trigger.topic, input.request is None]
        await ctx.emit({"topic": "parcel.noted", "data": {"id": input.data["id"], "told": told}})


    step_wrapper(arrived_config, __file__, arrived)


    noted_config = StepConfig(
        name="Noted",
        triggers=[
            EventTrigger(subscribes=["parcel.noted"]),
            ApiTrigger(path="/noted", method="POST", condition=is_signed),
            CronTrigger(expression="0 0 * * * *"),
        ],
        emits=[],
    )


    async def noted(input: "TriggerInput[dict[str, Any]]", ctx: FlowContext[Any]) -> Any:
        if input.trigger.type == "api":
            body = {"id": input.data.id, "path": input.trigger.path, "same": input.request.body}
            return ApiResponse(status=201, body=body)
        if input.trigger.type == "event":
            await ctx.state.set("noted", input["id"], input.data["told"])
            return None
        await ctx.state.set("noted", "cron", [input.data, input.trigger.expression])


    step_wrapper(noted_config, __file__, noted)

    step_wrapper(
        StepConfig(
            name="Heavy",
            triggers=[EventTrigger(subscribes=["parcel.in"], condition=is_heavy)],
            emits=[],
        ),
        __file__,
        lambda input, ctx: ctx.state.set("heavy", input["id"], True),
    )
"""


def test_each_step_that_a_file_registers_runs(project: Project) -> None:
    file = project.step("parcels.step.py", FIRST)
    steps = project.load()
    assert {each.name: each.file for each in steps} == dict.fromkeys(
        ("Arrived", "Noted", "Heavy"), file
    )
    sent("parcel.in", {"id": "a", "grams": 11})
    sent("parcel.back", {"id": "b", "grams": 5})
    ticked("Noted")
    with served() as client:
        heavy = {"id": "c", "grams": 12}
        assert client.post("/noted", heavy, JSON, headers={"X-Signed": "no"}).status_code == 422
        answer = client.post("/noted", heavy, JSON, headers={"X-Signed": "yes"})
    assert answer.status_code == 201
    assert answer.json() == {"id": "c", "path": "/noted", "same": heavy}
    assert dict(state.items("noted")) == {
        "a": ["event", "parcel.in", True],
        "b": ["event", "parcel.back", True],
        "cron": [{}, "0 0 * * * *"],
    }
    assert [key for key, _ in state.items("heavy")] == ["a"]


MANY = """
    from motia_django import EventTrigger, StepConfig, step_wrapper


    def is_heavy(input, ctx, trigger):
        return input.data.get("grams", 0) > 10


    {kind} is_paid(input, ctx, trigger):
        return trigger["type"] == "event" and input.data["paid"]


    def is_ours(input, ctx):
        return ctx.trigger.type == "queue" and input["ours"]


    def is_due():
        return True


    async def handler(input, ctx):
        await ctx.state.set("went", input["id"], True)


    trigger = EventTrigger(subscribes=["in"], conditions=[is_heavy, is_paid, is_ours, is_due])
    step_wrapper(StepConfig(name="Many", triggers=[trigger], emits=[]), __file__, handler)
"""


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_each_of_several_conditions_has_to_be_met(project: Project, kind: str) -> None:
    project.step("many.step.py", MANY.format(kind=kind))
    [trigger] = project.only_step().triggers
    told = getattr(trigger.condition, "__name__", "")
    assert told == "is_heavy and is_paid and is_ours and is_due"
    good = {"grams": 11, "paid": True, "ours": True}
    others: dict[str, dict[str, int]] = {
        "a": {},
        "b": {"paid": 0},
        "c": {"ours": 0},
        "d": {"grams": 1},
    }
    for id, other in others.items():
        sent("in", {**good, **other, "id": id})
    assert [key for key, _ in state.items("went")] == ["a"]


@pytest.mark.parametrize(
    ("conditions", "id"), [("[]", None), ("None", None), ("[5]", "motia.I002"), ("7", "motia.I002")]
)
def test_conditions_that_are_none_are_no_condition(
    project: Project, conditions: str, id: str | None
) -> None:
    source = MANY.format(kind="def").replace("[is_heavy, is_paid, is_ours, is_due]", conditions)
    project.step("many.step.py", source)
    [trigger] = project.only_step().triggers
    assert trigger.condition is None
    assert [each.id for each in step_warnings(None)] == ([id] if id else [])


def test_a_step_is_told_of_by_its_own_lines(project: Project) -> None:
    file = project.step("parcels.step.py", FIRST.replace("0 0 * * * *", "never"))
    [problem] = project.problems()
    lines = file.read_text().splitlines()
    assert "expression" in problem.message
    assert problem.line is not None
    assert "never" in lines[problem.line - 1]


def test_each_definition_is_a_step_where_there_is_no_config(project: Project) -> None:
    project.step(
        "both_step.py",
        """
        from motia_django import http, multi_trigger_step, queue, step

        async def take(request, ctx):
            await ctx.enqueue({"topic": "taken", "data": request.body})
            return {"status": 202}

        taking = step({"name": "Taking", "triggers": [http("POST", "/take")]}, take)
        same = taking

        keeping = (
            multi_trigger_step({"name": "Keeping", "triggers": [queue("taken")]})
            .on_queue(lambda input, ctx: ctx.state.set("taken", "last", input))
            .handlers()
        )
        """,
    )
    steps = project.load()
    assert {each.name for each in steps} == {"Taking", "Keeping"}
    with served() as client:
        assert post(client, {"n": 1}, "/take").status_code == 202
    all_went_well()
    assert state.get("taken", "last") == {"n": 1}


def test_a_config_of_its_own_goes_with_those_that_are_registered(project: Project) -> None:
    project.step(
        "three_step.py",
        """
        from motia_django import EventConfig, step_wrapper

        config = EventConfig(name="one", subscribes=["go"], emits=[])
        other_config = {"type": "event", "name": "two", "subscribes": ["go"], "emits": []}

        async def handler(input, context):
            await context.state.set("went", context.step, input)

        step_wrapper(other_config, __file__, handler)
        """,
    )
    project.load()
    sent("go", 1)
    assert state.items("went") == [("one", 1), ("two", 1)]


def test_two_of_one_name_are_an_error_that_says_where(project: Project) -> None:
    project.step(
        "twice_step.py",
        """
        from motia_django import step_wrapper

        one = {"type": "event", "name": "same", "subscribes": ["a"], "emits": []}
        two = {
            "type": "event",
            "name": "same",
            "subscribes": ["b"],
            "emits": [],
        }

        def handler(input, context): ...

        step_wrapper(one, __file__, handler)
        step_wrapper(two, __file__, handler)
        """,
    )
    [problem] = project.problems()
    assert (problem.id, problem.line) == ("motia.E008", 6)


def test_each_stream_that_a_file_registers_is_one(project: Project) -> None:
    project.stream(
        "chat_stream.py",
        """
        from motia_django import StreamConfig, stream_wrapper

        rooms = stream_wrapper(StreamConfig(name="rooms"), __file__)
        messages = stream_wrapper(StreamConfig(name="messages"), __file__)
        """,
    )
    project.step(
        "say_step.py",
        """
        from ..streams.chat_stream import messages

        config = {"type": "event", "name": "say", "subscribes": ["say"], "emits": []}

        async def handler(input, context):
            await messages.set("hall", "1", input)
        """,
    )
    project.load()
    sent("say", {"text": "Hello"})
    assert streams["messages"].get("hall", "1") == {"id": "1", "text": "Hello"}
    assert streams["rooms"].list("hall") == []
