"""State in the project's database: a change, its messages and the caller's rows commit together."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

from django.db import DatabaseError, connections, router, transaction
from django.db.models import ExpressionWrapper, F, Q, QuerySet, TextField, Value
from django.utils import timezone

from motia_django import by_hand, payloads, prepared
from motia_django.models import StateItem
from motia_django.stores.base import (
    MISSING,
    Audience,
    Change,
    Item,
    StateStore,
    Write,
    values_of,
)
from motia_django.stores.rows import (
    has_met_another,
    is_in_transaction,
    locked,
    make,
    transacted,
)

_NEW = 0
"""The version of an item that its own transaction is making: nobody else ever sees it."""
_PLAIN = TextField()
_TEXT = ExpressionWrapper(F("value"), output_field=_PLAIN)
"""The JSON text as it is, to be read together with others."""
_FACTS = ("id", "value", "version", "expires_at")
_AT_ONCE = 10_000
"""Most keys that one query asks for: SQLite takes 32,766."""
_Row = tuple[int, Any, int, datetime | None]


class OrmState(StateStore):
    """One row for each item, in the table `motia_state`; the row's lock makes a write atomic.

    In a transaction of the caller that is REPEATABLE READ or stricter, a write to an item that was
    written since it began raises the database's `OperationalError`: the caller begins anew.
    """

    def get(self, group: str, key: str) -> Any:
        connection = connections[_database()]
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        with prepared.cursor(connection) as cursor:
            cursor.execute(_reading(connection.vendor), (group, key, now))
            row = cursor.fetchone()
        return payloads.loads(row[0]) if row else MISSING

    def item(self, group: str, key: str) -> Item | None:
        for _, value, version, expires_at in _item(group, key).values_list(*_FACTS):
            if not _has_expired(expires_at):
                return Item(key=key, value=value, version=version, expires_at=expires_at)
        return None

    def get_many(self, group: str, keys: Sequence[str]) -> dict[str, Any]:
        texts: dict[str, str] = {}
        for first in range(0, len(keys), _AT_ONCE):
            rows = _there().filter(group=group, key__in=keys[first : first + _AT_ONCE])
            texts |= rows.values_list("key", _TEXT)
        return {key: payloads.loads(texts[key]) for key in keys if key in texts}

    def write(self, writes: Sequence[Write], audience: Audience) -> list[Change]:
        once = _write_once(writes, audience)
        text = _text_at_first(writes[0]) if once and not is_in_transaction(_database()) else None
        made = None if text is None else _made_alone(writes[0], text)
        if made is not None:
            return [made]
        work = partial(_all_written, writes, audience, was_there=text is not None)
        return transacted(_database(), work, savepoint=not once)

    def database(self) -> str:
        return _database()

    def items(
        self, group: str, *, after: str | None = None, limit: int | None = None
    ) -> list[tuple[str, Any]]:
        rows = _there().filter(group=group, **({} if after is None else {"key__gt": after}))
        found = list(rows.order_by("key").values_list("key", _TEXT)[:limit])
        values = values_of([text for _, text in found])
        return [(key, value) for (key, _), value in zip(found, values, strict=True)]

    def values(self, group: str) -> list[Any]:
        rows = _there().filter(group=group).order_by("key")
        return values_of(rows.values_list(_TEXT, flat=True))

    def groups(self) -> list[str]:
        return sorted(_there().order_by().values_list("group", flat=True).distinct())

    def look_after(self, limit: int, audience: Audience) -> int:
        if not by_hand.exists(StateItem, _database(), "expires_at <= %s", timezone.now()):
            return 0
        with transaction.atomic(using=_database()):
            rows = _expired_and_mine(limit)
            _items().filter(id__in=[row.id for row in rows]).delete()
            ends = [
                Change(group=row.group, key=row.key, old=row.value, new=MISSING) for row in rows
            ]
            _tell(ends, audience)
        return len(rows)


def _write_once(writes: Sequence[Write], audience: Audience) -> bool:
    """Return whether one statement at most writes anything, so that nothing can be half done."""
    if len(writes) != 1 or not _is_postgresql():
        return False
    return not any(audience.hears(each.group, each.key) for each in writes)


def _text_at_first(write: Write) -> str | None:
    """Return the text that the item is made with before it is looked for; None if it is not."""
    return None if write.if_version or not _is_postgresql() else write.text


def _made_alone(write: Write, text: str) -> Change | None:
    """Make an item by one statement that is a transaction in itself; None if it is there."""
    try:
        return _made(write, text)
    except DatabaseError as error:
        if has_met_another(_database(), error):
            return None
        raise


def _all_written(writes: Sequence[Write], audience: Audience, *, was_there: bool) -> list[Change]:
    """Write in the order of keys, so that two who write the same ones do not wait in a circle."""
    done: dict[str, Change] = {}
    news: list[Change] = []
    for each in sorted(writes, key=lambda write: write.key):
        done[each.key] = _written(each, news, was_there=was_there)
        news.append(done[each.key])
    _tell(news, audience)
    return [done[each.key] for each in writes]


def _written(write: Write, news: list[Change], *, was_there: bool) -> Change:
    """Do a write; what else has to be told, that the item had expired, is added to the news."""
    text = None if was_there else _text_at_first(write)
    made = None if text is None else _made(write, text)
    if made is not None:
        return made
    row = _locked(write.group, write.key)
    if row is None:
        write.check(0)
        text = write.new_text(MISSING)
        made = _change(write, MISSING) if text is None else _made(write, text)
        if made is not None:
            return made
        row = _locked(write.group, write.key)
        assert row is not None
    return _rewritten(write, row, news)


def _rewritten(write: Write, row: _Row, news: list[Change]) -> Change:
    """Write a locked row anew, or delete it."""
    id, old, version, expires_at = row
    if _has_expired(expires_at):
        write.check(0)
        news.append(_change(write, old))
        return _put(write, (id, None, _NEW, None), MISSING, write.new_text(MISSING))
    write.check(version)
    return _put(write, row, old, write.new_text(old))


def _put(write: Write, row: _Row, old: Any, text: str | None) -> Change:
    """Write the new text into a locked row; without one, delete it."""
    id, _, version, expires_at = row
    if text is None:
        _items().filter(id=id).delete()
        return _change(write, old)
    if version == _NEW:
        version = _begin(write, _items().filter(id=id), text)
        return _change(write, old, payloads.loads(text), version)
    connection = connections[_database()]
    ends = expires_at if write.keeps_expiry else write.expires_at
    moments = map(connection.ops.adapt_datetimefield_value, (ends, timezone.now()))
    with prepared.cursor(connection) as cursor:
        cursor.execute(_writing(connection.vendor), (text, version + 1, *moments, id))
    return _change(write, old, payloads.loads(text), version + 1)


def _begin(write: Write, rows: QuerySet[StateItem], text: str) -> int:
    """Make a locked row the beginning of an item; return its version, 0 if there is no such row."""
    values = _beginning(write)
    begun = rows.update(value=Value(text, _PLAIN), **values)
    return values["version"] if begun else 0


def _beginning(write: Write) -> dict[str, Any]:
    """Return what a new item has besides its value."""
    now, version = timezone.now(), time.time_ns() // 1000
    return {
        "version": version,
        "expires_at": write.expires_at,
        "created_at": now,
        "updated_at": now,
    }


def _change(write: Write, old: Any, new: Any = MISSING, version: int = 0) -> Change:
    return Change(group=write.group, key=write.key, old=old, new=new, version=version)


def _tell(news: Sequence[Change], audience: Audience) -> None:
    for each in news:
        if each.happened and audience.hears(each.group, each.key):
            audience.tell(each)


def _locked(group: str, key: str) -> _Row | None:
    """Return the item's row, if there is one, locked until the transaction ends."""
    if not _is_postgresql():
        rows = locked(_item(group, key), _lock)
        return next(iter(rows.values_list(*_FACTS)), None)
    with prepared.cursor(connections[_database()]) as cursor:
        cursor.execute(_LOCKING, [group, key])
        for id, text, version, expires_at in cursor.fetchall():
            return id, payloads.loads(text), version, expires_at
    return None


