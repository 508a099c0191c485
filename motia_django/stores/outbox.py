"""What Redis keeps of a change until its Steps are started: the outbox before the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from motia_django import payloads
from motia_django.stores.base import MISSING, Audience, Change
from motia_django.stores.connection import Session
from motia_django.stores.packing import value_within
from motia_django.stores.scripts import LEFT_OVER
from motia_django.tracing import Cause

FIRST = "-"
PATIENCE = 5.0
"""Seconds after which a change is told of by upkeep, since the process that made it has not."""


def tell(session: Session, changes: Sequence[Change], audience: Audience) -> None:
    """Tell of changes and take them out; what cannot be told of stays in."""
    for change in changes:
        audience.tell(change)
        session.call("XDEL", session.outbox, change.id)


def left_over(session: Session, limit: int, first: str = FIRST) -> list[Change]:
    """Return the changes that have been in the outbox for longer than that, the oldest first.

    They begin at the id `first`, which need not be there any more.
    """
    age = int(PATIENCE * 1000)
    entries = session.run(LEFT_OVER, [session.outbox], [age, limit, first])
    return [_change(id, dict(zip(facts[::2], facts[1::2], strict=True))) for id, facts in entries]


def behind(change: Change) -> str:
    """Return the lowest id that a later change may have."""
    milliseconds, _, number = str(change.id).partition("-")
    return f"{milliseconds}-{int(number) + 1}"


def packed(cause: Cause | None) -> str:
    """Return the cause of changes as the outbox keeps it."""
    if cause is None:
        return ""
    return payloads.dumps([cause.trace_id, str(cause.run_id), cause.depth, cause.span])


def _change(id: bytes, facts: Mapping[bytes, bytes]) -> Change:
    old, new = facts[b"o"], facts[b"n"]
    return Change(
        group=facts[b"g"].decode(),
        key=facts[b"k"].decode(),
        old=value_within(old) if old else MISSING,
        new=payloads.loads(new.decode()) if new else MISSING,
        id=id.decode(),
        cause=_cause(facts[b"c"]),
    )


def _cause(text: bytes) -> Cause | None:
    if not text:
        return None
    trace_id, run_id, depth, *span = payloads.loads(text.decode())
    return Cause(
        trace_id=trace_id, run_id=UUID(run_id), depth=depth, span=span[0] if span else None
    )
