"""One connection that follows: its subscriptions, and the frames that wait to be sent to it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Container, Coroutine, Iterable, Sequence
from typing import Any

from motia_django.live import access, dismissals, frames
from motia_django.live.access import Auth, Subscription
from motia_django.live.frames import Frame, Message
from motia_django.live.hub import hub
from motia_django.live.pictures import Picture
from motia_django.live.positions import Position
from motia_django.live.reading import Heard
from motia_django.live.relay import Key, Relay
from motia_django.live.unsent import Unsent

logger = logging.getLogger("motia.streams")

_PATIENCE = 10.0
"""Seconds that a subscription waits for the log to be read."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
"""Seconds until it is asked again whether somebody may follow, where that could not be said."""
_NOT_YET = Position(2**63)
"""Stands for the position of a picture that is being taken: what is heard meanwhile is held."""


class CutOff(Exception):
    """A client was cut off; it may come back, be judged again, and resume."""


class TooSlow(CutOff):
    """It takes its frames too slowly."""


class Dismissed(CutOff):
    """Its user was disconnected, or is not who he was when he was let in."""

    def __init__(self) -> None:
        super().__init__("come back, please")


class Following:
    """What one connection follows. A door makes one, joins, sends its messages, and closes it.

        following = Following(auth)
        try:
            await following.join(Subscription.checked("orders", "acme"))
            for message in await following.messages():
                await send(message.text)
        finally:
            await following.close()

    It belongs to one event loop, and holds neither a thread nor a database connection. An event is
    one message, however many of the connection's subscriptions it belongs to. After a `sync` come
    exactly the events that are not in it.
    """

    def __init__(self, auth: Auth, *, cut_off: Callable[[CutOff], object] | None = None) -> None:
        """Begin with no subscription; `cut_off` is called with the reason if it is cut off."""
        self.joined: frozenset[Subscription] = frozenset()
        """What is followed, as far as the client was told."""
        self.undecided: list[Subscription] = []
        """What is neither admitted nor refused yet, since asking failed."""
        self._auth = auth
        self._cut_off = cut_off
        self._user = dismissals.key_of(auth.user)
        self._unsent = Unsent()
        self._relay: Relay | None = None
        self._joining = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._since: dict[Key, list[Position]] = {}
        self._known = Position()
        self._is_level = False
        self._is_apart = False
        self._entered: list[Subscription] = []
        self._is_asking = False
        self._held: list[Heard] | None = None
        self._cut_by: CutOff | None = None
        self._is_closed = False

    async def join(
        self,
        *subscriptions: Subscription,
        since: Position | None = None,
        lacked: Container[Subscription] = (),
    ) -> list[Subscription]:
        """Begin to follow; return the subscriptions that were admitted.

        Each of them is first told how things are, by a `sync`; with `since`, all of them together
        are told what they have missed since then, as far as that is still in the log, and none of
        them was `lacked` then. Each one that is refused gets an `unauthorized`. What is
        `undecided` is asked about again, and gets one of both later. May be called while
        messages are being taken. Raises what the database raises, and `TimeoutError`, having left
        again what was entered; and `RuntimeError` if the connection is closed.
        """
        async with self._joining:
            if self._is_closed:
                raise RuntimeError("this connection is closed")
            return await self._join(subscriptions, since, lacked)

    async def leave(self, subscription: Subscription) -> None:
        """End a subscription that was joined, and tell the stream's `onLeave`; once per join."""
        async with self._joining:
            if subscription in self._entered:
                await self._leave([subscription])
            elif subscription in self.undecided:
                self.undecided.remove(subscription)

    async def messages(self, patience: float | None = None) -> list[Message]:
        """Wait for messages and return all there are; none after `patience` seconds without one.

        Raise `CutOff` once the client was: then end the connection.
        """
        if not self._unsent and not self._cut_by:
            await self._unsent.wait(patience)
        if self._cut_by:
            raise self._cut_by
        return self._unsent.take()

    @property
    def is_joined(self) -> bool:
        """Whether there is a subscription."""
        return bool(self._since)

    @property
    def position(self) -> str | None:
        """What to resume from for who has taken every message; None if that is not known now."""
        if self._unsent or self._held is not None or self._relay is None:
            return None
        read = self._relay.position
        return None if read is None else self._token_after(read)

    async def close(self) -> None:
        """End all subscriptions and tell their `onLeave`; to be called at the end, any number of
        times."""
        if self._is_closed:
            return
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.shield(asyncio.ensure_future(self._end()))

    def hear(self, heard: Heard) -> None:
        """Take an event from the relay."""
        if heard.event.stream == dismissals.NOWHERE:
            self.dismiss()
        elif self._held is not None:
            self._held.append(heard)
        elif self._wants(heard):
            self._put(heard.frame, self._token_after(heard.position))

    def dismiss(self) -> None:
        """Cut it off, so that its client comes back and is judged again."""
        self._cut(Dismissed())

    def begin_anew(self) -> None:
        """Have it told how all is that it follows, since the log is another."""
        self._begin_to(self._tell_anew())

    async def _join(
        self,
        subscriptions: Sequence[Subscription],
        since: Position | None = None,
        lacked: Container[Subscription] = (),
    ) -> list[Subscription]:
        before = len(self._entered)
        try:
            undecided = await access.ask(subscriptions, self._auth, self._entered)
            admitted = self._entered[before:]
            self._refuse(each for each in subscriptions if each not in (*admitted, *undecided))
            if any(each in lacked for each in admitted):
                since = None
            if admitted:
                await self._begin(admitted, since)
        except BaseException:
            await self._leave(self._entered[before:])
            raise
        self._doubt(undecided)
        return admitted

    def _enter(self) -> Relay:
        if self._relay is None:
            self._relay = hub().enter()
            if self._user is not None:
                self._relay.add(self._user, self)
            self._relay.reviews.add(self, self._auth.user, self._auth.standing)
        return self._relay

    async def _begin(self, admitted: Sequence[Subscription], since: Position | None) -> None:
        """Register first, then look: no event falls in between, and what was both is told once."""
        relay = self._enter()
        for each in admitted:
            self._since.setdefault(each.key, []).append(_NOT_YET)
            relay.add(each.key, self)
        await self._tell(admitted, since, relay)

    def _doubt(self, undecided: Sequence[Subscription]) -> None:
        self.undecided += undecided
        if self.undecided and not self._is_asking:
            self._is_asking = True
            self._begin_to(self._ask_again(self._enter()))

    async def _ask_again(self, relay: Relay) -> None:
        """Ask about the undecided until there are none, ever more seldom."""
        pause = _FIRST_PAUSE
        while self._is_asking:
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 2, _LONGEST_PAUSE)
            async with relay.settling, self._joining:
                if self._cut_by:
                    return
                asked, self.undecided = self.undecided, []
                try:
                    await self._join(asked)
                except Exception as error:
                    logger.warning("Streams cannot be followed just now: %s", error)
                    self.undecided += asked
                self._is_asking = bool(self.undecided)

    async def _tell_anew(self) -> None:
        async with self._joining:
            if self._relay is None or not self._entered or self._cut_by:
                return
            self._known, self._is_level, self._is_apart = Position(), False, False
            for key, places in self._since.items():
                self._since[key] = [_NOT_YET] * len(places)
            try:
                await self._tell(list(self._entered), None, self._relay)
            except Exception as error:
                logger.warning("A follower of streams cannot be told how things are: %s", error)
                self.dismiss()

    async def _tell(
        self, admitted: Sequence[Subscription], since: Position | None, relay: Relay
    ) -> None:
        self._held = []
        try:
            base = await relay.ready(_PATIENCE)
            first = await relay.camera.picture(admitted, base, since)
            self._show(admitted, first)
        finally:
            held, self._held = self._held, None
            for heard in held or ():
                self.hear(heard)

    def _show(self, admitted: Sequence[Subscription], first: Picture) -> None:
        """Put a picture in its place among the events that came while it was taken."""
        held, self._held = self._held or [], None
        for heard in held:
            if first.position.covers(heard.event.id):
                self.hear(heard)  # only an older subscription may want it
        for each in admitted:
            places = self._since[each.key]
            places[places.index(_NOT_YET)] = first.position
        self.joined, self._is_apart = frozenset(self._entered), len(admitted) < len(self._entered)
        self._known, self._is_level = self._known.union(first.position), False
        self._unsent.make_room([frame for frame, _ in first.frames])
        for frame, position in first.frames:
            self._put(frame, None if position is None or self._is_apart else position.token)
        for heard in held:
            if not first.position.covers(heard.event.id):
                self.hear(heard)

    def _wants(self, heard: Heard) -> bool:
        event = heard.event
        places = self._since.get((event.stream, event.group, None), ())
        if any(not each.covers(event.id) for each in places):
            return True
        if event.item is None:
            return False
        places = self._since.get((event.stream, event.group, event.item), ())
        return any(not each.covers(event.id) for each in places)

    def _refuse(self, refused: Iterable[Subscription]) -> None:
        for each in refused:
            self._put(Frame(frames.unauthorized(*each.key)), None)

    def _put(self, frame: Frame, token: str | None) -> None:
        if not self._cut_by and not self._unsent.put(frame, token, self.joined):
            self._cut(TooSlow("too slow"))

    def _cut(self, why: CutOff) -> None:
        """Give up on a client; nothing is kept for it."""
        logger.info("A follower of streams was cut off: %s", why)
        self._cut_by = why
        self._unsent.clear()
        if self._relay is not None:
            self._relay.reviews.remove(self)
            for key in self._since:
                self._relay.remove(key, self)
        if self._cut_off is not None:
            self._cut_off(why)
        self._unsent.wake()

    def _begin_to(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _leave(self, subscriptions: Sequence[Subscription]) -> None:
        for each in subscriptions:
            self._forget(each)
        self.joined = frozenset(self._entered)
        await access.leave(subscriptions, self._auth)

    async def _end(self) -> None:
        async with self._joining:
            entered = list(self._entered)
            for each in entered:
                self._forget(each)
            relay, self._relay = self._relay, None
            if relay is not None:
                relay.reviews.remove(self)
                if self._user is not None:
                    relay.remove(self._user, self)
                hub().leave(relay)
            await access.leave(entered, self._auth)

    def _forget(self, subscription: Subscription) -> None:
        """Follow it no more, unless it was joined another time; it may not have begun yet."""
        self._entered.remove(subscription)
        places = self._since.get(subscription.key, [])
        del places[self._entered.count(subscription) :]
        if not places:
            self._since.pop(subscription.key, None)
            if self._relay is not None:
                self._relay.remove(subscription.key, self)

    def _token_after(self, read: Position) -> str | None:
        """Return where this connection has got to when the hub has read so far.

        What its pictures were ahead of the hub in, it knows besides; until the hub has caught up.
        None until then, if only some of what it follows was in the last one.
        """
        if self._is_level:
            return read.token
        both = read.union(self._known)
        self._is_level = both == read
        self._is_apart = self._is_apart and not self._is_level
        return None if self._is_apart else both.token
