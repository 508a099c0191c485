"""What became no run is counted in memory, and added to the tables by a thread of each process."""

from __future__ import annotations

import atexit
import logging
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.signals import worker_process_shutdown
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django import enqueue, ledger, models, tallies, upkeep
from motia_django.exceptions import Dead, UnknownTopic
from motia_django.ledger import hour_of
from motia_django.ledger.tallies import MOST_TOPICS, Kind, Tallied
from tests.factories import QUEUE, deliver, installed, make_step, nothing, rows
from tests.served import DATABASE, served

pytestmark = pytest.mark.django_db

NOW = hour_of(timezone.now())
committing = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with nothing counted, and have the log told."""
    monkeypatch.setattr(tallies, "_tally", tallies.Tally())
    monkeypatch.setattr(logging.getLogger("motia"), "propagate", True)


def of(kind: Kind, what: int | str, step: str = "Work", *, days: int = 0) -> Tallied:
    return Tallied(kind, NOW - timedelta(days=days), step, what)


def refused() -> Counter[tuple[str, int]]:
    """Return what is in the table, after what waits was added to it."""
    tallies.write()
    found: Counter[tuple[str, int]] = Counter()
    for row in models.Refusal.objects.all():
        found[row.step, row.status] += row.requests
    return found


def unheard() -> Counter[tuple[str, str]]:
    tallies.write()
    found: Counter[tuple[str, str]] = Counter()
    for row in models.Unheard.objects.all():
        found[row.step, row.topic] += row.messages
    return found


def test_processes_add_to_one_another(transactional_db: None) -> None:
    for _ in range(3):
        ledger.add_tallies({of("refused", 401): 2, of("refused", 413): 1, of("unheard", "t"): 4})
    assert refused() == {("Work", 401): 6, ("Work", 413): 3}
    assert unheard() == {("Work", "t"): 12}


@pytest.mark.one_database
@pytest.mark.django_db(transaction=True)
def test_what_the_database_does_not_take_waits(caplog: Any) -> None:
    tallies.count_refused("Work", 401)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE motia_refusal RENAME TO away")
        tallies.write()
        cursor.execute("ALTER TABLE away RENAME TO motia_refusal")
    assert "What became no run could not be counted" in caplog.text
    assert refused() == {("Work", 401): 1}


@pytest.mark.one_database
def test_where_nobody_writes_a_request_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a server that lets no other thread run."""
    monkeypatch.delattr("django.core.mail.outbox")
    monkeypatch.setattr(tallies, "_LATE", -1.0)
    monkeypatch.setattr(tallies.Tally, "_work", lambda self: None)
    tallies.count_refused("Work", 401)
    assert not models.Refusal.objects.exists()
    tallies.count_refused("Work", 401)
    assert [each.requests for each in models.Refusal.objects.all()] == [2]


@pytest.mark.one_database
@pytest.mark.django_db(transaction=True)
def test_what_is_counted_is_not_written_by_a_forked_process_too() -> None:
    tallies.count_refused("Work", 401)
    child = os.fork()
    if not child:
        os._exit(len(tallies._tally._counts))
    assert os.waitpid(child, 0)[1] == 0
    assert refused() == {("Work", 401): 1}


@pytest.mark.one_database
def test_a_forked_process_that_ends_leaves_to_its_parent_what_it_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("django.core.mail.outbox")
    monkeypatch.setattr(tallies.Tally, "_work", lambda self: None)
    at_end: list[Any] = []
    monkeypatch.setattr(atexit, "register", at_end.append)
    tallies.count_refused("Work", 401)
    child = os.fork()
    if not child:
        monkeypatch.setattr(ledger, "add_tallies", lambda counts: os._exit(1))
        at_end[0]()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    at_end[0]()
    assert [each.requests for each in models.Refusal.objects.all()] == [1]


@pytest.mark.one_database
def test_a_process_of_a_workers_pool_writes_them_when_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing that is registered with `atexit` is called there."""
    monkeypatch.delattr("django.core.mail.outbox")
    monkeypatch.setattr(tallies.Tally, "_work", lambda self: None)
    tallies.count_refused("Work", 401)
    assert not models.Refusal.objects.exists()
    worker_process_shutdown.send(sender=None, pid=1, exitcode=0)
    assert [each.requests for each in models.Refusal.objects.all()] == [1]


SERVE = """
import django, sys, time
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
from motia_django import models
for number in range(30):
    assert Client().post("/todos", "{", content_type="application/json").status_code == 400
