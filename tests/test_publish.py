from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from celery import _state
from celery.signals import after_task_publish, before_task_publish
from django.db import OperationalError, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis.strategies import (
    booleans,
    dictionaries,
    floats,
    integers,
    lists,
    none,
    recursive,
    sampled_from,
    text,
)
from kombu import Queue
from kombu.exceptions import OperationalError as BrokerError
from kombu.serialization import register, register_json, unregister
from kombu.transport import redis as transport
from redis import Redis

from motia_django import broker as carrier
from motia_django import enqueue, ledger, models, publish
from motia_django.celery_app import project_app
from motia_django.roads import Road, Way, long_road, routed
from motia_django.runs import Run
from motia_django.upkeep import upkeep
from tests.browser.proxy import proxy
from tests.factories import (
    deliver,
    heard,
    installed,
    make_run,
    make_step,
    nothing,
    routing,
    row,
    rows,
    unheard,
)
from tests.servers import fresh_rabbitmq, fresh_redis

pytestmark = pytest.mark.django_db(transaction=True)

KOMBUS = ("__type__", "__value__")
"""The keys of the dicts that kombu writes what JSON lacks as."""


@pytest.fixture(autouse=True)
def listener() -> Iterator[None]:
    with installed(make_step()):
        yield


def taken(name: str = "celery") -> list[Any]:
    """Take the messages off a queue."""
    messages = []
    with project_app().connection_for_read() as connection:
        queue = connection.SimpleQueue(name)
        try:
            while True:
                messages.append(queue.get(block=False))
                messages[-1].ack()
        except queue.Empty:
            queue.close()
    return messages


def awaited(least: int) -> list[Any]:
    """Take at least so many messages, which a broker may take its time to hand out."""
    messages: list[Any] = []
    while len(messages) < least:
        messages += taken()
    return messages


def arrived(least: int) -> list[str]:
    """Take the messages of at least so many runs, which a broker may take its time to hand out."""
    ids: list[str] = []
    while len(set(ids)) < least:
        ids += [message.headers["id"] for message in taken()]
    return ids


@pytest.fixture(autouse=True)
def clean_broker() -> None:
    taken()


def test_a_message_carries_the_runs_id_and_nothing_else() -> None:
    [run_id] = enqueue("work", {"secret": "x"})
    [message] = taken()
    assert message.headers["task"] == "motia.Work"
    assert message.headers["id"] == run_id
    assert message.payload[0] == [run_id]
    assert "secret" not in str(message.payload)


def test_a_message_is_published_when_the_transaction_commits_and_not_before() -> None:
    with transaction.atomic():
        enqueue("work")
        assert taken() == []
    assert len(taken()) == 1


def test_a_rolled_back_transaction_publishes_nothing() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue("work")
        raise ZeroDivisionError
    assert taken() == []


def test_a_block_that_is_rolled_back_within_another_publishes_nothing_of_its_own() -> None:
    light = {"type": "queue", "topic": "light"}
    with installed(make_step(), make_step(nothing, light, name="L", record="failures")):
        with transaction.atomic():
            ids = enqueue([{"topic": "work"}, {"topic": "light"}])
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                enqueue([{"topic": "work"}, {"topic": "light"}])
                raise ZeroDivisionError
            with transaction.atomic(), transaction.atomic(savepoint=False):
                ids += enqueue([{"topic": "light"}, {"topic": "work"}])
        assert [message.headers["id"] for message in taken()] == ids


def test_a_trigger_chooses_its_celery_queue() -> None:
    trigger = {"type": "queue", "topic": "heavy", "config": {"queue": "gpu"}}
    with installed(make_step(nothing, trigger, name="Heavy")):
        enqueue("heavy")
    with project_app().connection_for_read() as connection:
        queue = connection.SimpleQueue("gpu")
        assert queue.get(block=False).headers["task"] == "motia.Heavy"


