"""The door for Motia's own clients: streams over WebSockets, in Motia's protocol, by Channels.

It needs no channel layer: the hub tells each process what has changed, and each socket is told.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, InterfaceError
from rest_framework.exceptions import APIException

from motia_django.live import access
from motia_django.live.access import Auth, Subscription
from motia_django.live.following import CutOff, Following, TooSlow
from motia_django.live.threads import in_thread
from motia_django.web import origins, wishes
from motia_django.web.event_stream import FAREWELL, lifetime
from motia_django.web.wishes import NotMotia, NotPossible, Wish

logger = logging.getLogger("motia.streams")

MOST_JOINED = 500
"""Subscriptions of one WebSocket."""

_PROTOCOL = "Authorization"
_GO_AWAY, _BROKEN, _LATER = 4001, 4011, 4013
_AWAY = (DatabaseError, InterfaceError, TimeoutError)


class StreamSocket(AsyncWebsocketConsumer):
    """One client's WebSocket. It holds neither a thread nor a database connection while open.

    Who is not authenticated by the project's own rules is refused the handshake; so is a browser on
    a page of another site. Who breaks the protocol is hung up on with a code and a reason.
    """

    channel_layer_alias = "motia uses none"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the connection to its end, whoever ends it."""
        self._following: Following | None = None
        self._joined: dict[str, Subscription] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._sending = asyncio.Lock()
        self._is_over = False
        try:
            async with asyncio.timeout(None) as self._limit:
                await super().__call__(scope, receive, send)
        except TimeoutError:
            logger.info("A WebSocket was dropped: its client did not take the end of it")
        finally:
            await self._end()

    async def connect(self) -> None:
        """Admit the client, or refuse the handshake."""
        offered = list(self.scope.get("subprotocols") or ())
        token = _token(offered, self.scope)
        auth = await in_thread(_judged, dict(self.scope), token)
        if auth is None:
            await self.close()
            return
        self._following = Following(auth, cut_off=self._cut_off)
        await self.accept(_PROTOCOL if _PROTOCOL in offered else None)
        self._tasks += [asyncio.ensure_future(self._tell(self._following))]
        self._tasks += [asyncio.ensure_future(self._grow_old())]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Do what the client asks for, one thing after the other."""
        if self._is_over or self._following is None:
            return
        try:
            await self._grant(wishes.read(text_data), self._following)
        except NotMotia as error:
            self._hang_up(error.code, error.reason)
        except NotPossible as error:
            logger.info("A WebSocket asked for what cannot be: %s", error)
            await self._send(wishes.not_possible(error))
        except _AWAY as error:
            logger.warning("Streams cannot be followed just now: %s", error)
            self._hang_up(_LATER, "streams cannot be followed just now")
        except Exception:
            logger.exception("A WebSocket failed")
            self._hang_up(_BROKEN, "an error of the server")

    async def _grant(self, wish: Wish, following: Following) -> None:
        """Join or leave; joining under a name that is taken begins that subscription anew."""
        before = self._joined.pop(wish.subscription_id, None)
        if before is not None:
            await following.leave(before)
        if wish.type == "leave":
            return
        if len(self._joined) >= MOST_JOINED:
            raise NotPossible(wish.subscription_id, f"more than {MOST_JOINED} subscriptions")
        async with self._sending:
            pass  # whoever does not take what he joined gets no more
        joined = await following.join(wish.subscription)
        if joined or wish.subscription in following.undecided:
            self._joined[wish.subscription_id] = wish.subscription

    async def _tell(self, following: Following) -> None:
        """Send what there is to hear, until the client is gone or cut off."""
        try:
            while True:
                messages = await following.messages()
                async with self._sending:
                    for message in messages:
                        await self._send(message.text)
        except CutOff:
            pass  # and `_cut_off` was called

    async def _grow_old(self) -> None:
        """End the connection after its time, so that its client comes back to be judged."""
        await asyncio.sleep(lifetime())
        self._hang_up(_GO_AWAY, "come back, please")

    def _cut_off(self, why: CutOff) -> None:
        self._hang_up(_LATER if isinstance(why, TooSlow) else _GO_AWAY, str(why))

    def _hang_up(self, code: int, reason: str) -> None:
        """End the connection in a moment, whether its client takes that or not."""
        if self._is_over:
            return
        self._is_over = True
        logger.info("A WebSocket is ended with %s: %s", code, reason)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._tasks += [asyncio.ensure_future(self._say_goodbye(code, reason))]
        self._limit.reschedule(asyncio.get_running_loop().time() + FAREWELL)

    async def _say_goodbye(self, code: int, reason: str) -> None:
        try:
            await self.close(code, reason)
        except (OSError, RuntimeError):
            pass  # it is gone already

    async def _send(self, text: str) -> None:
        """Send a frame; to a client that has just gone, none."""
        try:
            await self.send(text)
        except (OSError, RuntimeError):
            self._is_over = True

    async def _end(self) -> None:
        self._is_over = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._following is not None:
            await self._following.close()


def _token(offered: list[str], scope: Any) -> str:
    """Return a handshake's token: subprotocols `["Authorization", token]`, or `?authToken=`."""
    if len(offered) > 1 and offered[0] == _PROTOCOL:
        return offered[1]
    query: bytes = scope.get("query_string", b"")
    return parse_qs(query.decode("latin1")).get("authToken", [""])[0]


def _judged(scope: dict[str, Any], token: str) -> Auth | None:
    """Return who opens a WebSocket; None if he may not, which is logged."""
    scheme = {"ws": "http", "wss": "https"}.get(scope.get("scheme", "ws"), "http")
    try:
        request = access.request_of_scope({**scope, "scheme": scheme}, token)
        if origins.is_trusted(request):
            return access.authenticate(request)
        origin = request.headers.get("Origin", "")
        logger.warning(
            "A WebSocket from a page of %.200r was refused: that is neither this site nor one of"
            " CSRF_TRUSTED_ORIGINS",
            origin,
        )
    except (APIException, DisallowedHost) as error:
        logger.info("A WebSocket was refused: %s", error)
    except _AWAY as error:
        logger.warning("A WebSocket was refused, since nobody can be authenticated: %s", error)
    except Exception:
        logger.exception("A WebSocket was refused, since authentication failed")
    return None