def _made(write: Write, text: str) -> Change | None:
    """Make an item that was not there; None if somebody else has made it: then it is locked now."""
    version = _inserted(write, text) if _is_postgresql() else _made_and_begun(write, text)
    return _change(write, MISSING, payloads.loads(text), version) if version else None


def _inserted(write: Write, text: str) -> int:
    values = {"group": write.group, "key": write.key, "value": text, **_beginning(write)}
    with prepared.cursor(connections[_database()]) as cursor:
        cursor.execute(_INSERTING, values)
        return values["version"] if cursor.rowcount else 0


def _made_and_begun(write: Write, text: str) -> int:
    """Do it in two steps: nobody else sees a row as `make` leaves it, since both are committed."""
    make(_items(), {"group": write.group, "key": write.key}, version=_NEW)
    return _begin(write, _item(write.group, write.key).filter(version=_NEW), text)


def _is_postgresql() -> bool:
    """Return whether the statements are those below, which Django need not compose each time."""
    return connections[_database()].vendor == "postgresql"


@cache
def _reading(vendor: str) -> str:
    """Return the statement that reads an item: to compose it takes Django longer than to ask."""
    return _quoted(
        "SELECT [value] FROM [{}] WHERE [group] = %s AND [key] = %s"
        " AND ([expires_at] IS NULL OR [expires_at] > %s)"
    )


