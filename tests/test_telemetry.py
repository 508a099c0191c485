"""Spans by OpenTelemetry's real SDK: one trace from what begins it to all that follows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any
from uuid import UUID

import pytest
from celery.signals import after_task_publish
from opentelemetry import context, trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import sampling
from opentelemetry.trace import SpanKind, StatusCode

from motia_django import enqueue, invoke, operations, signals, state, telemetry
from motia_django.celery_app import project_app, task_name
from motia_django.exceptions import Dead, Snooze
from motia_django.live.face import Stream
from motia_django.publish import publish
from motia_django.runs import Run
from motia_django.tracing import new_trace_id
from tests.docs.pages import ROOT
from tests.factories import (
    QUEUE,
    deliver,
    heard,
    installed,
    kept_run,
    let_time_pass,
    make_run,
    make_step,
    make_stream,
    nothing,
    row,
    rows,
    work_off,
)
from tests.spans import Collected, collecting, id_of, parent_of, trace_of
from tests.web.serving import http, post, serving

pytestmark = pytest.mark.django_db
PARENT = "00f067aa0ba902b7"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collected]:
    with collecting(monkeypatch) as collected:
        yield collected


def tracer() -> trace.Tracer:
    return trace.get_tracer("the project's own")


def relay(topic: str) -> Any:
    def handler(input: Any, ctx: Any) -> None:
        ctx.enqueue(topic, input)

    return handler


# -- one trace


def test_a_request_and_all_that_follows_from_it_is_one_trace(spans: Collected) -> None:
    def answer(request: Any, ctx: Any) -> dict[str, Any]:
        ctx.enqueue("work", {"n": 1})
        return {"status": 201, "body": {}}

    first = make_step(answer, http("POST"), name="Answer", enqueues=["work"])
    second = make_step(relay("more"), name="Second", enqueues=["more"])
    third = make_step(nothing, {**QUEUE, "topic": "more"}, name="Third")
    with serving(first, second, third) as client:
        response = post(client, {})
        work_off()
    answered, sent, worked, more, last = (
        spans.one(name) for name in ("Answer", "enqueue work", "Second", "enqueue more", "Third")
    )
    assert {trace_of(each) for each in spans()} == {response.headers["Motia-Trace-Id"]}
    assert {each.trace_id for each in rows()} == {response.headers["Motia-Trace-Id"]}
    assert parent_of(answered) is None
    assert parent_of(sent) == id_of(answered)
    assert parent_of(worked) == id_of(sent)
    assert parent_of(more) == id_of(worked)
    assert parent_of(last) == id_of(more)
    assert [each.kind for each in (answered, sent, worked)] == [
        SpanKind.SERVER, SpanKind.PRODUCER, SpanKind.CONSUMER
    ]  # fmt: skip


def test_a_request_is_below_the_span_of_who_sent_it(spans: Collected) -> None:
    trace_id = new_trace_id()
    with serving(make_step(lambda request, ctx: {"body": ctx.trace_id}, http())) as client:
        header = f"00-{trace_id}-{PARENT}-01"
        answer = client.get("/x", headers={"traceparent": header})
    span = spans.one("Work")
    assert answer.json() == trace_id == trace_of(span)
    assert parent_of(span) == int(PARENT, 16)
    assert span.parent is not None and span.parent.is_remote


def test_a_request_is_below_the_span_of_the_project_s_instrumentation(spans: Collected) -> None:
    with serving(make_step(lambda request, ctx: {"body": ctx.trace_id}, http())) as client:
        with tracer().start_as_current_span("GET x") as outer:
            header = f"00-{new_trace_id()}-{PARENT}-01"
            answer = client.get("/x", headers={"traceparent": header})
    span = spans.one("Work")
    assert answer.json() == f"{outer.get_span_context().trace_id:032x}" == trace_of(span)
    assert parent_of(span) == outer.get_span_context().span_id
    assert span.kind is SpanKind.INTERNAL


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_the_span_of_an_answer_that_is_sent_part_by_part_lasts_until_the_last(
    spans: Collected, is_async: bool, fails: bool
) -> None:
    def plain(request: Any, ctx: Any) -> Iterator[str]:
        yield "one"
        state.set("g", "k", 1)
        assert spans("Work") == []
        if fails:
            raise LookupError("no second part")
        yield "two"

    async def asynchronous(request: Any, ctx: Any) -> Any:
        yield "one"
        await ctx.state.set("g", "k", 1)
        assert spans("Work") == []
        if fails:
            raise LookupError("no second part")
        yield "two"

    with serving(make_step(asynchronous if is_async else plain, http())) as client:
        answer: Any = client.get("/x")
        with pytest.raises(LookupError) if fails else nullcontext():
            assert b"".join(answer.streaming_content) == b"onetwo"
    span = spans.one("Work")
    assert dict(span.attributes or {})["motia.outcome"] == ("failed" if fails else "succeeded")
    assert span.status.status_code is (StatusCode.ERROR if fails else StatusCode.UNSET)
    assert parent_of(spans.one("state set")) == id_of(span)
    assert not trace.get_current_span().get_span_context().is_valid


def test_what_is_sent_from_anywhere_is_in_the_trace_that_goes_on_there(spans: Collected) -> None:
    with installed(make_step()), tracer().start_as_current_span("the view") as view:
        [run_id] = enqueue("work", 1)
    assert row(run_id).trace_id == f"{view.get_span_context().trace_id:032x}"
    assert parent_of(spans.one("enqueue work")) == view.get_span_context().span_id


def test_all_who_hear_a_message_from_outside_are_in_its_trace(spans: Collected) -> None:
    with installed(make_step(name="One"), make_step(name="Other")):
        deliver(enqueue("work", 1))
    [trace_id] = {each.trace_id for each in rows()}
    sent = spans.one("enqueue work")
    assert {trace_of(each) for each in spans()} == {trace_id}
    assert {parent_of(each) for each in (spans.one("One"), spans.one("Other"))} == {id_of(sent)}


def test_each_attempt_is_a_span_below_the_one_that_the_run_was_born_in(spans: Collected) -> None:
    def flaky(input: Any, ctx: Any) -> None:
        if ctx.attempt < 3:
            raise LookupError("not yet")

    with installed(make_step(flaky)):
        with tracer().start_as_current_span("the view"):
            [run_id] = enqueue("work", 1)
        deliver([run_id])
        for _ in range(2):
            let_time_pass(run_id)
            deliver([run_id])
    attempts = spans("Work")
    assert [each.attributes["motia.attempt"] for each in attempts if each.attributes] == [1, 2, 3]
    assert {parent_of(each) for each in attempts} == {id_of(spans.one("enqueue work"))}
    codes = [each.status.status_code for each in attempts]
    assert codes == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]


def test_a_redriven_run_is_still_in_the_trace_that_sent_it(spans: Collected) -> None:
    def handler(input: Any, ctx: Any) -> None:
        raise Dead("never")

    with installed(make_step(handler)):
        [run_id] = enqueue("work", 1)
        deliver([run_id])
        operations.redrive(UUID(run_id), by="ada")
        deliver([run_id])
    first, second = spans("Work")
    assert parent_of(first) == parent_of(second) == id_of(spans.one("enqueue work"))


def test_a_run_that_its_condition_keeps_from_its_work_says_so(spans: Collected) -> None:
    with installed(make_step(nothing, {**QUEUE, "condition": lambda input, ctx: False})):
        deliver(enqueue("work", 1))
    assert dict(spans.one("Work").attributes or {})["motia.outcome"] == "skipped"


def test_a_run_that_is_snoozed_is_no_error(spans: Collected) -> None:
    def handler(data: Any) -> None:
        raise Snooze(after=60)

    with installed(make_step(handler)):
        deliver(enqueue("work"))
    span = spans.one("Work")
    assert dict(span.attributes or {})["motia.outcome"] == "snoozed"
    assert span.status.status_code is StatusCode.UNSET and not span.events


def test_a_delayed_run_is_in_the_trace_that_sent_it(spans: Collected) -> None:
    with installed(make_step()):
        [run_id] = enqueue({"topic": "work", "data": 1, "delaySeconds": 3600})
        let_time_pass(run_id)
        deliver([run_id])
    assert parent_of(spans.one("Work")) == id_of(spans.one("enqueue work"))


def test_a_light_run_carries_its_span_in_its_message(spans: Collected) -> None:
    with installed(make_step(record="failures")):
        with tracer().start_as_current_span("the view") as view:
            context_of_view = view.get_span_context()
        run = make_run(
            light=True,
            trace_id=f"{context_of_view.trace_id:032x}",
            parent_span=f"{context_of_view.span_id:016x}-01",
        )
        task = project_app().tasks[task_name("Work")]
        task.apply(args=(str(run.id), run.to_message()), throw=True)
    assert parent_of(spans.one("Work")) == context_of_view.span_id


def test_a_light_message_of_before_is_read_as_one_without_a_span() -> None:
    run = make_run(light=True, parent_span=f"{PARENT}-01")
    message = run.to_message()
    assert Run.from_message(str(run.id), message).parent_span == f"{PARENT}-01"
    del message["parentSpan"]
    assert Run.from_message(str(run.id), message).parent_span is None


def test_a_run_that_was_born_without_opentelemetry_is_the_root_of_its_trace(
    spans: Collected,
) -> None:
    with installed(make_step(relay("nobody"), enqueues=["nobody"])):
        run = kept_run()
        deliver([run.id])
    span = spans.one("Work")
    assert trace_of(span) == run.trace_id
    assert parent_of(span) is None
    assert trace_of(spans.one("enqueue nobody")) == run.trace_id


def test_an_invoked_step_is_a_span_below_the_one_that_invokes(spans: Collected) -> None:
    outer = make_step(lambda input, ctx: ctx.invoke("Inner", 1), name="Outer")
    inner = make_step(lambda input, ctx: None, name="Inner", record="failures")
    with installed(outer, inner):
        deliver([kept_run(step="Outer").id])
        invoke("Inner", 2)
    inside, outside = spans("Inner")
    assert parent_of(inside) == id_of(spans.one("Outer"))
    assert trace_of(inside) == trace_of(spans.one("Outer"))
    assert parent_of(outside) is None
    assert inside.kind is SpanKind.INTERNAL


def test_an_async_handler_s_spans_are_below_its_own(spans: Collected) -> None:
    async def handler(input: Any, ctx: Any) -> None:
        await ctx.state.set("g", "k", 1)
        await ctx.enqueue("nobody", 1)
        with tracer().start_as_current_span("the handler's own"):
            await ctx.invoke("Inner", 1)

    inner = make_step(lambda input, ctx: None, {"type": "queue", "topic": "i"}, name="Inner")
    with installed(make_step(handler, enqueues=["nobody"]), inner):
        deliver(enqueue("work", 1))
    own = id_of(spans.one("Work"))
    named = ("state set", "enqueue nobody", "the handler's own")
    assert {parent_of(spans.one(name)) for name in named} == {own}
    assert parent_of(spans.one("Inner")) == id_of(spans.one("the handler's own"))


def test_a_change_of_state_leads_to_its_watchers_in_one_trace(spans: Collected) -> None:
    watcher = make_step(lambda input, ctx: None, {"type": "state"}, name="Watcher")
    with installed(watcher):
        state.set("orders", "17", {"paid": True})
        work_off()
    written = spans.one("state set")
    assert written.attributes == {"motia.state.group": "orders", "motia.state.key": "17"}
    assert parent_of(spans.one("Watcher")) == id_of(written)


def test_a_write_to_a_stream_leads_to_its_watchers_in_one_trace(spans: Collected) -> None:
    watcher = make_step(
        lambda input, ctx: None, {"type": "stream", "streamName": "orders"}, name="Watcher"
    )
    with installed(watcher, streams=[make_stream()]):
        Stream("orders").set("open", "17", {"paid": True})
        work_off()
    written = spans.one("stream set")
    assert written.attributes == {
        "motia.stream.name": "orders",
        "motia.stream.group": "open",
        "motia.stream.item": "17",
    }
    assert parent_of(spans.one("Watcher")) == id_of(written)


@pytest.mark.parametrize("call", [
    lambda: state.get("g", "k"), lambda: state.get(group="g", key="k"),
    lambda: state.get_item("g", "k"), lambda: state.get_many("g", ["k"]),
    lambda: state.set_many("g", {"k": 1}), lambda: state.delete("g", "k"), lambda: state.list("g"),
    lambda: state.items("g"), state.list_groups, lambda: state.clear("g"),
    lambda: state.update("g", "k", [{"type": "set", "path": "a", "value": 1}]),
])  # fmt: skip
def test_each_operation_on_state_is_a_span(spans: Collected, call: Any) -> None:
    call()
    [span] = spans()
    assert span.name in {f"state {each}" for each in vars(type(state))}


def test_an_operation_that_fails_says_so(spans: Collected) -> None:
    with pytest.raises(Exception, match="version"):
        state.set("g", "k", 1, if_version=7)
    span = spans.one("state set")
    assert span.status.status_code is StatusCode.ERROR
    assert span.events[0].name == "exception"


# -- what a span says


def test_a_run_s_span_says_what_ran(spans: Collected) -> None:
    def handler(input: Any, ctx: Any) -> None: ...

    with installed(make_step(handler)):
        [run_id] = enqueue("work", 1)
        deliver([run_id])
    told = dict(spans.one("Work").attributes or {})
    assert told == {
        "motia.step": "Work",
        "motia.run_id": run_id,
        "motia.trace_id": row(run_id).trace_id,
        "motia.trigger": "queue",
        "motia.source": "work",
        "motia.attempt": 1,
        "motia.outcome": "succeeded",
        "messaging.system": "motia",
        "messaging.destination.name": "work",
        "messaging.message.id": run_id,
        "messaging.operation.name": "run",
        "messaging.operation.type": "process",
        "code.file.path": __file__.replace("test_telemetry", "factories"),
        "code.function.name": f"{__name__}.{handler.__qualname__}",
    }


def test_a_request_s_span_says_its_route(spans: Collected) -> None:
    step = make_step(lambda request, ctx: None, http("POST", "/orders/:id"))
    with serving(step) as client:
        post(client, {}, "/orders/17")
    told = dict(spans.one("Work").attributes or {})
    assert (told["http.request.method"], told["http.route"]) == ("POST", "/orders/:id")


def test_a_failed_attempt_s_span_has_the_error(spans: Collected) -> None:
    def handler(input: Any, ctx: Any) -> None:
        raise LookupError("no such order")

    with installed(make_step(handler)):
        deliver(enqueue("work", 1))
    span = spans.one("Work")
    assert span.status.description == "LookupError: no such order"
    assert dict(span.attributes or {})["error.type"] == "builtins.LookupError"
    assert dict(span.attributes or {})["motia.outcome"] == "failed"
    [event] = span.events
    assert "in handler" in str(dict(event.attributes or {})["exception.stacktrace"])


def test_several_messages_are_one_span_that_counts_them(spans: Collected) -> None:
    enqueue([{"topic": "b", "data": 1}, {"topic": "a", "data": 2}, {"topic": "a", "data": 3}])
    told = dict(spans.one("enqueue a, b").attributes or {})
    assert told["messaging.batch.message_count"] == 3
    assert "messaging.destination.name" not in told


def test_observers_of_a_run_add_to_its_span(spans: Collected) -> None:
    def observe(sender: Any, **kwargs: Any) -> None:
        trace.get_current_span().set_attribute("shop", "Oslo")

    signals.run_started.connect(observe)
    try:
        with installed(make_step()):
            deliver(enqueue("work", 1))
    finally:
        signals.run_started.disconnect(observe)
    assert dict(spans.one("Work").attributes or {})["shop"] == "Oslo"


# -- beside others' spans


def test_a_span_of_another_trace_that_goes_on_is_linked_to(spans: Collected) -> None:
    with installed(make_step()):
        [run_id] = enqueue("work", 1)
        with tracer().start_as_current_span("a worker's own") as other:
            deliver([run_id])
    span = spans.one("Work")
    assert trace_of(span) == row(run_id).trace_id
    assert [each.context.span_id for each in span.links] == [other.get_span_context().span_id]


def test_nothing_is_left_behind_of_a_run(spans: Collected) -> None:
    with installed(make_step()):
        deliver([kept_run().id])
    assert not trace.get_current_span().get_span_context().is_valid
    assert context.get_current() == {}


def test_celery_s_own_instrumentation_joins_the_trace(spans: Collected) -> None:
    instrumentor: Any = CeleryInstrumentor
    instrumentor().instrument(tracer_provider=trace.get_tracer_provider())
    try:
        with installed(make_step()):
            run = kept_run(trace_id=new_trace_id(), parent_span=f"{PARENT}-01")
            publish([run], insist=True)  # as upkeep does, where no span goes on
    finally:
        instrumentor().uninstrument()
    sent = spans.one("apply_async/motia.Work")
    assert trace_of(sent) == run.trace_id
    assert parent_of(sent) == int(PARENT, 16)


# -- W3C


@pytest.mark.parametrize("parent_span", [f"{PARENT}-01", None])
def test_messages_carry_w3c_s_header_where_a_span_is_known(parent_span: str | None) -> None:
    sent: list[Any] = []

    def note(headers: Any, **kwargs: Any) -> None:
        sent.append(headers.get("traceparent"))

    with heard(after_task_publish, note), installed(make_step()):
        run = kept_run(parent_span=parent_span)
        publish([run])
    assert sent == [parent_span and f"00-{run.trace_id}-{parent_span}"]


def test_without_opentelemetry_the_caller_s_span_is_handed_on() -> None:
    assert not telemetry.is_on()
    trace_id = new_trace_id()
    step = make_step(lambda request, ctx: ctx.enqueue("work", 1) and None, http(), name="Door",
                     enqueues=["work"])  # fmt: skip
    with serving(step, make_step()) as client:
        client.get("/x", headers={"traceparent": f"00-{trace_id}-{PARENT}-00"})
    assert {(each.trace_id, each.parent_span) for each in rows()} == {(trace_id, f"{PARENT}-00")}
    assert len(rows()) == 2


# -- sampling


def test_what_was_not_sampled_at_its_beginning_is_not_sampled_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampler = sampling.ParentBased(sampling.ALWAYS_OFF)
    with collecting(monkeypatch, sampler=sampler) as spans, installed(make_step()):
        [run_id] = enqueue("work", 1)
    assert not int(str(row(run_id).parent_span).partition("-")[2], 16) & trace.TraceFlags.SAMPLED
    with collecting(monkeypatch) as later, installed(make_step()):
        deliver([run_id])
    assert spans() == later() == []


def test_the_sampler_decides_on_roots_by_their_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = sampling.ParentBased(sampling.TraceIdRatioBased(0.5))
    with collecting(monkeypatch, sampler=sampler) as spans, installed(make_step()):
        runs = [kept_run(trace_id=f"{1:016x}{top:01x}{1:015x}") for top in (0x1, 0xF)]
        deliver([run.id for run in runs])
    assert [trace_of(each) for each in spans()] == [runs[0].trace_id]


# -- off


def test_without_a_provider_nothing_is_told_and_runs_have_traces_of_ours() -> None:
    assert "opentelemetry.trace" in sys.modules
    assert not telemetry.is_on()
    assert telemetry.span("anything") is telemetry.span("else")
    with installed(make_step()):
        [run_id] = enqueue("work", 1)
        deliver([run_id])
    assert row(run_id).parent_span is None
    assert row(run_id).status == "succeeded"


def test_none_of_the_extras_is_needed() -> None:
    code = """
import django, sys
sys.modules |= dict.fromkeys(["opentelemetry", "prometheus_client", "sentry_sdk"])  # not to be had
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from motia_django import enqueue, state
state.set("g", "k", 1)
assert enqueue("todo.created", {"todoId": "1"})
from django.test import Client
print(Client().post("/todos", {"title": "x"}, content_type="application/json").status_code)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == "201"
