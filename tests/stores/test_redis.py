"""State in Redis: the outbox between it and the ledger, what goes wrong, and what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
import time_machine
from celery.exceptions import SoftTimeLimitExceeded
from django.core.cache import caches
from django.db import OperationalError, transaction
from django.test import override_settings
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.cache import CacheConfig
from redis.retry import Retry

from motia_django import models, state, state_changed, tracing
from motia_django.exceptions import SettingsError, StoreUnavailable
from motia_django.runs import Status
from motia_django.stores import outbox, state_store
from motia_django.stores.audience import WATCHERS
from motia_django.stores.base import Change
from motia_django.stores.redis import RedisState
from motia_django.timeline import Timeline
from motia_django.upkeep import keep_state
from tests.factories import installed, make_run, make_step, rows, work_off
from tests.servers import fresh_redis
from tests.servers.redis import Redis
from tests.stores.backends import Recorder, in_use, put

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def url(redis_server: str) -> str:
    """A Redis database that only these tests use."""
    return fresh_redis()


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    """State in Redis, and a client of its own for looking into it."""
    with redis_py.Redis.from_url(url) as raw:
        raw.flushdb()
        with in_use("redis", url):
            yield raw


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let upkeep take up changes at once."""
    monkeypatch.setattr(outbox, "PATIENCE", 0)


def watcher(**config: Any) -> Any:
    """Return a Step that watches the group g."""
    return make_step(lambda change: None, state_changed("g"), name="Watch", **config)


def waiting(client: Any) -> int:
    """Return how many changes are in the outbox."""
    return int(client.xlen(names().outbox))


def names() -> Any:
    """Return the session of the store, which knows its keys."""
    store = state_store()
    assert isinstance(store, RedisState)
    return store._redis.open()


def events() -> list[tuple[str, Any, Any]]:
    """Return the changes that runs were born of, oldest first."""
    inputs: Any = [row.input for row in rows()]
    return [(each["eventType"], each["oldValue"], each["newValue"]) for each in inputs]


@contextmanager
def connections_of(kind: type[redis_py.Connection], **options: Any) -> Iterator[None]:
    """Let the store's connections be of another class, for the block."""
    cache: Any = caches["state"]
    pool = cache.client.get_client(write=True).connection_pool
    before = pool.connection_class, dict(pool.connection_kwargs)
    pool.disconnect()
    pool.reset()
    pool.connection_class = kind
    pool.connection_kwargs.update(options)
    try:
        yield
    finally:
        pool.connection_class, pool.connection_kwargs = before
        pool.disconnect()
        pool.reset()


# -- a change starts its Steps once


def test_a_change_starts_its_steps_at_once_and_leaves_nothing_behind(client: Any) -> None:
    with installed(watcher()):
        state.set("g", "k", {"n": 1})
        state.update("g", "k", [{"type": "increment", "path": "n"}])
        state.delete("g", "k")
        state.delete("g", "k")
        assert events() == [
            ("state:created", None, {"n": 1}),
            ("state:updated", {"n": 1}, {"n": 2}),
            ("state:deleted", {"n": 2}, None),
        ]
        assert waiting(client) == 0
        work_off()
        assert {row.status for row in rows()} == {Status.SUCCEEDED}


def test_its_steps_are_told_what_was_written_whatever_the_writer_does_with_the_answer(
    client: Any,
) -> None:
    state.set("g", "k", {"n": 1})
    with installed(watcher()), transaction.atomic():
        changed = state.set("g", "k", {"n": 2})
        changed["old_value"]["n"] = changed["new_value"]["n"] = 99
    assert events() == [("state:updated", {"n": 1}, {"n": 2})]


def test_where_nobody_watches_nothing_is_put_into_the_outbox(client: Any) -> None:
    with installed(watcher()):
        state.set("other", "k", 1)
    with installed(make_step(lambda change: None, state_changed("g", "17"), name="Watch")):
        state.set("g", "18", 1)
    assert not client.exists(names().outbox)
    assert not rows()