@cache
def _writing(vendor: str) -> str:
    """Return the statement that writes a locked row anew."""
    return _quoted(
        "UPDATE [{}] SET [value] = %s, [version] = %s, [expires_at] = %s, [updated_at] = %s"
        " WHERE [id] = %s"
    )


def _quoted(statement: str) -> str:
    """Return a statement on the table of the items as its database quotes names."""
    quote = connections[_database()].ops.quote_name
    return re.sub(r"\[(.+?)]", lambda name: quote(name[1]), statement.format(_TABLE))


def _lock(rows: QuerySet[StateItem]) -> None:
    rows.update(version=F("version"))


def _expired_and_mine(limit: int) -> list[StateItem]:
    """Return rows that have expired, locked, without those that somebody else has locked."""
    features = connections[_database()].features
    rows = _expired().order_by("expires_at")
    if features.has_select_for_update_skip_locked:
        return list(rows.select_for_update(skip_locked=True)[:limit])
    return list(locked(rows, _lock)[:limit])


def _has_expired(expires_at: datetime | None) -> bool:
    return expires_at is not None and expires_at <= timezone.now()


def _database() -> str:
    return router.db_for_write(StateItem)


def _items() -> QuerySet[StateItem]:
    """Return the items as they are where they are written: a replica may lag behind."""
    return StateItem.objects.using(_database())


def _item(group: str, key: str) -> QuerySet[StateItem]:
    return _items().filter(group=group, key=key).order_by()


def _there() -> QuerySet[StateItem]:
    """Return the items that have not expired."""
    return _items().filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))


def _expired() -> QuerySet[StateItem]:
    return _items().filter(expires_at__lte=timezone.now())


_TABLE = StateItem._meta.db_table
_LOCKING = f"""SELECT id, value, version, expires_at FROM {_TABLE}
WHERE "group" = %s AND key = %s FOR UPDATE"""
_INSERTING = f"""INSERT INTO {_TABLE}
("group", key, value, version, expires_at, created_at, updated_at) VALUES (%(group)s, %(key)s,
%(value)s, %(version)s, %(expires_at)s, %(created_at)s, %(updated_at)s)
ON CONFLICT ("group", key) DO UPDATE SET version = excluded.version WHERE false"""
"""PostgreSQL locks the row that is in the way of a new one, though nothing of it is changed."""
