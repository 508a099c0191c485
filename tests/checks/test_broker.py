from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import CheckMessage
from redis import Redis as Client

from motia_django.checks.broker import broker
from motia_django.steps import Step
from tests.checks.conftest import MakeApp
from tests.factories import installed, make_step, nothing
from tests.servers.redis import Redis

HTTP = {"type": "http", "path": "/x"}


def queue(**config: Any) -> dict[str, Any]:
    return {"type": "queue", "topic": "work", "config": config}


def light(**config: Any) -> Step:
    """Return a Step whose runs are in no table while all goes well."""
    return make_step(nothing, queue(**config), name="Light", record="failures")


def found(*steps: Step) -> list[CheckMessage]:
    with installed(*(steps or [make_step()])):
        return list(broker())


def ids(*steps: Step) -> list[str | None]:
    return [message.id for message in found(*steps)]


@pytest.fixture(scope="module")
def own_redis(
    redis_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Any]]:
    """Return the URL of a Redis whose configuration a test may change, and a client of it."""
    server = Redis()
    url = server.start(tmp_path_factory.mktemp("redis"))
    try:
        with Client.from_url(url) as client:
            yield url, client
    finally:
        server.stop()


@pytest.fixture
def redis(own_redis: tuple[str, Any]) -> tuple[str, Any]:
    """Return that Redis as it should be: it keeps all keys, and snapshots."""
    _, client = own_redis
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("save", "3600 1")
    return own_redis


def test_a_project_without_background_steps_needs_no_broker(project_app: MakeApp) -> None:
    project_app("redis://127.0.0.1:1/0")
    assert ids(make_step(nothing, HTTP)) == []


def test_celerys_default_app_is_not_asked_for_its_broker(
    project_app: MakeApp,
) -> None:
    project_app("memory://").main = "default"
    assert ids() == []  # motia.W003 says it all


def test_celerys_own_limits_of_time_are_told_where_they_end_steps(project_app: MakeApp) -> None:
    async def waits() -> None: ...

    project_app("memory://")
    assert ids() == ["motia.W010"]
    project_app("memory://", task_time_limit=60, task_soft_time_limit=30)
    own = make_step(nothing, queue(visibilityTimeout=300), name="Own")
    patient = make_step(waits, queue(visibilityTimeout=300), name="Patient")
    quick = make_step(waits, queue(visibilityTimeout=20), name="Quick")
    before, cut, _ = found(make_step(nothing, queue(), name="Cut"), own, patient, quick)
    assert (before.id, cut.id) == ("motia.W039", "motia.I004")
    assert "Step 'Patient' is async and may take 300 s" in before.msg
    assert "Step 'Cut' after 30 s (task_soft_time_limit)" in cut.msg
    assert ids(own, quick) == ["motia.W010"]
    assert ids(make_step(nothing, HTTP)) == []


@pytest.mark.parametrize(
    "conf", [{"accept_content": ["json", "pickle"]}, {"task_serializer": "pickle"}]
)
def test_workers_that_read_pickles_are_a_warning(
    conf: dict[str, Any], project_app: MakeApp
) -> None:
    app = project_app("memory://")
    assert ids() == ["motia.W010"]
    app.conf.update(conf)
    assert ids() == ["motia.W027", "motia.W010"]


@pytest.mark.parametrize("url", ["memory://", "filesystem://"])
def test_a_broker_of_one_machine_is_a_warning(url: str, project_app: MakeApp) -> None:
    project_app(url)
    [warning] = found()
    assert warning.id == "motia.W010"
    assert url in warning.msg


def test_an_eager_celery_is_a_warning_and_its_broker_does_not_matter(project_app: MakeApp) -> None:
    project_app("memory://", task_always_eager=True)
    assert ids() == ["motia.W011"]


@pytest.mark.parametrize("url", ["redis://:hush@127.0.0.1:1/0", "amqp://me:hush@127.0.0.1:1//"])
def test_a_broker_that_cannot_be_reached_is_named_without_its_password(
    url: str, project_app: MakeApp
) -> None:
    project_app(url)
    [warning] = found()
    assert warning.id == "motia.W012"
    assert "127.0.0.1:1" in warning.msg
    assert "hush" not in warning.msg


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_never_answers_is_not_waited_for(
    scheme: str, silent_port: int, project_app: MakeApp
) -> None:
    project_app(f"{scheme}://127.0.0.1:{silent_port}")
    start = time.monotonic()
    assert ids() == ["motia.W012"]
    assert time.monotonic() - start < 10


def test_a_broker_that_kombu_does_not_know_is_a_warning(project_app: MakeApp) -> None:
    project_app("carrier-pigeon://:hush@roof")
    [warning] = found()
    assert warning.id == "motia.W012"
    assert "carrier-pigeon" in warning.msg
    assert "hush" not in warning.msg


