"""Looking, now and then, whether those who follow are still who they were when they were let in.

No save is waited for: who is deactivated by an UPDATE, or by another program, goes as well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Protocol

from django.contrib.auth import get_user_model
from django.db import router

from motia_django.conf import settings
from motia_django.live.threads import in_thread

logger = logging.getLogger("motia.streams")

_AT_ONCE = 500
"""Most users that one query asks for."""


class Reviewed(Protocol):
    """A connection that follows."""

    def dismiss(self) -> None:
        """End it: its user is not who he was."""


class Reviews:
    """Who follows on one event loop as which user, and the looks at them; only used there."""

    def __init__(self) -> None:
        self._known: dict[Reviewed, tuple[Any, str]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, follower: Reviewed, user: Any, standing: str | None) -> None:
        """Look, from now on, whether a user is as he was, unless that is not known."""
        if standing is None:
            return
        self._known[follower] = user.pk, standing
        if self._task is None:
            self._task = asyncio.ensure_future(self._go_on())

    def remove(self, follower: Reviewed) -> None:
        """Look no more."""
        self._known.pop(follower, None)
        if self._task is not None and not self._known:
            self._task.cancel()
            self._task = None

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(settings().streams["RECHECK"])
            try:
                await self._review()
            except Exception as error:
                logger.warning("Those who follow streams cannot be looked at just now: %s", error)

    async def _review(self) -> None:
        asked = dict(self._known)
        found = await in_thread(standings, {pk for pk, _ in asked.values()})
        for follower, (pk, standing) in asked.items():
            if follower in self._known and found.get(pk) != standing:
                follower.dismiss()


def standing_of(user: Any) -> str | None:
    """Return what is another text once a user is deactivated, or has another password.

    None for who is no user of the project's, or is one that a token tells of and no table: he was
    let in without being looked for. A change of the password ends sessions by the same
    rule (`get_session_auth_hash`).
    """
    if not isinstance(user, get_user_model()) or user.pk is None or user._state.adding:
        return None
    password = getattr(user, "get_session_auth_hash", str)()
    return f"{bool(user.is_active)} {password}"


def standings(keys: Iterable[Any]) -> dict[Any, str | None]:
    """Return the standings of the users with these primary keys, of those that are there."""
    model: Any = get_user_model()
    # Asked where they are written: a replica may lag behind.
    users = model._default_manager.using(router.db_for_write(model))
    wanted = list(keys)
    found: dict[Any, str | None] = {}
    for first in range(0, len(wanted), _AT_ONCE):
        some = users.filter(pk__in=wanted[first : first + _AT_ONCE])
        found |= {user.pk: standing_of(user) for user in some}
    return found