def test_the_most_urgent_is_taken_first_from_a_real_redis(
    broker: Any, redis_server: str, settings: Any
) -> None:
    settings.MOTIA = {"PUBLISH_TIMEOUT": 10}
    broker(fresh_redis())
    steps = [
        make_step(
            nothing,
            {"type": "queue", "topic": "all", "config": {"priority": priority}},
            name=f"P{priority}",
        )
        for priority in (0, 3, 6, 9)
    ]
    with installed(*steps):
        enqueue("all")
        assert [each.headers["task"] for each in taken()] == [
            "motia.P9",
            "motia.P6",
            "motia.P3",
            "motia.P0",
        ]


def test_the_most_urgent_is_taken_first_from_a_real_rabbitmq(
    broker: Any, rabbitmq_server: str, settings: Any
) -> None:
    settings.MOTIA = {"PUBLISH_TIMEOUT": 10}
    broker(fresh_rabbitmq())
    steps = [
        make_step(
            nothing,
            {"type": "queue", "topic": "all", "config": {"priority": priority, "queue": "ranked"}},
            name=f"P{priority}",
        )
        for priority in (1, 9, 5)
    ]
    arguments = {"x-max-priority": 9}
    with installed(*steps), project_app().connection_for_write() as connection:
        channel: Any = connection.default_channel
        queue = Queue("ranked", durable=True, queue_arguments=arguments, channel=channel)
        queue.declare()
        project_app().amqp.queues.add(queue)
        enqueue("all")
        while channel.queue_declare("ranked", passive=True).message_count < len(steps):
            time.sleep(0.01)
        order = [message.headers["task"] for message in iter(partial(queue.get, no_ack=True), None)]
    assert order == ["motia.P9", "motia.P5", "motia.P1"]


