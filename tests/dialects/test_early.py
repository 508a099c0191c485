"""Motia before 0.1: Steps of no type, `executor(input, emit, ctx)`, and state that is a trace's."""

from __future__ import annotations

import pytest

from motia_django import state
from motia_django.public import enqueue
from tests.dialects.firing import all_went_well, sent
from tests.projects import Project

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

WEIGH = """
    config = {
        "name": "Weigh parcels",
        "subscribes": ["parcels.in"],
        "emits": [{"type": "parcels.weighed", "label": "Weighed"}],
        "input": None,
        "workflow": "parcels",
    }

    count = 0


    async def executor(input, emit):
        global count
        count += 1
        items = input.items
        await emit({
            "type": "parcels.weighed",
            "data": {
                "parcels": [item.__dict__ for item in items],
                "sum": sum(getattr(item, "grams", 0) for item in items),
                "same": [input["items"] == items, hasattr(input, "nothing"), "at" in input],
                "from": input.sender.town,
                "calls": count,
            },
        })
"""

KEEP = """
    config = {
        "name": "Keep weights",
        "subscribes": ["parcels.weighed"],
        "emits": [],
        "input": None,
        "flows": ["parcels"],
        "endpoint": "python-endpoint",
    }


    async def executor(args, emit, ctx):
        ctx.logger.info("Weighed", args)
        assert await ctx.state.get("sum") is None
        await ctx.state.set("sum", args.sum)
        await ctx.state.set(ctx.trace_id, "calls", args["calls"])
        await ctx.state.set("to forget", 1)
        await ctx.state.delete("to forget")
        noted = await ctx.state.get(trace_id=ctx.traceId, key="calls")
        before = [await ctx.state.get("sum"), noted]
        await ctx.state.set("kept", "weights", {**args, "before": before, "flows": ctx.flows})
"""


def test_an_executor_is_given_what_came_and_emit(project: Project) -> None:
    project.step("weigh_parcels.step.py", WEIGH)
    project.step("keep.step.py", KEEP)
    steps = project.load()
    assert [each.name for each in steps.flows()["parcels"]] == ["Keep weights", "Weigh parcels"]
    assert steps.step("Weigh parcels").enqueues[0].name == "parcels.weighed"
    parcels = [{"id": "a", "grams": 5}, {"id": "b"}]
    sent("parcels.in", {"items": parcels, "sender": {"town": "Oslo"}})
    kept = {
        "parcels": parcels,
        "sum": 5,
        "same": [True, False, False],
        "from": "Oslo",
        "calls": 1,
        "before": [5, 1],
        "flows": ["parcels"],
    }
    assert state.get("kept", "weights") == kept


def test_state_is_the_traces_own_where_no_group_is_named(project: Project) -> None:
    project.step(
        "last_step.py",
        """
        config = {"name": "last", "subscribes": ["last"], "emits": []}

        def executor(input, emit, ctx):
            ctx.state.set("n", input["n"])
            if input["n"] == 2:
                ctx.state.clear()
        """,
    )
    project.load()
    enqueue({"topic": "last", "data": {"n": 1}})
    enqueue({"topic": "last", "data": {"n": 2}})
    all_went_well()
    [trace] = state.list_groups()
    assert state.items(trace) == [("n", 1)]


@pytest.mark.parametrize("parameters", ["input, emit", "input, _emit=None", "input"])
def test_a_handler_may_be_given_emit_as_well(project: Project, parameters: str) -> None:
    project.step(
        "first_step.py",
        f"""
        from motia_django import state

        config = {{"name": "first", "subscribes": ["first"], "emits": ["second"]}}

        async def handler({parameters}):
            await state.aset("first", "n", input.n)
        """,
    )
    project.load()
    sent("first", {"n": 1})
    assert state.get("first", "n") == 1


def test_what_is_wrong_is_told(project: Project) -> None:
    project.step(
        "x_step.py",
        """
        config = {"name:": "typing error", "subscribes": ["x"], "emits": []}

        async def executor(a, emit, ctx, more): ...
        """,
    )
    messages = [each.message for each in project.problems()]
    assert any("the key 'name' is missing" in each for each in messages), messages
    assert any("at most 2 arguments" in each for each in messages), messages
