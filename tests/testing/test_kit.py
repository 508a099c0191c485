"""Calls of Steps, and reads of what they did."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from rest_framework.permissions import IsAuthenticated

from motia_django import enqueue, invoke, state
from motia_django.conf import MEMORY_STATE
from motia_django.exceptions import Dead, Retry, StartsNothing, UnknownStep, UnknownStream
from motia_django.models import StreamEvent
from motia_django.stores import state_store
from motia_django.stores.memory import MemoryState
from motia_django.testing import Motia
from tests.factories import QUEUE, installed, make_step, make_stream, nothing
from tests.web.serving import http, serving, serving_streams

pytestmark = pytest.mark.django_db

CRON = {"type": "cron", "schedule": "0 7 * * *"}
HOURLY = {"type": "cron", "schedule": "0 * * * *"}


def echo(request: Any, ctx: Any) -> dict[str, Any]:
    return {"status": 200, "body": {"got": request.body, "query": request.query}}


def fails(input: Any, ctx: Any) -> None:
    raise LookupError("not here")


def test_a_run_has_the_keys_that_it_is_found_by(motia: Motia) -> None:
    def handler(input: Any, ctx: Any) -> None:
        ctx.index(orderId=17)
        if input["fails"]:
            raise LookupError("not here")

    for record, many in (("all", 2), ("failures", 4)):
        with installed(make_step(handler, index=["shop"], record=record)):
            motia.queue("work", {"shop": "A", "fails": False})
            motia.queue("work", {"shop": "B", "fails": True}, raises=False)
            for run in motia.runs:
                assert set(run.keys) == {"orderId=17", f"shop={run.input['shop']}"}
            assert len(motia.runs) == many


@pytest.mark.parametrize("record", ["all", "failures"])
def test_what_ran_before_is_returned_by_no_later_call(motia: Motia, record: str) -> None:
    order = make_step(nothing, http("GET", "/orders/:id"), name="GetOrder", record=record)
    asked = make_step(nothing, {**QUEUE, "topic": "asked"}, name="Invoked", record=record)
    tick = make_step(nothing, CRON, name="Tick", record=record)
    with serving(order, asked, tick, make_step()):
        motia.drain()
        motia.http("GET", "/orders/17", raises=False)
        invoke("Invoked", 1)
        assert [each.step for each in motia.queue("work", {})] == ["Work"]
        motia.http("GET", "/orders/18", raises=False)
        assert [each.step for each in motia.cron("Tick")] == ["Tick"]
        assert len(motia.runs) == 5
        assert len(motia.drain()) == 5
        assert len(motia.drain()) == 0


@pytest.mark.parametrize("record", ["all", "failures"])
def test_a_request_that_is_refused_leaves_no_run(motia: Motia, record: str) -> None:
    page = {"type": "object", "properties": {"id": {"type": "string", "maxLength": 3}}}
    step = make_step(echo, http("GET", "/orders/:id", paramsSchema=page), record=record)
    with serving(step):
        assert motia.http("GET", "/orders/1234").status == 400
        assert motia.runs == []
        assert len(motia.drain()) == 0
        assert motia.http("GET", "/orders/123").status == 200
        assert [each.status for each in motia.runs] == ["succeeded"]


# -- requests


def test_a_request_has_a_body_a_query_and_headers(motia: Motia) -> None:
    def handler(request: Any, ctx: Any) -> dict[str, Any]:
        return {
            "status": 200,
            "body": [request.body, request.query, request.headers.get("x-own"), ctx.trace_id],
        }

    with serving(make_step(handler, http("POST"))):
        answer = motia.http(
            "post", "/x", json={"n": "größe 🚲"}, query={"a": [1, 2]}, headers={"X-Own": "mine"}
        )
    body, query, header, trace_id = answer.json
    assert (body, header) == ({"n": "größe 🚲"}, "mine")
    assert "a" in query
    assert trace_id == answer.trace_id
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.response.status_code == answer.status == 200


def test_a_request_may_have_a_form_or_bytes(motia: Motia) -> None:
    with serving(make_step(echo, http("POST"))):
        answer = motia.http("POST", "/x", form={"name": "Ada"})
        assert answer.json["got"] == {"name": "Ada"}
        broken = motia.http("POST", "/x", body=b"{", content_type="application/json")
        assert broken.status == 400


def test_who_asks_is_let_in_whatever_the_authentication_is(motia: Motia) -> None:
    def handler(request: Any, ctx: Any) -> dict[str, Any]:
        return {"status": 200, "body": {"name": request.user.username}}

    ada = User(username="ada")
    with serving(make_step(handler, http(permissions=[IsAuthenticated]))):
        assert motia.http("GET", "/x").status == 403
        assert motia.http("GET", "/x", user=ada).json == {"name": "ada"}
        assert motia.http("GET", "/x").status == 403


def test_the_answer_of_a_generator_is_read_to_its_end(motia: Motia) -> None:
    def handler(request: Any, ctx: Any) -> Any:
        yield "one "
        ctx.enqueue("work", 1)
        yield "two"

    with serving(make_step(handler, http(), name="Parts", enqueues=["work"]), make_step()):
        assert motia.http("GET", "/x").text == "one two"
        assert motia.enqueued("work") == [1]
        assert [run.status for run in motia.runs.of("Parts")] == ["succeeded"]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_answer_is_read_part_by_part_and_left_early(motia: Motia, is_async: bool) -> None:
    made: list[int] = []

    def handler(request: Any, ctx: Any) -> Any:
        for number in range(1000):
            made.append(number)
            ctx.enqueue("work", number)
            yield f"{request.body['said']} {number} "

    async def ahandler(request: Any, ctx: Any) -> Any:
        for number in range(1000):
            made.append(number)
            await ctx.enqueue("work", number)
            yield f"{request.body['said']} {number} "

    step = make_step(
        ahandler if is_async else handler, http("POST"), name="Parts", enqueues=["work"]
    )
    with serving(step, make_step()):
        with motia.open("POST", "/x", json={"said": "part"}) as answer:
            assert (answer.status, answer.headers["Content-Type"][:10]) == (200, "text/plain")
            assert [next(answer), next(answer)] == [b"part 0 ", b"part 1 "]
        answer.close()
        assert next(answer, None) is None
        [run] = motia.runs.of("Parts")
        assert (run.status, run.trace_id) == ("succeeded", answer.trace_id)
        assert run.output["body"]["ended"] == "the client went away before the end"
        assert motia.enqueued("work") == made == [0, 1]


def test_an_answer_that_is_left_at_once_or_read_to_its_end_is_over(motia: Motia) -> None:
    def handler(request: Any, ctx: Any) -> Any:
        yield "one "
        yield "two"

    with serving(make_step(handler, http()), make_step(echo, http(path="/whole"), name="Whole")):
        motia.open("GET", "/x").close()
        with motia.open("GET", "/x", query={"a": 1}) as answer:
            assert b"".join(answer) == b"one two"
        with motia.open("GET", "/whole", query={"a": 1}) as whole:
            assert list(whole) == [b'{"got":null,"query":{"a":"1"}}']
    left, read, _ = motia.runs
    assert "ended" in left.output["body"]
    assert read.output["body"] == {"parts": 2, "bytes": 7}


def test_an_error_before_the_first_part_or_amid_them_is_raised(motia: Motia) -> None:
    def handler(request: Any, ctx: Any) -> Any:
        yield "one"
        raise LookupError("not here")

    with serving(make_step(fails, http()), make_step(handler, http(path="/late"), name="Late")):
        with pytest.raises(LookupError, match="not here"):
            motia.open("GET", "/x")
        with motia.open("GET", "/late") as answer:
            assert next(answer) == b"one"
            with pytest.raises(LookupError, match="not here"):
                next(answer)
        with pytest.raises(StartsNothing, match="No URL"):
            motia.open("GET", "/nowhere")
        with pytest.raises(TypeError):
            motia.open("GET", "/x", jsn={})
        assert [run.status for run in motia.runs.of("Late")] == ["dead"]


def test_an_error_of_a_handler_is_raised_unless_the_answer_is_wanted(motia: Motia) -> None:
    with serving(make_step(fails, http())):
        with pytest.raises(LookupError, match="not here"):
            motia.http("GET", "/x")
        answer = motia.http("GET", "/x", raises=False)
    assert answer.status == 500
    assert isinstance(answer.error, LookupError)
    assert [run.status for run in motia.runs] == ["dead", "dead"]


def test_a_path_that_no_url_has_is_an_error_and_a_404_of_a_handler_is_none(motia: Motia) -> None:
    def handler(request: Any, ctx: Any) -> dict[str, Any]:
        return {"status": 404, "body": {"error": "no such order"}}

    with serving(make_step(handler, http("PUT", "/orders/:id/ship"))):
        assert motia.http("PUT", "/orders/17/ship").status == 404
        assert motia.http("GET", "/orders/17/ship").status == 405
        with pytest.raises(StartsNothing) as error:
            motia.http("PUT", "/order/:id/ship")
    assert "Did you mean 'PUT /orders/:id/ship'?" in str(error.value)
    assert str(error.value).endswith("The Steps answer:\n    PUT /orders/:id/ship")


# -- messages, ticks, changes


def test_a_message_runs_each_step_that_listens_and_not_what_they_cause(motia: Motia) -> None:
    def sends(input: Any, ctx: Any) -> str:
        ctx.enqueue("next", input)
        return "sent"

    first = make_step(sends, name="First", enqueues=["next"])
    others = make_step(name="Second"), make_step(nothing, {"type": "queue", "topic": "next"})
    with installed(first, *others):
        runs = motia.queue("work", {"n": 1})
        assert [(run.step, run.status) for run in runs] == [
            ("First", "succeeded"),
            ("Second", "succeeded"),
        ]
        assert runs[0].output == "sent"
        assert [(run.step, run.status) for run in motia.runs.of("Work")] == [("Work", "queued")]
        assert motia.enqueued("next") == [{"n": 1}]
        assert [each.topic for each in motia.messages] == ["work", "next"]


def test_an_error_is_told_without_its_module_as_everywhere_else(motia: Motia) -> None:
    def handler(input: Any, ctx: Any) -> None:
        raise Dead("no card")

    with installed(make_step(handler)):
        [run] = motia.queue("work", raises=False)
    assert (run.status, run.error, run.failures) == ("dead", "Dead: no card", ["Dead: no card"])


@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("is_light", [False, True], ids=["kept", "light"])
def test_what_an_attempt_fails_by_is_raised_where_it_was_called(
    motia: Motia, is_light: bool, retries: int
) -> None:
    record = "failures" if is_light else "all"
    trigger = {"type": "queue", "topic": "work", "config": {"maxRetries": retries}}
    with installed(make_step(fails, trigger, record=record)):
        with pytest.raises(LookupError, match="not here") as error:
            motia.queue("work")
        assert error.value.__notes__ == ["Attempt 1 of Work by queue work failed by it."]
        [run] = motia.queue("work", raises=False)
        status = "scheduled" if retries else "dead"
        assert (run.status, run.error) == (status, "LookupError: not here")
        assert repr(run) == f"<Work by queue work: {status}, LookupError: not here>"
        if retries:
            with pytest.raises(LookupError, match="not here") as error:
                motia.drain(scheduled=True)
            assert error.value.__notes__ == ["Attempt 2 of Work by queue work failed by it."]


def test_what_a_condition_raises_is_raised_though_its_run_is_tried_again(motia: Motia) -> None:
    def is_wanted(input: Any, ctx: Any) -> bool:
        raise LookupError("in the condition")

    trigger = {"type": "queue", "topic": "work", "condition": is_wanted}
    with installed(make_step(nothing, trigger)), pytest.raises(LookupError, match="condition"):
        motia.queue("work")


def test_another_try_that_a_handler_asks_for_is_no_error_until_none_is_left(motia: Motia) -> None:
    def waits(input: Any, ctx: Any) -> None:
        raise Retry("not yet", after=1)

    trigger = {"type": "queue", "topic": "work", "config": {"maxRetries": 2}}
    with installed(make_step(waits, trigger)):
        [run] = motia.queue("work")
        assert run.status == "scheduled"
        with pytest.raises(Retry, match="not yet"):
            motia.drain(scheduled=True)
        assert [run.status for run in motia.runs] == ["dead"]


def test_what_is_found_says_what_it_is(motia: Motia) -> None:
    with serving(make_step(lambda: {"body": "ä"}, http())):
        assert repr(motia.http("GET", "/x")) == '<Answer 200: "ä">'
        assert repr(motia.trace) == "<Trace\nWork by http GET /x: succeeded, 200>"


def test_a_death_that_another_step_has_handled_is_not_raised(motia: Motia) -> None:
    def calls(input: Any, ctx: Any) -> str:
        try:
            return str(ctx.invoke("Inner"))
        except LookupError:
            return "handled"

    with installed(
        make_step(calls), make_step(fails, {"type": "queue", "topic": "i"}, name="Inner")
    ):
        [run] = motia.queue("work")
    assert run.output == "handled"
    assert [each.status for each in motia.runs] == ["succeeded", "dead"]


def test_a_tick_is_that_of_the_schedules_that_are_due_then(motia: Motia) -> None:
    def handler(_: Any, ctx: Any) -> str:
        return f"{ctx.trigger.index} {ctx.trigger.scheduled_time:%H:%M}"

    with installed(make_step(handler, CRON, HOURLY)):
        assert [run.output for run in motia.cron("Work", at="2026-03-02 07:30")] == [
            "0 07:00",
            "1 07:00",
        ]
        assert [run.output for run in motia.cron("Work", at="2026-03-02 08:30")] == ["1 08:00"]
        assert motia.cron("Work") == []  # a tick has its run once


def test_a_change_is_from_what_was_there_to_what_is(motia: Motia) -> None:
    def handler(change: Any, ctx: Any) -> list[Any]:
        return [change.event_type, change.old_value, change.new_value]

    with installed(make_step(handler, {"type": "state", "groupId": "g"})):
        calls: list[tuple[Any, dict[str, Any]]] = [
            (1, {}), (2, {}), (3, {"old": 9}), (4, {"old": None}), (None, {}), (None, {"old": 7})
        ]  # fmt: skip
        told = [motia.state_change("g", "k", new, **old)[0].output for new, old in calls]
    assert told == [
        ["state:created", None, 1],
        ["state:updated", 1, 2],
        ["state:updated", 9, 3],
        ["state:created", None, 4],
        ["state:deleted", 4, None],
        ["state:deleted", 7, None],
    ]


def test_a_stream_is_written_deleted_and_sent_to(motia: Motia) -> None:
    def handler(change: Any, ctx: Any) -> list[Any]:
        return [change.event.type, change.id]

    step = make_step(handler, {"type": "stream", "streamName": "orders"})
    with installed(step, streams=[make_stream()]):
        runs = [
            *motia.stream_event("orders", "g", "1", {"n": 1}),
            *motia.stream_event("orders", "g", "1", None),
            *motia.stream_event("orders", "g", event="paid", data={"n": 2}),
        ]
        assert [run.output for run in runs] == [["create", "1"], ["delete", "1"], ["event", None]]
        assert motia.streamed("orders")[2] == (
            "event",
            "g",
            None,
            {"type": "paid", "data": {"n": 2}},
        )
        with pytest.raises(TypeError, match="expected an item"):
            motia.stream_event("orders", "g")


def test_what_is_not_there_is_named_with_what_is(motia: Motia) -> None:
    steps = (
        make_step(name="Nightly"),
        make_step(nothing, CRON, name="Daily"),
        make_step(nothing, {"type": "state", "groupId": "orders"}, name="Watch"),
    )
    with installed(*steps, streams=[make_stream()]):
        with pytest.raises(
            StartsNothing, match="topic 'werk'. Did you mean 'work'. There is 'work'"
        ):
            motia.queue("werk")
        with pytest.raises(UnknownStep, match="Did you mean 'Nightly'"):
            motia.cron("Nightli")
        with pytest.raises(StartsNothing, match="'Nightly' has no cron trigger.* There is 'Daily'"):
            motia.cron("Nightly")
        with pytest.raises(StartsNothing, match="state 'order/1'.* Did you mean 'orders/\\*'"):
            motia.state_change("order", "1", {})
        with pytest.raises(UnknownStream, match="Did you mean 'orders'"):
            motia.stream_event("order", "g", "1", {})
        with pytest.raises(StartsNothing, match="No Step watches the stream 'orders'"):
            motia.stream_event("orders", "g", "1", {})
        with pytest.raises(StartsNothing, match="No Step knows the topic 'works'"):
            motia.enqueued("works")
        with pytest.raises(UnknownStep, match="Did you mean 'Watch'"):
            motia.runs.of("Watsch")


# -- reads


def test_a_message_to_nobody_and_one_from_outside_are_read_alike(motia: Motia) -> None:
    with installed(make_step(enqueues=["unheard"])):
        assert motia.enqueued("unheard") == []
        data = {"n": [1]}
        enqueue("unheard", data)
        data["n"].append(2)
        enqueue("never.declared", "x", delaySeconds=5)
        assert motia.enqueued("unheard") == [{"n": [1]}]
        assert motia.enqueued("never.declared") == ["x"]
        assert motia.messages[1].delay_seconds == 5


def test_the_drawn_tree_marks_topics_that_nobody_hears_unless_the_step_lists_them(
    motia: Motia,
) -> None:
    def handler(input: Any, ctx: Any) -> None:
        ctx.enqueue([{"topic": "wrok"}, {"topic": "later"}, {"topic": "wrok"}])

    with installed(make_step(handler, enqueues=["later"])):
        [run] = motia.queue("work")
        assert run.unheard == ["wrok"]
        assert str(motia.trace) == "Work by queue work: succeeded\n   enqueue wrok -> nobody"
        assert motia.trace.in_full().count("wrok -> nobody") == 2


def test_logs_are_read_with_their_step_and_without_secrets(motia: Motia) -> None:
    def handler(input: Any, ctx: Any) -> None:
        ctx.logger.warn("Odd", {"n": 1, "password": "x"})

    with installed(make_step(handler)):
        motia.queue("work")
        [log] = motia.logs
        assert log[:2] == ("warning", "Odd")
        assert log.fields["n"] == 1 and log.fields["password"] != "x"
        assert motia.logs.of("Work") == [log]
        assert motia.runs[0].events[0].startswith('warning: Odd {"n":1,"password":')


def test_an_async_step_joins_the_tests_transaction(motia: Motia) -> None:
    async def handler(input: Any, ctx: Any) -> int:
        await ctx.state.set("g", "k", 1)
        return int(await User.objects.acount())

    User.objects.create(username="ada")
    with installed(make_step(handler)):
        [run] = motia.queue("work")
    assert run.output == 1
    assert motia.state.get("g", "k") == 1


def test_an_invocation_is_a_run_like_any_other(motia: Motia) -> None:
    with installed(make_step(lambda input: input["n"] * 2)):
        assert invoke("Work", {"n": 21}) == 42
        assert str(motia.trace) == "Work by invoke: succeeded"


# -- where state lives


def test_state_is_in_memory_where_the_settings_name_a_redis_and_empty_each_time() -> None:
    redis = {"BACKEND": "motia_django.stores.redis.RedisState"}
    with override_settings(MOTIA={"STATE": redis, "LEASE": 7}):
        for _ in range(2):
            with Motia() as motia:
                assert isinstance(state_store(), MemoryState)
                assert motia.state.list_groups() == []
                state.set("g", "k", 1)


def test_state_is_where_the_test_wants_it() -> None:
    with Motia(state="memory"):
        state.set("g", "k", 1)
        assert isinstance(state_store(), MemoryState)
    assert state.get("g", "k") is None
    with override_settings(MOTIA={"STATE": {"BACKEND": MEMORY_STATE}}):
        with Motia() as motia:
            assert motia.state.get("g", "k") is None
    with pytest.raises(ValueError, match="expected one of project, memory, or None, got 'redis'"):
        Motia(state="redis")


def test_who_follows_resumes_wherever_the_ids_of_the_log_have_got_to(motia: Motia) -> None:
    with serving_streams(make_stream("orders")):
        for _ in range(12):  # more than what a new log is taken to have lost
            motia.streams.orders.send("g", "said", 1)
        StreamEvent.objects.all().delete()  # as a test's own transaction is undone
        ada = motia.follow("orders", "g")
        motia.streams.orders.set("g", "a", {"n": 1})
        assert [each.type for each in ada.listen()] == ["create"]
        assert ada.listen() == []
        assert [each.type for each in ada.told] == ["sync", "create"]
        assert motia.follow("orders", "g", "a").told == [("sync", "g", "a", {"id": "a", "n": 1})]


def test_who_follows_resumes_though_the_log_begins_with_a_low_id(motia: Motia) -> None:
    with serving_streams(make_stream("orders")):
        log = {"stream": "orders", "group": "g", "kind": "event", "data": {}}
        StreamEvent.objects.create(id=5, **log)  # a test before had those below
        ada = motia.follow("orders", "g")
        StreamEvent.objects.create(id=6, **log)
        assert [each.type for each in ada.listen()] == ["event"]


def test_each_listening_joins_and_leaves(motia: Motia) -> None:
    said: list[str] = []
    hears = {
        "onJoin": lambda subscription, auth: said.append("joined"),
        "onLeave": lambda subscription, auth: said.append("left"),
    }
    with serving_streams(make_stream("orders", **hears)):
        ada = motia.follow("orders", "g")
        ada.listen()
    assert said == ["joined", "left"] * 2


@pytest.mark.parametrize("change", ["is_active", "password", "gone"])
def test_who_is_not_who_he_was_is_let_in_no_more(motia: Motia, change: str) -> None:
    ada = User.objects.create_user("ada", password="a")
    with serving_streams(make_stream("orders", canAccess=lambda _, auth: bool(auth))):
        follower = motia.follow("orders", "g", user=ada)
        ada.email = "ada@example.com"
        ada.save()
        assert (follower.listen(), follower.refused) == ([], False)
        if change == "is_active":
            ada.is_active = False
            ada.save()
        elif change == "password":
            ada.set_password("b")
            ada.save()
        else:
            ada.delete()
        motia.streams.orders.set("g", "i", {})
        assert (follower.listen(), follower.refused) == ([], True)


def test_who_is_no_user_of_the_table_is_who_he_was(motia: Motia) -> None:
    with serving_streams(make_stream("orders", canAccess=lambda _, auth: bool(auth))):
        follower = motia.follow("orders", "g", user=User(username="ada"))
        assert (follower.listen(), follower.refused) == ([], False)


def test_who_is_refused_anew_is_told_so_anew(motia: Motia) -> None:
    shut: set[str] = {"a"}
    with serving_streams(make_stream("orders", canAccess=lambda each: each.group_id not in shut)):
        ada = motia.follow([("orders", "a"), ("orders", "b")])
        assert [each.type for each in ada.told] == ["unauthorized", "sync"]
        shut.clear()
        assert {each.type for each in ada.listen()} == {"sync"}
        shut.add("a")
        assert [each.type for each in ada.listen()] == ["unauthorized"]


def test_several_are_followed_at_once_and_who_is_let_in_again_is_told_how_it_is(
    motia: Motia,
) -> None:
    shut: set[str] = set()

    def can_access(subscription: Any) -> bool:
        return subscription.group_id not in shut

    streams = [make_stream(name, canAccess=can_access) for name in ("sensors", "jobs")]
    with serving_streams(*streams):
        motia.streams.sensors.set_many("oslo/ø", {"a": {}, "b": {}})
        ada = motia.follow([("sensors", "oslo/ø"), ("jobs", "1", "x")])
        assert ada.told == [
            ("sync", "oslo/ø", None, [{"id": "a"}, {"id": "b"}]),
            ("sync", "1", "x", None),
        ]
        assert [each.stream for each in ada.told] == ["sensors", "jobs"]
        shut.add("oslo/ø")
        assert ada.listen() == [("unauthorized", "oslo/ø", None, None)]
        assert (ada.listen(), ada.refused) == ([], False)  # it is said once
        motia.streams.sensors.set("oslo/ø", "c", {})
        motia.streams.jobs.set("1", "x", {})
        assert [each.type for each in ada.listen()] == ["create"]
        shut.clear()
        synced, _ = ada.listen()
        assert [each["id"] for each in synced.data] == ["a", "b", "c"]
        shut.update(["oslo/ø", "1"])
        assert ada.listen() == []
        assert ada.refused
        shut.clear()
        came = [each.type for each in ada.listen()]
        assert (came, ada.status) == (["sync", "sync"], 200)
        limited = motia.follow([("sensors", "oslo/ø")], query={"limit": 1})
        assert [each.data for each in limited.told] == [[{"id": "c"}]]
        assert motia.follow(["jobs", "1"]).told == [("sync", "1", None, [{"id": "x"}])]
        assert [each.stream for each in motia.streamed("jobs")] == ["jobs"]
        with pytest.raises(UnknownStream, match="Did you mean 'jobs'"):
            motia.follow([("job", "1")])
