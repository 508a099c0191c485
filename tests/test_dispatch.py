from __future__ import annotations

import logging
import pickle
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from motia_django import Stream, aenqueue, dispatch, enqueue, models
from motia_django.exceptions import InvalidMessage, PayloadError, UndeclaredTopic, UnknownTopic
from motia_django.runs import Status
from motia_django.stores.face import state
from motia_django.triggers.state import StateChange
from tests.factories import (
    deliver,
    installed,
    make_step,
    make_stream,
    nothing,
    published,
    row,
    rows,
    work_off,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def listener() -> Iterator[None]:
    with installed(make_step()):
        yield


@pytest.mark.parametrize(
    "call",
    [
        lambda: enqueue({"topic": "work", "data": {"n": 1}}),
        lambda: enqueue("work", {"n": 1}),
        lambda: enqueue(topic="work", data={"n": 1}),
        lambda: enqueue([{"topic": "work", "data": {"n": 1}}]),
    ],
)
def test_a_message_can_be_written_in_every_way(listener: None, call: Any) -> None:
    [run_id] = call()
    run = row(run_id)
    assert (run.step, run.trigger, run.source, run.input) == ("Work", "queue", "work", {"n": 1})
    assert run.status == Status.QUEUED
    assert len(run.trace_id) == 32


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"topc": "work"}, "unknown key 'topc'. Did you mean 'topic'?"),
        ({"data": 1}, "topic: expected a string that is not empty, got None"),
        ({"topic": ""}, "topic: expected a string"),
        ({"topic": "work", "delaySeconds": -1}, "delaySeconds: expected a number, 0 or greater"),
        ({"topic": "work", "delaySeconds": "soon"}, "got 'soon'"),
        (7, 'expected {"topic": ..., "data": ...}, got 7'),
        (["work"], "got 'work'"),
    ],
)
def test_what_is_no_message_is_refused_and_says_why(
    listener: None, message: Any, says: str
) -> None:
    with pytest.raises(InvalidMessage) as error:
        enqueue(message)
    assert says in str(error.value)
    assert rows() == []


def test_a_message_with_data_beside_it_is_refused(listener: None) -> None:
    with pytest.raises(InvalidMessage, match="not both"):
        enqueue({"topic": "work"}, {"n": 1})
    assert rows() == []


@pytest.mark.parametrize("data", [object(), float("nan"), {"x": float("inf")}, b"bytes", "\ud800"])
def test_data_that_json_cannot_hold_is_refused(listener: None, data: Any) -> None:
    with pytest.raises(PayloadError, match=r"^enqueue: the data of 'work': "):
        enqueue("work", data)
    assert rows() == []


def test_what_json_cannot_hold_is_said_of_its_message(listener: None) -> None:
    bad = {"topic": "work", "data": {"items": [1, {"owner": object()}]}}
    with pytest.raises(PayloadError, match=r"the data of 'work': items\.1\.owner: <object"):
        enqueue([{"topic": "work", "data": 1}, bad])
    assert rows() == []


def test_one_bad_message_of_a_list_sends_none(listener: None) -> None:
    with pytest.raises(InvalidMessage):
        enqueue([{"topic": "work"}, {"topic": "work", "dta": 1}])
    assert rows() == []


def test_every_subscriber_gets_its_own_run() -> None:
    with installed(make_step(name="A"), make_step(name="B")):
        ids = enqueue("work", {"n": 1})
    assert sorted(row(each).step for each in ids) == ["A", "B"]
    assert len({row(each).id for each in ids}) == 2


def test_a_topic_that_nobody_hears_creates_nothing(listener: None) -> None:
    assert enqueue("silence", {}) == []
    assert rows() == []


def test_a_message_may_wait() -> None:
    with installed(make_step()):
        [run_id] = enqueue({"topic": "work", "delaySeconds": 60})
    run = row(run_id)
    assert run.status == Status.SCHEDULED
    assert run.wake_at is not None
    assert (run.wake_at - run.created_at).total_seconds() >= 60