def test_a_redis_that_keeps_its_keys_is_all_right(
    redis: tuple[str, Any], project_app: MakeApp
) -> None:
    project_app(redis[0])
    assert ids() == []


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("allkeys-lru", ["motia.W013"]), ("allkeys-random", ["motia.W013"]), ("volatile-lru", [])],
)
def test_a_redis_that_deletes_keys_without_expiry_is_a_warning(
    policy: str, expected: list[str], redis: tuple[str, Any], project_app: MakeApp
) -> None:
    redis[1].config_set("maxmemory-policy", policy)
    project_app(redis[0])
    assert ids() == expected


def test_a_visibility_timeout_shorter_than_a_light_step_is_a_warning(
    redis: tuple[str, Any], project_app: MakeApp
) -> None:
    project_app(redis[0], broker_transport_options={"visibility_timeout": 600})
    [warning] = found(light(visibilityTimeout=600), make_step())
    assert warning.id == "motia.W014"
    assert "'Light'" in warning.msg
    assert '"visibility_timeout": 1200' in (warning.hint or "")
    assert ids(light(visibilityTimeout=599)) == []


def test_kombus_own_visibility_timeout_is_an_hour(
    redis: tuple[str, Any], project_app: MakeApp
) -> None:
    project_app(redis[0])
    assert ids(light(visibilityTimeout=3600)) == ["motia.W014"]
    assert ids(light(visibilityTimeout=3500)) == []


def test_a_light_step_without_a_limit_is_worth_a_word(
    redis: tuple[str, Any], project_app: MakeApp
) -> None:
    project_app(redis[0])
    [word] = found(light())
    assert word.id == "motia.I001"
    assert word.level < 30


@pytest.mark.parametrize(
    "step",
    [
        make_step(nothing, queue(visibilityTimeout=9000)),
        make_step(nothing, queue(), record="failures", atomic=True),
        make_step(nothing, queue(type="fifo"), record="failures"),
        make_step(nothing, queue(concurrency=1), record="failures"),
        make_step(nothing, queue(delaySeconds=5), record="failures"),
        make_step(nothing, queue(), HTTP, record="all"),
    ],
    ids=["kept", "atomic", "fifo", "limited", "delayed", "asked for"],
)
def test_what_is_in_the_ledger_may_be_seen_again(
    step: Step, redis: tuple[str, Any], project_app: MakeApp
) -> None:
    redis[1].config_set("save", "")
    project_app(redis[0], broker_transport_options={"visibility_timeout": 10})
    assert ids(step) == []


def test_a_redis_that_keeps_nothing_on_disk_matters_to_light_steps_only(
    redis: tuple[str, Any], project_app: MakeApp
) -> None:
    redis[1].config_set("save", "")
    project_app(redis[0])
    assert ids() == []
    assert ids(light(visibilityTimeout=60)) == ["motia.W015"]
    redis[1].config_set("appendonly", "yes")
    try:
        assert ids(light(visibilityTimeout=60)) == []
    finally:
        redis[1].config_set("appendonly", "no")


def test_a_redis_that_may_not_be_asked_for_its_configuration_is_left_alone(
    redis: tuple[str, Any], project_app: MakeApp
) -> None:
    redis[1].config_set("save", "")
    redis[1].acl_setuser(
        "worker",
        enabled=True,
        passwords=["+secret"],
        keys=["*"],
        channels=["*"],
        commands=["+@all", "-config"],
    )
    project_app(redis[0].replace("redis://", "redis://worker:secret@"))
    assert ids(light(visibilityTimeout=60)) == []


def test_priorities_that_rabbitmq_does_not_know_of_are_a_warning(
    rabbitmq_server: str, project_app: MakeApp
) -> None:
    project_app(rabbitmq_server)
    assert ids() == []
    [warning] = found(make_step(nothing, queue(priority=5, queue="mail")))
    assert warning.id == "motia.W016"
    assert "'mail'" in warning.msg


def test_priorities_that_rabbitmq_knows_of_are_all_right(
    rabbitmq_server: str, project_app: MakeApp
) -> None:
    step = make_step(nothing, queue(priority=5, queue="mail"))
    project_app(rabbitmq_server, task_queue_max_priority=9)
    assert ids(step) == []
    project_app(rabbitmq_server, task_create_missing_queues=False)
    assert ids(step) == []


def test_quorum_queues_are_left_alone(rabbitmq_server: str, project_app: MakeApp) -> None:
    project_app(rabbitmq_server, task_default_queue_type="quorum")
    assert ids(make_step(nothing, queue(priority=5))) == []


def test_redis_needs_nothing_for_priorities(redis: tuple[str, Any], project_app: MakeApp) -> None:
    project_app(redis[0])
    assert ids(make_step(nothing, queue(priority=5))) == []
