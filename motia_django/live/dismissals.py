"""Ending what somebody follows, in every process: told by the log, as all that followers hear."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async

from motia_django.live import items

NOWHERE = ""
"""Stands for the stream in the log's entry: none can have this name."""


def disconnect(user: Any) -> None:
    """End all connections by which a user follows streams, once the caller's transaction commits.

    Whoever still has what he was let in by comes back, and is judged again. Raise `ValueError` for
    a user who is not saved, or not any more.
    """
    key = key_of(user)
    if key is None:
        raise ValueError(f"disconnect: expected a user who is saved, got {user!r:.100}")
    items.send(*key, {}, announce=_tell_no_step)


async def adisconnect(user: Any) -> None:
    """End all connections of a user as `disconnect` does, from async code."""
    await sync_to_async(disconnect)(user)


def key_of(user: Any) -> tuple[str, str, None] | None:
    """Return the key by which a user's connections hear that they are to end; None for nobody."""
    pk = getattr(user, "pk", None)
    return None if pk is None else (NOWHERE, str(pk), None)


def _tell_no_step(changes: object) -> None:
    """Let no Step hear of it."""