def test_a_trigger_may_make_its_messages_wait() -> None:
    trigger = {"type": "queue", "topic": "work", "config": {"delaySeconds": 30}}
    with installed(make_step(nothing, trigger)):
        [run_id] = enqueue("work")
    assert row(run_id).status == Status.SCHEDULED


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_transaction_sends_nothing(listener: None) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue("work")
        state.set("g", "k", 1)
        raise ZeroDivisionError
    assert rows() == []
    assert state.get("g", "k") is None


@pytest.mark.django_db(transaction=True)
def test_an_inner_rollback_takes_only_its_own_messages(listener: None) -> None:
    with transaction.atomic():
        enqueue("work", "kept")
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            enqueue("work", "gone")
            raise ZeroDivisionError
    assert [each.input for each in rows()] == ["kept"]


def test_messages_of_a_step_belong_to_its_trace() -> None:
    def pass_on(input: Any, ctx: Any) -> None:
        ctx.enqueue("work", {"from": "first"})

    first = make_step(pass_on, {"type": "queue", "topic": "begin"}, name="First", enqueues=["work"])
    with installed(first, make_step()):
        [run_id] = enqueue("begin")
        deliver([run_id])
    begun, caused = row(run_id), rows(step="Work")[0]
    assert caused.trace_id == begun.trace_id
    assert (caused.parent_id, caused.depth) == (begun.id, 1)
    assert begun.timeline[0]["kind"] == "enqueue"
    assert begun.timeline[0]["steps"] == ["Work"]


def test_a_message_whose_key_is_held_is_noted_with_the_run_that_holds_it() -> None:
    def pass_on(input: Any, ctx: Any) -> None:
        held = {"topic": "work", "data": 1, "dedupeKey": "k"}
        ctx.enqueue([held, {"topic": "other"}, held, {"topic": "work"}])

    begin = {"type": "queue", "topic": "begin"}
    first = make_step(pass_on, begin, name="First", enqueues=["work", "other"])
    other = make_step(lambda input: None, {**begin, "topic": "other"}, name="Other")
    with installed(first, make_step(), other):
        deliver(enqueue("begin"))
    born = rows(step="Work")[0]
    noted = rows(step="First")[0].timeline
    assert [(each["topic"], each["steps"], each.get("run_id")) for each in noted] == [
        ("work", ["Work"], None),
        ("other", ["Other"], None),
        ("work", ["Work"], str(born.id)),
        ("work", ["Work"], None),
    ]
    assert len(rows(step="Work")) == 2


def test_of_two_who_listen_only_the_one_whose_key_is_held_is_noted_so() -> None:
    def pass_on(input: Any, ctx: Any) -> None:
        ctx.enqueue({"topic": "work", "dedupeKey": "k"})

    begin = {"type": "queue", "topic": "begin"}
    steps = make_step(pass_on, begin, name="First", enqueues=["work"]), make_step()
    with installed(*steps):
        [held] = enqueue({"topic": "work", "dedupeKey": "k"})
    with installed(*steps, make_step(name="Another")):
        deliver(enqueue("begin"))
    noted = rows(step="First")[0].timeline
    assert [(each["steps"], each.get("run_id")) for each in noted] == [
        (["Another"], None),
        (["Work"], held),
    ]


@pytest.fixture
def talkative() -> Iterator[None]:
    def pass_on(input: Any, ctx: Any) -> None:
        ctx.enqueue("work")

    first = make_step(pass_on, {"type": "queue", "topic": "begin"}, name="First", enqueues=["wrk"])
    with installed(first, make_step()):
        yield


def test_an_undeclared_topic_is_sent_with_a_warning(
    talkative: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "motia.dispatch"):
        logging.getLogger("motia").propagate = True
        deliver(enqueue("begin"))
    assert "Step 'First' enqueued to 'work'" in caplog.text
    assert "Did you mean 'wrk'?" in caplog.text
    assert len(rows(step="Work")) == 1


def test_an_undeclared_topic_can_be_an_error(talkative: None, settings: Any) -> None:
    settings.MOTIA = {"UNDECLARED_TOPICS": "error"}
    [run_id] = enqueue("begin")
    deliver([run_id])
    assert UndeclaredTopic.__name__ in row(run_id).error
    assert rows(step="Work") == []


