"""Rows that many processes write at once: found or made, locked, and tried again if need be."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.db import DatabaseError, connections, models, transaction
from django.db.models import QuerySet

T = TypeVar("T")
M = TypeVar("M", bound=models.Model)

TRIES = 20
"""How often our own transaction is tried that others keep getting in the way of."""
_LONGEST_PAUSE = 0.1
_MET = {
    "postgresql": ("40001", "40P01"),  # serialization_failure, deadlock_detected
    "mysql": (1213, 1020),  # ER_LOCK_DEADLOCK, ER_CHECKREAD of MariaDB's snapshot isolation
}


def transacted(alias: str, work: Callable[[], T], *, savepoint: bool = True) -> T:
    """Do work in the caller's transaction, or in one of our own.

    One of our own that the database refuses since it met another is tried again, as READ COMMITTED
    whatever the connection's level is: there it waits for the other. The caller's transaction is
    his to begin anew: he gets the database's error. Whatever else is raised undoes what work did,
    by a savepoint, and the caller may go on; work that writes by one statement needs none.
    """
    connection = connections[alias]
    if is_in_transaction(alias):
        if not savepoint:
            return _joined(alias, work)
        with transaction.atomic(using=alias):
            return work()
    for tried in range(TRIES):
        try:
            with transaction.atomic(using=alias):
                if tried:
                    _read_committed(connection)
                return work()
        except DatabaseError as error:
            if tried + 1 == TRIES or not has_met_another(alias, error):
                raise
        let_go_first(tried)
    raise AssertionError("the last try returns or raises")


def is_in_transaction(alias: str) -> bool:
    """Return whether the caller has a transaction open, or has to commit by himself."""
    connection = connections[alias]
    return bool(connection.in_atomic_block or not connection.get_autocommit())


def has_met_another(alias: str, error: Exception | None) -> bool:
    """Return whether a transaction failed for no other reason than another that went on."""
    if not isinstance(error, DatabaseError):
        return False
    names = (getattr(error.__cause__, name, None) for name in ("sqlstate", "pgcode"))
    codes = {*names, *error.args[:1]}
    return not codes.isdisjoint(_MET.get(connections[alias].vendor, ()))


def let_go_first(tried: int) -> None:
    """Wait a moment for the other: longer, by chance, the more often that was `tried`."""
    time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.001 * 2**tried)))


def _joined(alias: str, work: Callable[[], T]) -> T:
    """Do work as a part of the caller's transaction, that ends with an error of the database's."""
    try:
        return work()
    except DatabaseError:
        with transaction.mark_for_rollback_on_error(using=alias):
            raise


def locked(rows: QuerySet[M], lock: Callable[[QuerySet[M]], object]) -> QuerySet[M]:
    """Return these rows, to be locked until the transaction ends.

    A database without row locks (SQLite) is locked whole, by `lock`: an UPDATE that changes
    nothing. To read first would fail as soon as somebody else had written in between. Where every
    transaction begins with that lock, it is not needed.
    """
    connection = connections[rows.db]
    if connection.features.has_select_for_update:
        return rows.select_for_update()
    if getattr(connection, "transaction_mode", None) not in ("IMMEDIATE", "EXCLUSIVE"):
        lock(rows)
    return rows


def make(rows: QuerySet[M], identity: Mapping[str, Any], **values: Any) -> None:
    """Insert a new row and lock it, or lock the one that somebody else has inserted.

    An INSERT that fails is not as good: MySQL leaves all who come too late with a lock that they
    share, and when each wants it for himself, all but one fail.
    """
    names = list(identity)
    put(rows, [rows.model(**identity, **values)], names, names)


def put(
    rows: QuerySet[M], new: Sequence[M], identity: Sequence[str], fields: Sequence[str]
) -> None:
    """Insert these rows, or write these fields into those that are there by their identity.

    They are locked in this order, until the transaction ends.
    """
    features = connections[rows.db].features
    rows.bulk_create(
        new,
        update_conflicts=True,
        update_fields=fields,
        unique_fields=identity if features.supports_update_conflicts_with_target else None,
    )


def _read_committed(connection: Any) -> None:
    if connection.vendor in _MET:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
