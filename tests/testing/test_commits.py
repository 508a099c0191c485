"""What waits for a commit, in the transactions of tests and of the code under test."""

from __future__ import annotations

import logging
import threading

import pytest
from django.db import connection, transaction

from motia_django import enqueue
from motia_django.testing import Motia
from motia_django.testing.commits import commit
from tests.factories import installed, make_step


@pytest.mark.django_db
def test_hooks_are_called_in_order_with_those_that_they_add_and_once() -> None:
    called: list[str] = []

    def first() -> None:
        called.append("first")
        transaction.on_commit(lambda: called.append("added"))

    transaction.on_commit(first)
    transaction.on_commit(lambda: called.append("second"))
    commit()
    commit()
    assert called == ["first", "second", "added"]


@pytest.mark.django_db
def test_a_transaction_of_the_code_under_test_is_not_committed(motia: Motia) -> None:
    with installed(make_step()):
        with transaction.atomic():
            enqueue("work")
            assert motia.drain().runs == []
            assert motia.enqueued("work") == []
        assert motia.enqueued("work") == [None]
        assert len(motia.drain()) == 1


@pytest.mark.django_db
def test_a_robust_hook_may_fail_and_another_is_the_tests_to_know(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("motia"), "propagate", True)

    def fails() -> None:
        raise LookupError("a hook")

    transaction.on_commit(fails, robust=True)
    transaction.on_commit(fails)
    with pytest.raises(LookupError, match="a hook"):
        commit()
    assert "A hook that waited for the commit failed" in caplog.messages
    assert connection.run_on_commit == []


@pytest.mark.django_db(transaction=True)
def test_where_the_database_commits_the_kit_does_the_same(motia: Motia) -> None:
    with installed(make_step(lambda input: input)):
        assert [run.output for run in motia.queue("work", 1)] == [1]
        with transaction.atomic():
            enqueue("work", 2)
            transaction.set_rollback(True)
        enqueue("work", 3)
        assert [run.output for run in motia.drain()] == [1, 3]
        assert motia.enqueued("work") == [1, 3]


@pytest.mark.django_db
def test_a_handler_may_use_threads(motia: Motia) -> None:
    def handler(input: int) -> list[int]:
        found: list[int] = []
        thread = threading.Thread(target=lambda: found.append(input + 1))
        thread.start()
        thread.join()
        return found

    with installed(make_step(handler)):
        assert [run.output for run in motia.queue("work", 1)] == [[2]]