def test_an_undeclared_topic_can_be_nobodys_business(
    talkative: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.MOTIA = {"UNDECLARED_TOPICS": "allow"}
    deliver(enqueue("begin"))
    assert "enqueued to" not in caplog.text


# -- topics that nobody hears


def test_a_topic_that_nobody_hears_is_warned_of_with_the_nearest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logging.getLogger("motia").propagate = True
    with installed(make_step()):
        assert enqueue("wrok", 1) == []
    [told] = [each for each in caplog.records if each.name == "motia.dispatch"]
    assert told.levelname == "WARNING"
    assert told.getMessage() == (
        "Nobody listens on the topic 'wrok', so no run is made. Did you mean 'work'?"
    )


def test_a_topic_that_nobody_hears_can_be_an_error_and_nothing_of_its_list_is_sent(
    settings: Any,
) -> None:
    settings.MOTIA = {"UNHEARD_TOPICS": "error"}
    text = "the topic 'wrok'. Did you mean 'work'?"
    with installed(make_step()):
        with pytest.raises(UnknownTopic, match=re.escape(text)) as raised:
            enqueue([{"topic": "work"}, {"topic": "wrok"}])
        assert pickle.loads(pickle.dumps(raised.value)).known == ["work"]
        assert rows() == []
        assert len(enqueue("work")) == 1


def test_a_topic_that_nobody_hears_can_be_nobodys_business(settings: Any, caplog: Any) -> None:
    settings.MOTIA = {"UNHEARD_TOPICS": "ignore"}
    logging.getLogger("motia").propagate = True
    with installed(make_step()), caplog.at_level(logging.DEBUG, "motia.dispatch"):
        assert enqueue("wrok") == []
    assert caplog.text == ""


@pytest.mark.parametrize("topic", ["later", "latre"])
def test_a_step_may_send_to_what_it_lists_though_nobody_hears_it_yet(
    topic: str, settings: Any, caplog: Any
) -> None:
    settings.MOTIA = {"UNHEARD_TOPICS": "error"}
    logging.getLogger("motia").propagate = True
    step = make_step(lambda input, ctx: ctx.enqueue(topic), enqueues=["later"])
    with installed(step), caplog.at_level(logging.INFO, "motia.dispatch"):
        [run_id] = enqueue("work")
        deliver([run_id])
    assert ("UnknownTopic" in row(run_id).error) == (topic == "latre")
    told = [each for each in caplog.records if each.getMessage().startswith("Nobody listens")]
    assert [each.levelname for each in told] == (["INFO"] if topic == "later" else [])


def test_a_loop_of_steps_ends_and_names_itself(settings: Any) -> None:
    settings.MOTIA = {"MAX_DEPTH": 5}

    def again(input: Any, ctx: Any) -> None:
        ctx.enqueue("work")

    with installed(make_step(again, enqueues=["work"])):
        enqueue("work")
        work_off()
    runs = rows()
    assert [run.depth for run in runs] == [0, 1, 2, 3, 4, 5, 6]
    assert [run.status for run in runs] == [Status.SUCCEEDED] * 6 + [Status.DEAD]
    assert "TooDeep" in runs[-1].error
    assert "'Work' by 'work'" in runs[-1].error
    assert '"newTrace": True' in runs[-1].error
    assert "raise MAX_DEPTH. A redrive of this run begins a new chain" in runs[-1].error


def test_a_chain_of_hundreds_of_runs_is_no_loop() -> None:
    def handler(left: Any, ctx: Any) -> None:
        if left:
            ctx.enqueue("work", left - 1)

    with installed(make_step(handler, enqueues=["work"])):
        enqueue("work", 300)
        work_off(rounds=400)
    assert {run.status for run in rows()} == {Status.SUCCEEDED}


@pytest.mark.parametrize("key", ["newTrace", "new_trace"])
def test_a_message_can_begin_a_new_chain_whose_cause_is_known(key: str) -> None:
    def pass_on(input: Any, ctx: Any) -> None:
        ctx.enqueue("work", 1, **{key: True})

    first = make_step(pass_on, {"type": "queue", "topic": "begin"}, name="First", enqueues=["work"])
    with installed(first, make_step(), make_step(name="Other")):
        enqueue("begin")
        work_off()
    [begun], caused = rows(step="First"), rows(source="work")
    assert [(run.parent_id, run.depth) for run in caused] == [(begun.id, 0)] * 2
    [trace_id] = {run.trace_id for run in caused}
    assert trace_id != begun.trace_id


def test_a_chain_that_begins_anew_is_as_long_as_it_likes(settings: Any) -> None:
    settings.MOTIA = {"MAX_DEPTH": 4}

    async def handler(left: Any, ctx: Any) -> None:
        if left:
            await ctx.enqueue({"topic": "work", "data": left - 1, "newTrace": left % 3 == 0})

    with installed(make_step(handler, enqueues=["work"])):
        enqueue("work", 12, newTrace=True)
        work_off()
    assert [run.status for run in rows()] == [Status.SUCCEEDED] * 13
    assert len({run.trace_id for run in rows()}) == 5


def test_a_loop_through_state_ends_too(settings: Any) -> None:
    settings.MOTIA = {"MAX_DEPTH": 3}

    def count_up(change: Any, ctx: Any) -> None:
        ctx.state.set(change.group_id, change.item_id, change.new_value + 1)

    with installed(make_step(count_up, {"type": "state", "groupId": "loop"})):
        state.set("loop", "k", 1)
        work_off()
    assert rows()[-1].status == Status.DEAD
    assert len(rows()) == 5


def test_a_change_of_state_starts_who_watches_it() -> None:
    seen: list[Any] = []

    def watch(change: Any, ctx: Any) -> None:
        seen.append((change.event_type, change.item_id, change.old_value, change.new_value))

    with installed(make_step(watch, {"type": "state", "groupId": "orders"})):
        state.set("orders", "1", {"s": "new"})
        state.set("orders", "1", {"s": "paid"})
        state.set("orders", "1", {"s": "paid"})
        state.set("others", "1", {"s": "new"})
        state.delete("orders", "1")
        state.delete("orders", "1")
        work_off()
    assert seen == [
        ("state:created", "1", None, {"s": "new"}),
        ("state:updated", "1", {"s": "new"}, {"s": "paid"}),
        ("state:deleted", "1", {"s": "paid"}, None),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_told_of_again_by_the_same_name_starts_nobody_again() -> None:
    change = StateChange(group_id="g", item_id="k", new_value=1)
    light = [
        make_step(nothing, {"type": "state"}, name=name, record="failures")
        for name in ("Work", "Other")
    ]
    with installed(*light), published() as sent:
        first = dispatch.state_changed(change, once="17")
        assert dispatch.state_changed(change, once="17") == []
        other = dispatch.state_changed(change, once="18")
    assert len(first) == len(other) == 2
    assert sorted(sent) == sorted(first + other) == sorted(str(run.id) for run in rows())


def test_a_write_that_changes_nothing_counts_if_asked_to() -> None:
    with installed(make_step(nothing, {"type": "state", "onNoop": True})):
        state.set("g", "k", 1)
        state.set("g", "k", 1)
    assert len(rows()) == 2


def test_filters_narrow_a_state_trigger() -> None:
    trigger = {"type": "state", "groupId": "g", "key": "a", "events": ["deleted"]}
    with installed(make_step(nothing, trigger)):
        for key in ("a", "b"):
            state.set("g", key, 1)
            state.delete("g", key)
    assert [run.source for run in rows()] == ["g/a"]


def test_a_plain_condition_keeps_unwanted_changes_from_making_runs() -> None:
    trigger = {"type": "state", "condition": lambda change: change.groupId == "orders"}
    with installed(make_step(nothing, trigger)):
        state.set("todos", "1", 1)
        state.set("orders", "1", 1)
    assert [run.source for run in rows()] == ["orders/1"]


def test_a_plain_condition_keeps_unwanted_events_of_a_stream_from_making_runs() -> None:
    trigger = {"type": "stream", "streamName": "s", "condition": lambda change: change.id == "2"}
    with installed(make_step(nothing, trigger), streams=[make_stream("s")]):
        for item in ("1", "2"):
            Stream("s").set("g", item, {"n": 1})
    assert [run.source for run in rows()] == ["s/g/2"]


@pytest.mark.django_db(transaction=True)
def test_a_light_step_is_told_what_was_written_whatever_the_writer_does_with_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("motia_django.broker.Sender.send", lambda _, run: sent.append(run.input))
    watch = make_step(nothing, {"type": "state"}, name="Watch", record="failures")
    follow = make_step(nothing, {"type": "stream", "streamName": "s"}, record="failures")
    with installed(watch, follow, streams=[make_stream("s")]), transaction.atomic():
        state.set("g", "k", {"n": 1})["new_value"]["n"] = 99
        Stream("s").set("g", "k", {"n": 1})["new_value"]["n"] = 99
    assert sent[0]["newValue"] == {"n": 1}
    assert sent[1]["event"]["data"] == {"id": "k", "n": 1}


def test_a_condition_may_alter_what_it_is_asked_about() -> None:
    def alters(change: Any) -> bool:
        change.new_value.clear()
        return True

    watch = make_step(nothing, {"type": "state", "condition": alters}, name="Watch")
    other = make_step(nothing, {"type": "state"}, name="Other")
    with installed(watch, other):
        assert state.set("g", "k", {"n": 1})["new_value"] == {"n": 1}
        assert [each.input["newValue"] for each in rows()] == [{"n": 1}, {"n": 1}]


def test_a_condition_that_raises_fails_the_run_not_the_writer() -> None:
    def broken(change: Any) -> bool:
        raise RuntimeError("broken condition")

    trigger = {"type": "state", "condition": broken, "config": {"maxRetries": 0}}
    with installed(make_step(nothing, trigger)):
        state.set("g", "k", 1)
        work_off()
    assert state.get("g", "k") == 1
    assert "broken condition" in rows()[0].error


def test_an_eager_celery_runs_steps_at_once_delays_and_retries_included(
    settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    tries: list[int] = []

    def fail_twice(input: Any, ctx: Any) -> None:
        tries.append(ctx.attempt)
        if ctx.attempt < 3:
            raise ValueError("not yet")

    settings.CELERY_TASK_ALWAYS_EAGER = True
    with installed(make_step(fail_twice)), django_capture_on_commit_callbacks(execute=True):
        [run_id] = enqueue({"topic": "work", "delaySeconds": 60})
    assert tries == [1, 2, 3]
    assert row(run_id).status == Status.SUCCEEDED


def test_an_eager_loop_ends_as_every_other(
    settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    def again(input: Any, ctx: Any) -> None:
        ctx.enqueue("work")

    settings.CELERY_TASK_ALWAYS_EAGER = True
    settings.MOTIA = {"MAX_DEPTH": 64}
    with installed(make_step(again, enqueues=["work"])):
        with django_capture_on_commit_callbacks(execute=True):
            enqueue("work")
    statuses = [run.status for run in rows()]
    assert statuses == [Status.SUCCEEDED] * 65 + [Status.DEAD]


def test_a_list_is_inserted_in_bulk(listener: None, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(12):
        enqueue([{"topic": "work", "data": number} for number in range(400)])
    assert models.Run.objects.count() == 400


@pytest.mark.django_db(transaction=True)
def test_async_callers_have_a_twin(listener: None) -> None:
    from asgiref.sync import async_to_sync

    [run_id] = async_to_sync(aenqueue)("work", {"n": 1})
    assert row(run_id).input == {"n": 1}


def test_what_makes_an_order_or_a_limit_another_than_was_meant_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fifo = {"type": "queue", "topic": "work", "config": {"type": "fifo"}}
    keyed = {
        "type": "queue",
        "topic": "work",
        "config": {"concurrency": {"limit": 2, "key": "n.id"}},
    }
    cron = {"type": "cron", "schedule": "0 7 * * *", "config": {"type": "fifo"}}
    steps = [
        make_step(nothing, fifo, cron, name="Ungrouped"),
        make_step(nothing, keyed, name="Keyed"),
    ]
    with installed(*steps), caplog.at_level(logging.WARNING, "motia.dispatch"):
        enqueue("work", {"n": {"id": 1}}, messageGroupId="a")
        assert caplog.messages == []
        lacking: list[Any] = [{"n": 1}, None, {"n": {}}]
        enqueue([{"topic": "work", "data": each} for each in lacking])
    ungrouped, unkeyed = caplog.messages
    assert ungrouped.startswith("Step 'Ungrouped' keeps the order of each message group, and")
    assert unkeyed.startswith("Step 'Keyed' counts its runs by 'n.id', and some messages have none")