def test_a_change_that_is_watched_and_not_wanted_makes_no_run(client: Any) -> None:
    picky = state_changed("g", events=["deleted"], condition=lambda change: False)
    with installed(make_step(lambda change: None, picky, name="Watch")):
        state.set("g", "k", 1)
        state.delete("g", "k")
    assert not rows()
    assert waiting(client) == 0


def test_a_rollback_does_not_undo_a_write_and_its_steps_start_all_the_same(
    client: Any, impatient: None
) -> None:
    with installed(watcher()):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            state.set("g", "k", 1)
            assert state.get("g", "k") == 1
            raise ZeroDivisionError
        assert state.get("g", "k") == 1
        assert not rows()
        assert keep_state() == 1
        assert events() == [("state:created", None, 1)]
        assert keep_state() == 0
        assert waiting(client) == 0


def test_the_steps_start_when_the_transaction_around_the_write_commits(client: Any) -> None:
    with installed(watcher()):
        with transaction.atomic():
            state.set("g", "k", 1)
            assert not rows()
            assert waiting(client) == 1
        assert len(rows()) == 1
        assert waiting(client) == 0


def test_a_change_that_upkeep_took_up_meanwhile_starts_its_steps_once(
    client: Any, impatient: None
) -> None:
    with installed(watcher()):
        change = change_that_waits()
        with transaction.atomic():
            state.set("g", "other", 1)
            WATCHERS.tell(change)
            transaction.on_commit(lambda: WATCHERS.tell(change))
        assert sorted(row.input["itemId"] for row in rows()) == ["k", "other"]


def change_that_waits() -> Change:
    """Return a change that is in the outbox, since its transaction was rolled back."""
    with transaction.atomic():
        state.set("g", "k", 1)
        transaction.set_rollback(True)
    [change] = outbox.left_over(names(), 10)
    return change


def test_what_is_told_of_twice_is_born_once_though_it_was_run_in_between(
    client: Any, impatient: None
) -> None:
    with installed(watcher(), make_step(lambda change: None, state_changed("g"), name="Other")):
        change = change_that_waits()
        WATCHERS.tell(change)
        work_off()
        WATCHERS.tell(change)
        assert sorted(row.step for row in rows()) == ["Other", "Watch"]
        assert keep_state() == 1
        assert len(rows()) == 2


def test_light_steps_are_kept_too_since_only_a_row_can_be_once(client: Any) -> None:
    with installed(watcher(record="failures")):
        state.set("g", "k", 1)
        assert len(rows()) == 1


def test_what_a_step_changes_is_its_child_though_upkeep_tells_of_it(
    client: Any, impatient: None
) -> None:
    run = make_run(depth=3)
    scope = tracing.Scope(
        trace_id=run.trace_id, run_id=run.id, step=run.step, depth=run.depth,
        topics=frozenset(), timeline=Timeline(),
        span="00f067aa0ba902b7-01",
    )  # fmt: skip
    with installed(watcher()):
        with tracing.entered(scope), transaction.atomic():
            state.set("g", "k", 1)
            transaction.set_rollback(True)
        keep_state()
    [born] = rows()
    assert (born.trace_id, born.parent_id, born.depth) == (run.trace_id, run.id, 4)
    assert born.parent_span == scope.span


def test_a_change_that_an_older_release_has_put_aside_is_told_of(
    client: Any, impatient: None
) -> None:
    run = make_run()
    cause = json.dumps([run.trace_id, str(run.id), 3])
    with installed(watcher()):
        client.xadd(names().outbox, {"g": "g", "k": "k", "o": "", "n": "1", "c": cause})
        keep_state()
    [born] = rows()
    assert (born.trace_id, born.parent_id, born.parent_span) == (run.trace_id, run.id, None)