until = time.monotonic() + 20
while sys.argv[1] == "wait" and not models.Refusal.objects.exists():
    assert time.monotonic() < until
    time.sleep(0.05)
"""


@pytest.mark.one_database
@pytest.mark.parametrize("how", ["wait", "leave"])
def test_a_process_writes_them_soon_and_at_its_end(how: str, tmp_path: Path) -> None:
    done = served(tmp_path, SERVE, how)
    assert "refused POST /todos with 400: JSON parse error" in done.stderr
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute("
            "'SELECT step, status, SUM(requests) FROM motia_refusal').fetchone())",
            str(tmp_path / DATABASE),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split()[1:] == ["400", "30"]


def test_after_a_month_they_are_forgotten() -> None:
    for days in (0, 29, 31):
        ledger.add_tallies({of("refused", 401, days=days): 1, of("unheard", "t", days=days): 1})
    upkeep.prune()
    assert refused() == {("Work", 401): 2}
    assert unheard() == {("Work", "t"): 2}


# -- messages that nobody hears


@committing
def test_what_nobody_hears_is_counted_by_the_step_that_sent_it_and_the_topic() -> None:
    def handler(input: Any, ctx: Any) -> None:
        ctx.enqueue([{"topic": "wrok"}, {"topic": "later"}, {"topic": "heard"}])

    steps = [
        make_step(handler, enqueues=["later"]),
        make_step(nothing, {**QUEUE, "topic": "heard"}, name="Hears"),
    ]
    with installed(*steps):
        deliver(enqueue("work"))
        enqueue([{"topic": "wrok"}, {"topic": "wrok"}])
    assert unheard() == {("Work", "wrok"): 1, ("Work", "later"): 1, ("", "wrok"): 2}


@committing
def test_what_is_heard_is_not_counted_and_asks_nothing_of_the_tables() -> None:
    with installed(make_step()), CaptureQueriesContext(connection) as asked:
        enqueue("work", dedupeKey="k")
        enqueue("work", dedupeKey="k")
        tallies.write()
    assert not any("motia_unheard" in each["sql"] for each in asked.captured_queries)


@committing
def test_a_message_that_is_rolled_back_is_not_counted_and_no_query_is_made() -> None:
    with installed(make_step()):
        with transaction.atomic():
            enqueue("wrok")
            transaction.set_rollback(True)
        with transaction.atomic():
            enqueue("lost")
            assert not tallies._tally._counts
        with CaptureQueriesContext(connection) as asked:
            enqueue("lost")
    assert not asked.captured_queries
    assert unheard() == {("", "lost"): 2}


@committing
def test_what_the_settings_ignore_or_refuse_is_not_counted(settings: Any) -> None:
    with installed(make_step()):
        settings.MOTIA = {"UNHEARD_TOPICS": "ignore"}
        enqueue("wrok")
        settings.MOTIA = {"UNHEARD_TOPICS": "error"}
        with pytest.raises(UnknownTopic):
            enqueue("wrok")
    assert unheard() == {}


@committing
def test_a_death_of_which_nobody_hears_is_counted() -> None:
    def handler(input: Any) -> None:
        raise Dead("no")

    with installed(make_step(handler, onDead="died")):
        deliver(enqueue("work"))
    assert [row.status for row in rows()] == ["dead"]
    assert unheard() == {("Work", "died"): 1}


@committing
def test_topics_beyond_the_first_of_an_hour_are_one_number() -> None:
    with installed(make_step()):
        for number in range(MOST_TOPICS + 50):
            enqueue(f"order.{number}")
        with CaptureQueriesContext(connection) as asked:
            tallies.write()
        assert len(asked.captured_queries) < 6 * MOST_TOPICS
        enqueue("order.0")
        enqueue("order.of.late")
    found = unheard()
    assert len(found) == MOST_TOPICS + 1
    assert (found["", ""], found["", "order.0"]) == (51, 2)


@committing
@pytest.mark.parametrize(
    ("topic", "kept"), [("a\x00b\udc80", "a\\x00b\\udc80"), ("é" * 300, "é" * 255)]
)
def test_any_topic_can_be_kept(topic: str, kept: str) -> None:
    with installed(make_step()):
        enqueue(topic)
    assert unheard() == {("", kept): 1}
