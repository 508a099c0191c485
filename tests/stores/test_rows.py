"""Our own transactions are tried again when they meet another; the caller's are the caller's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from motia_django.stores import rows
from motia_django.stores.rows import TRIES, transacted

pytestmark = pytest.mark.django_db(transaction=True)


class Met(Exception):
    """What a driver raises when a transaction has met another."""

    sqlstate = "40001"


def meets(times: int, code: Any = 1213) -> Callable[[], int]:
    """Return work that meets another transaction so many times, then returns how often it ran."""
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        if len(calls) <= times:
            raise OperationalError(code, "Deadlock found") from Met()
        return len(calls)

    return work


@pytest.fixture(autouse=True)
def any_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SQLite, whose transactions only ever wait, have such errors as well."""
    monkeypatch.setitem(rows._MET, "sqlite", (1213, "40001"))
    if connection.vendor == "sqlite":
        monkeypatch.setattr(rows, "_read_committed", lambda connection: None)


def test_a_transaction_of_our_own_is_tried_again() -> None:
    assert transacted("default", meets(3)) == 4


def test_the_next_try_is_read_committed() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL says at which level a transaction is")
    levels: list[str] = []
    work = meets(1)

    def look() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_isolation')")
            levels.append(cursor.fetchone()[0])
        work()

    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_isolation = 'serializable'")
    try:
        transacted("default", look)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET default_transaction_isolation")
    assert levels == ["serializable", "read committed"]


def test_it_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert transacted("default", meets(TRIES - 1)) == TRIES
    with pytest.raises(DatabaseError, match="Deadlock found"):
        transacted("default", meets(TRIES))


def test_another_error_is_raised_at_once() -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        raise OperationalError(1205, "Lock wait timeout exceeded")

    with pytest.raises(OperationalError):
        transacted("default", work)
    assert calls == [1]


def test_in_a_transaction_of_the_callers_the_error_is_the_callers() -> None:
    with pytest.raises(OperationalError), transaction.atomic():
        transacted("default", meets(1))


def test_without_a_savepoint_an_error_of_the_databases_is_the_end_of_the_transaction() -> None:
    with transaction.atomic():
        with pytest.raises(OperationalError):
            transacted("default", meets(1), savepoint=False)
        assert transaction.get_rollback()


def test_without_a_savepoint_the_caller_may_go_on_after_any_other_error() -> None:
    def refuse() -> None:
        raise ZeroDivisionError

    with transaction.atomic():
        with pytest.raises(ZeroDivisionError):
            transacted("default", refuse, savepoint=False)
        assert not transaction.get_rollback()


def test_a_savepoint_is_made_unless_it_is_not_needed() -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as asked:
        transacted("default", lambda: None)
        transacted("default", lambda: None, savepoint=False)
    assert [each["sql"].split()[0] for each in asked] == ["SAVEPOINT", "RELEASE"]