def test_what_cannot_be_told_of_is_logged_and_told_of_later(
    client: Any, impatient: None, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fails(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the database is away")

    with installed(watcher()):
        with monkeypatch.context() as patch:
            patch.setattr("motia_django.ledger.keep_once", fails)
            assert state.set("g", "k", 1)["new_value"] == 1
        assert "the database is away" in caplog.text
        assert not rows()
        keep_state()
        assert len(rows()) == 1


def test_what_can_never_be_told_of_holds_nothing_up(
    client: Any, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refuses(Recorder):
        def tell(self, change: Change) -> None:
            if change.new == "refused":
                raise ValueError("too large for the database")
            super().tell(change)

    audience, store = Refuses(), state_store()
    values = ["a", "refused", "b", "refused", "c"]
    with transaction.atomic():
        for number, value in enumerate(values):
            put(store, "g", str(number), value, audience)
        transaction.set_rollback(True)
    refused = 0
    for _ in range(6):
        try:
            store.look_after(2, audience)
        except ValueError:
            refused += 1
    assert [each.new for each in audience.told] == ["a", "b", "c"]
    assert refused > 2, "it is tried again, and said to fail"
    assert waiting(client) == 2


def test_a_write_that_is_made_while_the_database_is_away_is_told_of_later(
    client: Any, impatient: None, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("connection refused")

    with installed(watcher()):
        with monkeypatch.context() as patch:
            patch.setattr(transaction, "on_commit", away)
            assert state.set("g", "k", 1)["new_value"] == 1
        assert "connection refused" in caplog.text
        keep_state()
        assert events() == [("state:created", None, 1)]


def test_upkeep_leaves_a_change_alone_until_its_process_had_time(client: Any) -> None:
    with installed(watcher()):
        with transaction.atomic():
            state.set("g", "k", 1)
            transaction.set_rollback(True)
        assert keep_state() == 0
        assert waiting(client) == 1


def test_the_end_of_an_item_starts_steps_once(client: Any) -> None:
    with installed(watcher()):
        state.set("g", "a", 1, ttl=60)
        state.set("g", "b", 2, ttl=60)
        models.Run.objects.all().delete()
        with time_machine.travel(timezone.now() + timedelta(seconds=61)):
            state.set("g", "a", 3)
            keep_state()
            keep_state()
        assert sorted(events(), key=str) == [
            ("state:created", None, 3),
            ("state:deleted", 1, None),
            ("state:deleted", 2, None),
        ]
        assert waiting(client) == 0
        assert not client.exists(names().expiries)


SET_UP = """
import json, os, signal, sys
import django
from django.conf import settings

where, url, database = sys.argv[1:]
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "motia_django"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
    CACHES={"state": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url}},
    MOTIA={"STATE": {"BACKEND": "motia_django.stores.redis.RedisState", "CACHE": "state"}},
    USE_TZ=True,
)
django.setup()
from celery import Celery
from django.core.management import call_command
from motia_django import celery_app, models, publish, state, state_changed, upkeep
from motia_django.stores import outbox
from tests.factories import installed, make_step

celery_app._app = Celery("project", broker="memory://", set_as_current=True)
call_command("migrate", verbosity=0)
watcher = make_step(lambda change: None, state_changed("g"), name="Watch")
"""
IS_KILLED = """
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

if where == "before the birth":
    outbox.tell = die
else:
    publish.publish_on_commit = die
with installed(watcher):
    state.set("g", "k", 1)
"""
UPKEEP = """
outbox.PATIENCE = 0
with installed(watcher):
    taken = [upkeep.keep_state(), upkeep.keep_state()]
print(json.dumps([*taken, models.Run.objects.count()]))
"""


@pytest.mark.one_database  # it brings one
@pytest.mark.parametrize("where", ["before the birth", "before it is taken out"])
def test_a_process_killed_after_the_write_has_its_steps_started_once(
    client: Any, url: str, tmp_path: Path, where: str
) -> None:
    def run(script: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", SET_UP + script, where, url, str(tmp_path / "db.sqlite3")]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=100)

    killed = run(IS_KILLED)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert state.get("g", "k") == 1
    assert waiting(client) == 1
    after = run(UPKEEP)
    assert after.stdout.strip() == "[1, 0, 1]", after.stderr
    assert waiting(client) == 0


# -- what goes wrong


AWAY = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
STATE = {"BACKEND": "motia_django.stores.redis.RedisState", "CACHE": "state"}


@override_settings(CACHES={"state": AWAY}, MOTIA={"STATE": STATE})
def test_a_redis_that_is_away_is_said_to_be_so() -> None:
    calls: list[Any] = [
        lambda: state.get("g", "k"),
        lambda: state.set("g", "k", 1),
        lambda: state.update("g", "k", []),
        lambda: state.items("g"),
        state.list_groups,
        keep_state,
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match="the Redis of the cache 'state'"):
            call()


def test_an_error_of_redis_is_passed_on_and_nothing_is_written(
    redis_server: str, tmp_path: Path
) -> None:
    server = Redis()
    url = server.start(tmp_path)
    try:
        with in_use("redis", url), redis_py.Redis.from_url(url) as client:
            state.set("g", "k", 1)
            client.config_set("maxmemory", "1")
            with pytest.raises(StoreUnavailable, match="maxmemory"):
                state.set("g", "k", 2)
            assert state.get("g", "k") == 1
    finally:
        server.stop()


def test_a_script_that_redis_has_forgotten_is_sent_again(client: Any) -> None:
    state.set("g", "k", 1)
    client.script_flush()
    assert state.set("g", "k", 2)["old_value"] == 1
    client.script_flush()
    assert state.list("g") == [2]


def test_a_write_whose_answer_is_lost_is_not_made_twice(client: Any) -> None:
    class Deaf(redis_py.Connection):
        heard = 0

        def read_response(self, *args: Any, **kwargs: Any) -> Any:
            answer = super().read_response(*args, **kwargs)
            if isinstance(answer, bytes) and answer[:1].isdigit():
                Deaf.heard += 1
                raise redis_py.TimeoutError("Timeout reading from socket")
            return answer

    version = state.set("g", "k", 1)["version"]
    with connections_of(Deaf, retry=Retry(NoBackoff(), 3)):
        with pytest.raises(StoreUnavailable, match="Timeout"):
            state.set("g", "k", 2)
    assert Deaf.heard == 1
    item = state.get_item("g", "k")
    assert item is not None
    assert (item.value, item.version) == (2, version + 1)


def test_the_answer_to_a_call_that_was_interrupted_is_given_to_nobody(client: Any) -> None:
    class Interrupted(redis_py.Connection):
        now = False

        def send_command(self, *args: Any, **kwargs: Any) -> None:
            super().send_command(*args, **kwargs)  # type: ignore[no-untyped-call]
            if Interrupted.now:
                Interrupted.now = False
                raise SoftTimeLimitExceeded

    state.set_many("g", {"a": 1, "b": 2})
    with connections_of(Interrupted):
        assert state.get("g", "a") == 1
        Interrupted.now = True
        with pytest.raises(SoftTimeLimitExceeded):
            state.get("g", "a")
        assert state.get("g", "b") == 2


def test_two_prefixes_are_two_states(client: Any, url: str) -> None:
    state.set("g", "k", 1)
    other = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": url, "KEY_PREFIX": "other"}
    with override_settings(CACHES={"state": other}):
        assert state.get("g", "k") is None
        state.set("g", "k", 2)
    assert state.get("g", "k") == 1


def test_nothing_is_left_of_groups_that_are_empty(client: Any) -> None:
    state.set("g", "k", 1, ttl=60)
    state.set_many("h", {"k": 1, "l": 2})
    assert all(key.startswith(b"{") for key in client.scan_iter())
    state.delete("g", "k")
    state.clear("h")
    assert client.dbsize() == 0


# -- what is refused


@pytest.mark.parametrize(
    ("state_setting", "caches_setting", "says"),
    [
        ({"CACHE": "stat"}, {"state": AWAY}, "there is no cache 'stat' in CACHES, only 'state'."
         " Did you mean 'state'?"),
        ({"CACHE": None}, {"state": AWAY}, "there is no cache None"),
        ({"CACH": "state"}, {"state": AWAY}, "unknown option 'CACH' of motia_django.stores.redis."
         "RedisState. Did you mean 'CACHE'? Known are BACKEND, CACHE."),
        ({"OPTIONS": {"cache": "state"}}, {"state": AWAY}, "unknown option 'OPTIONS' of"
         " motia_django.stores.redis.RedisState. Known are BACKEND, CACHE."),
        ({}, {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
         'which is not django-redis. Write CACHES = {'),
        ({}, {"default": {**AWAY, "BACKEND": "django.core.cache.backends.redis.RedisCache"}},
         "which is not django-redis"),
        ({}, {"default": {**AWAY, "OPTIONS": {"CLIENT_CLASS": "django_redis.client.ShardClient"}}},
         "spread over several servers"),
        ({}, {"default": {**AWAY, "LOCATION": "redis://127.0.0.1:2/0", "OPTIONS": {
            "CONNECTION_POOL_KWARGS": {"decode_responses": True}}}},
         "decode_responses"),
        ({}, {"default": {**AWAY, "LOCATION": "redis://127.0.0.1:3/0", "OPTIONS": {
            "CONNECTION_POOL_KWARGS": {"encoding": "latin-1"}}}},
         "an \"encoding\" that is not UTF-8"),
        ({}, {"default": {**AWAY, "LOCATION": "redis://127.0.0.1:4/0", "OPTIONS": {
            "CONNECTION_POOL_KWARGS": {"protocol": 3, "cache_config": CacheConfig()}}}},
         '"cache_config", with which'),
        ({}, {"default": {**AWAY, "LOCATION": "redis://127.0.0.1:5/0", "OPTIONS": {
            "CONNECTION_POOL_KWARGS": {"time_out": 1}}}},
         "unexpected keyword argument 'time_out'. Write CACHES = {'default': {"),
        ({}, {"default": {**AWAY, "LOCATION": ""}},
         "the cache 'default' cannot be had: ImproperlyConfigured: Missing connections string."),
        ({}, {"default": {**AWAY, "LOCATION": "localhost:6379"}}, "redis://"),
        ({}, {"default": {"LOCATION": "redis://127.0.0.1:1/0"}}, "KeyError: 'BACKEND'"),
        ({}, {"default": {**AWAY, "BACKEND": "django_redis.cache.RedisCach"}},
         "InvalidCacheBackendError"),
        ({}, {"default": {**AWAY, "OPTIONS": {"SERIALIZER": "no.Such"}}}, "ModuleNotFoundError"),
        ({}, {"default": {**AWAY, "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.SentinelClient"}}}, "CONNECTION_POOL_CLASS"),
        ({"BACKEND": "motia_django.stores.redis.RedisStat"}, {"default": AWAY},
         "Did you mean 'motia_django.stores.redis.RedisState'?"),
        ({"BACKEND": "RedisState"}, {"default": AWAY},
         "Did you mean 'motia_django.stores.redis.RedisState'?"),
    ],
)  # fmt: skip
def test_a_wrong_choice_is_refused_with_what_to_write(
    state_setting: Any, caches_setting: Any, says: str
) -> None:
    chosen = {"BACKEND": "motia_django.stores.redis.RedisState", **state_setting}
    with override_settings(MOTIA={"STATE": chosen}, CACHES=caches_setting):
        with pytest.raises(SettingsError) as refused:
            state_store().get("g", "k")  # one that another test has had is checked when it is used
        with suppress(AttributeError):
            del caches["default"]  # django-redis 6.0 cannot close what it could not open
    assert says in str(refused.value)
    assert str(refused.value).startswith('MOTIA["STATE"]')


def test_a_cache_that_is_put_in_its_place_is_looked_at_as_well(client: Any) -> None:
    assert state.get("g", "k") is None
    other = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    with override_settings(CACHES={"state": other}):
        with pytest.raises(SettingsError, match="which is not django-redis"):
            state.get("g", "k")
    assert state.get("g", "k") is None