def test_a_broker_that_refuses_loses_nothing_and_breaks_nothing(
    broker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("motia").propagate = True
    broker("redis://127.0.0.1:1/0")
    [run_id] = enqueue("work", 1)
    assert "upkeep will try again" in caplog.text
    run = row(run_id)
    assert run.status == "queued"
    assert run.wake_at is not None
    assert run.wake_at <= timezone.now()

    broker("memory://")
    assert upkeep() == 1
    assert [message.headers["id"] for message in taken()] == [run_id]
    assert row(run_id).publishes == 1


def test_it_is_said_once_that_the_broker_is_down_until_it_was_up_again(
    broker: Any, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("motia").propagate = True
    broker("redis://127.0.0.1:1/0")
    enqueue("work")
    for _ in range(2):
        ledger.publish_soon(run.id for run in rows())
        assert upkeep() == 1
    assert caplog.text.count("upkeep will try again") == 1

    broker("memory://")
    enqueue("work")
    broker("redis://127.0.0.1:1/0")
    enqueue("work")
    assert caplog.text.count("upkeep will try again") == 2


@pytest.fixture
def black_hole() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        held: list[Any] = []

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept())
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_never_answers_does_not_hold_the_caller(
    broker: Any, black_hole: int, scheme: str
) -> None:
    broker(f"{scheme}://127.0.0.1:{black_hole}/")
    [run_id] = enqueue("work")
    assert row(run_id).status == "queued"


def test_after_a_failure_requests_do_not_try_for_a_while_but_upkeep_does(broker: Any) -> None:
    broker("redis://127.0.0.1:1/0")
    enqueue("work")
    conf: Any = project_app().conf
    conf.broker_url = conf.broker_write_url = conf.broker_read_url = "memory://"
    carrier._pool.cache_clear()
    enqueue("work")
    assert taken() == []
    assert upkeep() == 2
    assert len(taken()) == 2
    enqueue("work")
    assert len(taken()) == 1


def test_a_wiped_broker_loses_nothing() -> None:
    [run_id] = enqueue("work")
    assert len(taken()) == 1  # and nobody ran it
    assert upkeep() == 0
    models.Run.objects.filter(id=run_id).update(wake_at=timezone.now())
    assert upkeep() == 1
    assert [message.headers["id"] for message in taken()] == [run_id]


def test_a_run_whose_step_this_process_does_not_know_stays_queued() -> None:
    [run_id] = enqueue("work")
    taken()
    models.Run.objects.update(step="Renamed", wake_at=timezone.now())
    upkeep()
    assert taken() == []
    assert row(run_id).status == "queued"


def test_the_order_of_a_list_is_kept() -> None:
    ids = enqueue([{"topic": "work", "data": number} for number in range(20)])
    assert [message.headers["id"] for message in taken()] == ids
    assert [run.input for run in rows()] == list(range(20))


def test_publishing_nothing_asks_nobody(broker: Any) -> None:
    broker("redis://127.0.0.1:1/0")
    publish.publish_on_commit([])
    assert ledger.take_due(10) == []


def test_a_large_fan_out_does_not_hold_the_caller_and_loses_nothing(settings: Any) -> None:
    settings.MOTIA = {"PUBLISH_TIMEOUT": 0.005}
    carrier._pool.cache_clear()
    ids = enqueue([{"topic": "work"} for _ in range(600)])
    sent = [message.headers["id"] for message in taken()]
    assert len(sent) < len(ids)
    while upkeep():
        pass
    sent += [message.headers["id"] for message in taken()]
    assert sorted(sent) == sorted(ids)


def test_a_database_that_fails_just_after_the_commit_breaks_no_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the server has gone away")

    monkeypatch.setattr(publish, "_send_or_leave", fail)
    with transaction.atomic():
        [run_id] = enqueue("work")
    assert ledger.rows(id=run_id).get().status == "queued"
    assert "the server has gone away" in caplog.text


def test_a_list_goes_to_a_real_redis_in_its_order_each_with_celerys_signals(
    broker: Any, redis_server: str, settings: Any
) -> None:
    settings.MOTIA = {"PUBLISH_TIMEOUT": 10}
    broker(fresh_redis())
    told: list[str] = []

    def tell(sender: str, headers: dict[str, Any], **kwargs: Any) -> None:
        told.append(headers["id"])

    with heard(before_task_publish, tell), heard(after_task_publish, tell):
        ids = enqueue([{"topic": "work", "data": number} for number in range(250)])
    assert [message.headers["id"] for message in taken()] == ids
    assert told == [run_id for run_id in ids for _ in range(2)]


def test_a_signal_is_shown_the_arguments_and_not_the_bytes_that_are_sent() -> None:
    shown = []

    def look(sender: str, body: Any, **kwargs: Any) -> None:
        shown.append(body[0])

    with heard(before_task_publish, look), heard(after_task_publish, look):
        [run_id] = enqueue("work")
    assert shown == [(run_id,)] * 2
    [message] = taken()
    assert message.payload[0] == [run_id]


def test_a_signal_is_shown_all_headers_that_celery_promises() -> None:
    shown: list[set[str]] = []

    def look(sender: str, headers: dict[str, Any], **kwargs: Any) -> None:
        shown.append({*headers})

    with heard(before_task_publish, look):
        enqueue("work")
    assert shown[0] >= {"eta", "expires", "group", "parent_id", "shadow", "timelimit"}


@pytest.mark.parametrize(
    "data",
    [
        {"__type__": "uuid", "__value__": {"hex": "0" * 32, "version": 4}},
        [{"__type__": "datetime", "__value__": "never"}],
        {"said": '{"__type__": 1}', "deep": {"__type__": "nothing", "__value__": 2**70}},
    ],
)
def test_data_that_looks_like_what_kombu_writes_arrive_as_they_were_sent(data: Any) -> None:
    with installed(make_step(record="failures")):
        enqueue("work", data)
    [message] = taken()
    assert Run.from_message(*message.payload[0]).input == data


@pytest.mark.parametrize("content_type", ["text/shouted", "application/json"])
def test_a_serializer_of_the_projects_own_is_heeded(
    monkeypatch: pytest.MonkeyPatch, content_type: str
) -> None:
    register("shouted", lambda body: json.dumps(body).upper(), json.loads, content_type, "utf-8")
    task = project_app().tasks["motia.Work"]
    monkeypatch.setattr(task, "serializer", "shouted")
    monkeypatch.setattr(task, "_exec_options", None)
    carrier._way.cache_clear()
    try:
        with unheard():
            [run_id] = enqueue("work")
    finally:
        carrier._way.cache_clear()
        unregister("shouted")
        register_json()
    [message] = taken()
    assert message.content_type == content_type
    assert run_id.upper() in message.body.decode()


def test_what_a_signal_adds_to_a_message_arrives_with_it() -> None:
    def add(sender: str, headers: dict[str, Any], **kwargs: Any) -> None:
        headers["tenant"] = "acme"

    with heard(before_task_publish, add):
        enqueue([{"topic": "work"}, {"topic": "work"}])
    assert [message.headers["tenant"] for message in taken()] == ["acme", "acme"]


def test_a_list_that_a_broker_never_takes_is_left_to_upkeep_as_a_whole(
    broker: Any, black_hole: int
) -> None:
    broker(f"redis://127.0.0.1:{black_hole}/")
    light = make_step(nothing, {"type": "queue", "topic": "light"}, name="L", record="failures")
    with installed(make_step(), light):
        enqueue([{"topic": topic} for topic in ("work", "light", "work", "light")])
        assert [run.step for run in rows()] == ["Work", "L", "Work", "L"]
        assert {run.status for run in rows()} == {"queued"}
        publish._down_until = 0.0
        broker("memory://")
        assert upkeep() == 4
        assert sorted(message.headers["id"] for message in taken()) == sorted(
            str(run.id) for run in rows()
        )


@pytest.mark.skipif(not hasattr(transport, "PublishBatch"), reason="kombu 5.7 is the first with it")
def test_a_batch_of_which_nobody_knows_what_arrived_is_sent_again_and_run_once(
    broker: Any, redis_server: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MOTIA = {"PUBLISH_TIMEOUT": 10}
    broker(fresh_redis())
    batches: Any = vars(transport)["PublishBatch"]
    flush, done = batches.flush, []

    def lose_the_answer(batch: Any) -> None:
        flush(batch)
        raise BrokerError("the answer was lost")

    def note(input: Any, ctx: Any) -> None:
        done.append(input)

    with installed(make_step(note)):
        with monkeypatch.context() as patched:
            patched.setattr(batches, "flush", lose_the_answer)
            ids = enqueue([{"topic": "work", "data": number} for number in range(3)])
        assert upkeep() == 2
        delivered = [message.headers["id"] for message in taken()]
        assert sorted(delivered) == sorted([*ids, *ids[1:]])
        deliver(delivered)
    assert sorted(done) == [0, 1, 2]


@pytest.mark.parametrize(
    "routed",
    [
        {"motia.*": {"queue": "gpu"}},
        [{"other.*": {"queue": "other"}}, {"motia.Work": {"queue": "gpu"}}],
        lambda name, args, *rest, **more: {"queue": "gpu"} if args else None,
    ],
    ids=["by pattern", "by name", "by the arguments"],
)
def test_the_projects_routes_are_heeded(routed: Any) -> None:
    with routing(task_routes=routed):
        ids = enqueue([{"topic": "work"}, {"topic": "work"}])
    assert taken() == []
    assert [message.headers["id"] for message in taken("gpu")] == ids


def test_who_has_put_himself_in_the_place_of_celerys_sending_is_asked_for_each_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app: Any = project_app()
    send_task, asked = type(app).send_task, []

    def wrapped(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs["task_id"])
        return send_task(self, name, *args, **kwargs)

    monkeypatch.setattr(type(app), "send_task", wrapped)
    ids = enqueue([{"topic": "work"}, {"topic": "work"}])
    assert asked == ids
    assert [message.headers["id"] for message in taken()] == ids


def sent_by(road_of: Callable[[Any, Any], Road], *arguments: Any) -> Any:
    """Return what arrives of a message that goes by this road of a task's through a producer."""
    with carrier.producer() as producer, unheard():
        road_of(project_app().tasks["motia.Work"], producer)("1", arguments, {"motia_fresh": True})
    [message] = taken()
    besides = {"delivery_tag", "delivery_info", "argsrepr", "kwargsrepr"}  # also in the headers
    properties = {key: value for key, value in message.properties.items() if key not in besides}
    return message.headers, properties, message.payload, message.delivery_info


OPTIONS = {"queue": None, "priority": 3, "soft_time_limit": 5, "time_limit": 15}


def by_the_short_road(task: Any, producer: Any) -> Road:
    return Way(task, routed(task, task.app.amqp.router, OPTIONS)).road(producer, retry=True)


def by_the_long_road(task: Any, producer: Any) -> Road:
    return long_road(task, OPTIONS, producer)


@pytest.mark.parametrize("value", ["ü 🙂", {"wide": 2**70}, 0.1])
def test_both_roads_send_the_same_message(value: Any) -> None:
    long, *others = sent_by(by_the_long_road, "1", value)
    short, *same = sent_by(by_the_short_road, "1", value)
    assert others == same
    assert short == {name: value for name, value in long.items() if value or name == "retries"}


JSON = recursive(
    none() | booleans() | integers() | floats(allow_nan=False, allow_infinity=False) | text(),
    lambda inner: lists(inner) | dictionaries(text() | sampled_from(KOMBUS), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_arrives_of_a_light_run_is_what_was_sent_by_either_road(input: Any) -> None:
    run = make_run(input=input, light=True)
    for road in (by_the_short_road, by_the_long_road):
        [arguments, *_] = sent_by(road, str(run.id), run.to_message())[2]
        arrived = Run.from_message(*arguments).input
        assert repr(arrived) == repr(input)


def test_a_task_that_sends_is_the_parent_of_what_it_sends() -> None:
    stack: Any = vars(_state)["_task_stack"]
    task: Any = project_app().tasks["motia.Work"]
    task.push_request(id="parent", root_id="root", called_directly=False)
    stack.push(task)
    try:
        enqueue([{"topic": "work"}, {"topic": "work"}])
    finally:
        stack.pop()
        task.pop_request()
    messages = taken()
    assert {message.headers["parent_id"] for message in messages} == {"parent"}
    assert {message.headers["root_id"] for message in messages} == {"root"}


def test_each_message_to_redis_goes_by_the_same_client_over_lost_connections_too(
    broker: Any, redis_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fresh_redis()
    broker(url)
    enqueue("work")
    made, make = [], Redis.__init__

    def counted(self: Any, *args: Any, **kwargs: Any) -> None:
        made.append(self)
        make(self, *args, **kwargs)

    with monkeypatch.context() as patched, Redis.from_url(url) as operator:
        patched.setattr(Redis, "__init__", counted)
        ids = [enqueue("work")[0], enqueue("work")[0]]
        operator.client_kill_filter(_type="normal", skipme=True)
        ids += enqueue("work")
    assert made == []
    assert arrived(4)[1:] == ids


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_list_goes_to_a_real_rabbitmq_in_its_order(
    broker: Any, rabbitmq_server: str, settings: Any, confirmed: bool
) -> None:
    settings.MOTIA = {"PUBLISH_TIMEOUT": 10}
    broker(fresh_rabbitmq())
    conf: Any = project_app().conf
    before, conf.broker_transport_options = (
        conf.broker_transport_options,
        {"confirm_publish": confirmed},
    )
    try:
        ids = enqueue([{"topic": "work"} for _ in range(250)])
        assert arrived(250) == ids
    finally:
        conf.broker_transport_options = before


def test_a_list_with_a_message_that_is_larger_than_a_frame_goes_in_its_order(
    broker: Any, rabbitmq_server: str, settings: Any
) -> None:
    settings.MOTIA = {"PUBLISH_TIMEOUT": 10}
    broker(fresh_rabbitmq())
    data = ["a", "b", "ü" * 300_000, "d"]
    with installed(make_step(nothing, {"type": "queue", "topic": "work"}, record="failures")):
        enqueue([{"topic": "work", "data": each} for each in data])
    messages = awaited(len(data))
    assert [message.payload[0][1]["input"] for message in messages] == data


def test_of_messages_that_were_to_go_together_none_goes_if_one_cannot(
    broker: Any, rabbitmq_server: str
) -> None:
    broker(fresh_rabbitmq())
    enqueue("work")
    assert len(arrived(1)) == 1
    with carrier.producer() as producer:
        lent: Any = producer
        with pytest.raises(ValueError, match="no more"), carrier.in_one_go(producer, 2):
            lent.publish("one", routing_key="celery")
            raise ValueError("no more")
        assert taken() == []
        with carrier.in_one_go(producer, 2):
            lent.publish("one", routing_key="celery")
            assert taken() == []
            lent.publish("two", routing_key="celery")
    assert [message.payload for message in awaited(2)] == ["one", "two"]


@pytest.mark.timeout(60)
def test_what_follows_a_list_that_the_broker_took_a_part_of_goes_over_a_new_connection(
    broker: Any, rabbitmq_server: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("motia").propagate = True
    settings.MOTIA = {"PUBLISH_TIMEOUT": 1}
    url = urlsplit(fresh_rabbitmq())
    with proxy() as between, installed(make_step(record="failures")):
        between.upstream = url.port
        broker(url._replace(netloc=f"guest:guest@127.0.0.1:{between.port}").geturl())
        enqueue("work")
        assert len(arrived(1)) == 1
        between.flows.clear()
        enqueue([{"topic": "work", "data": "x" * size} for size in (1, *[1_000_000] * 10)])
        assert "upkeep will try again" in caplog.text
        between.flows.set()
        publish._down_until = 0.0
        [run_id] = enqueue("work")
        assert run_id in arrived(1)


def test_a_list_goes_over_a_new_connection_if_the_old_one_was_lost_meanwhile(
    broker: Any, rabbitmq_server: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("motia").propagate = True
    settings.MOTIA = {"PUBLISH_TIMEOUT": 10}
    broker(fresh_rabbitmq())
    enqueue("work")
    assert len(arrived(1)) == 1
    with carrier.producer() as producer:
        connection: Any = producer.connection
        connection.connection.transport.sock.close()
    ids = enqueue([{"topic": "work"} for _ in range(100)])
    assert arrived(100) == ids
    assert "upkeep will try again" not in caplog.text


def test_a_queue_is_declared_once_for_a_connection_and_again_for_the_next_one(
    broker: Any, rabbitmq_server: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MOTIA = {"PUBLISH_TIMEOUT": 10}
    broker(fresh_rabbitmq())
    declared, declare = [], Queue.declare

    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        declared.append(self.name)
        return declare(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(Queue, "declare", noted)
        for _ in range(3):
            enqueue([{"topic": "work"}, {"topic": "work"}])
    assert declared == ["celery"]
    with carrier.producer() as producer, project_app().connection_for_write() as operator:
        channel: Any = operator.default_channel
        channel.queue_delete("celery")
        connection: Any = producer.connection
        connection.connection.transport.sock.close()
    ids = enqueue("work")
    assert arrived(1) == ids


def test_a_list_whose_connection_breaks_in_its_midst_is_sent_again(
    broker: Any, rabbitmq_server: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("motia").propagate = True
    settings.MOTIA = {"PUBLISH_TIMEOUT": 10}
    broker(fresh_rabbitmq())
    enqueue("work")
    assert len(arrived(1)) == 1
    with carrier.producer() as producer:  # the only one there is, so the next list has it as well
        connection: Any = producer.connection
        there = connection.connection.transport.sock
    told: list[str] = []

    def cut(headers: dict[str, Any], **kwargs: Any) -> None:
        told.append(headers["id"])
        if len(told) == 50:
            there.close()

    light = make_step(nothing, {"type": "queue", "topic": "work"}, record="failures")
    with installed(light), heard(before_task_publish, cut):
        ids = enqueue([{"topic": "work"} for _ in range(100)])
    assert "upkeep will try again" in caplog.text
    with installed(light):
        while upkeep():
            pass
    assert set(arrived(100)) == set(ids)
