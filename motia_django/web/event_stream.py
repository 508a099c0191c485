"""The door for browsers: streams as Server-Sent Events, over any number of subscriptions at once.

`GET /streams/<name>/<group>/`, `/streams/<name>/<group>/<item>/`, or for several on one connection
`/streams/?follow=<name>/<group>&follow=<name>/<group>/<item>`, each part percent-encoded.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError, InterfaceError, connections, transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import URLPattern, path
from django.utils.log import log_response
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request as RestRequest
from rest_framework.response import Response as RestResponse

from motia_django.conf import settings
from motia_django.live import access, frames, log
from motia_django.live.access import Auth, Gate, Subscription
from motia_django.live.following import CutOff, Following, TooSlow
from motia_django.live.frames import Clock, Frame, Message
from motia_django.live.pictures import picture
from motia_django.live.positions import Position
from motia_django.live.threads import close_connections, give_back_what_is_kept, in_thread
from motia_django.triggers.sse import HEADERS
from motia_django.web import asking
from motia_django.web.asking import Ids

logger = logging.getLogger("motia.streams")

HEARTBEAT = 15.0
"""Seconds of silence after which a line is sent, so that nobody on the way hangs up."""
FAREWELL = 3.0
"""Seconds that a client has to take the end of its connection, before it is just dropped."""
_RECENT = 1000
"""Events up to which a browser that comes back says itself how far the log is known."""
_AWAY = (DatabaseError, InterfaceError, TimeoutError)
_RETRY = 2000
_RETRY_AFTER_TROUBLE = 5000


class FollowView(Gate):
    """What of a request is judged before anything is sent, as REST framework does it."""

    http_method_names = ["get", "head", "options"]
    renderer_classes = (JSONRenderer,)
    name = "Streams"
    description = "Items that are followed live, as Server-Sent Events."

    def get(self, request: RestRequest, **route: str) -> HttpResponseBase:
        """Follow streams, as Server-Sent Events."""
        return Admitted(self, asking.asked_for(request, route))

    def refusal(self) -> HttpResponseBase:
        """Return the 401 or 403 of who may follow nothing of what he asks for."""
        try:
            self.permission_denied(self.request)
        except APIException as error:
            response = self.handle_exception(error)
        finished = self.finalize_response(self.request, response)
        if isinstance(finished, RestResponse):
            finished.render()
        return finished


class Admitted(HttpResponse):
    """Stands for a request that may go on; to HEAD it is the answer."""

    def __init__(self, view: FollowView, subscriptions: list[Subscription]) -> None:
        super().__init__(headers=HEADERS)
        self.view = view
        self.subscriptions = subscriptions
        self.auth: Auth = access.auth_of(view.request)
        self.ids = Ids(subscriptions, self.auth.user, asking.last_id(view.request))


class EventStream(StreamingHttpResponse):
    """What is sent while a connection is open; closing it ends what it follows.

    Nobody closes what was never sent, since the client went too soon or middleware failed on it.
    """

    def __init__(self, following: Following, parts: AsyncIterator[bytes], **options: Any) -> None:
        self._following = following
        self._loop = asyncio.get_running_loop()
        super().__init__(parts, **options)

    def close(self) -> None:
        """Leave, also if nothing of this was ever sent."""
        super().close()
        self._leave()

    def __del__(self) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._following.is_joined and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._following.close(), self._loop)


def lifetime() -> float:
    """Return the seconds after which one client has to come back, and is judged again."""
    seconds: float = settings().streams["LIFETIME"]
    return seconds * random.uniform(0.8, 1.2)


def stream_patterns() -> list[URLPattern]:
    """Return the URL patterns of the door."""
    return [
        path("streams/", follow, name="streams"),
        path("streams/<str:stream>/<str:group>/", follow, name="stream-group"),
        path("streams/<str:stream>/<str:group>/<str:item>/", follow, name="stream-item"),
    ]


@csrf_exempt
async def follow(request: HttpRequest, **route: str) -> HttpResponseBase:
    """Answer for as long as the client stays; a server that cannot, answers what there is."""
    if not isinstance(request, ASGIRequest):
        return await sync_to_async(_answered)(request, route)
    # What Django's middleware has used: the next connection is needed before this one ends.
    await sync_to_async(close_connections)()
    try:
        admitted = await in_thread(_judged, request, route)
    except _AWAY:
        return _failed(request)
    if not isinstance(admitted, Admitted) or request.method == "HEAD":
        return admitted
    return await _streamed(admitted)


for _alias in connections:
    transaction.non_atomic_requests(using=_alias)(follow)

_view = FollowView.as_view()


def _judged(request: HttpRequest, route: dict[str, str]) -> HttpResponseBase:
    return _view(request, **route)


async def _streamed(admitted: Admitted) -> HttpResponseBase:
    task: list[asyncio.Task[Any]] = []
    following = Following(admitted.auth, cut_off=partial(_cut_off, task))
    try:
        joined = await following.join(
            *admitted.subscriptions, since=admitted.ids.since, lacked=admitted.ids.lacked
        )
        if following.undecided and not joined:
            return _later(admitted.view.request)
        if not joined:
            return await in_thread(admitted.view.refusal)
    except _AWAY:
        return _failed(admitted.view.request)
    finally:
        if not following.is_joined:
            await following.close()
    admitted.ids.begin(joined)
    parts = _parts(following, task, admitted.ids)
    return EventStream(following, parts, headers=_headers(admitted))


def _cut_off(task: list[asyncio.Task[Any]], why: CutOff) -> None:
    """Cancel what sends: to who is slow at once, to others if they do not take the end of it."""
    patience = 0.0 if isinstance(why, TooSlow) else FAREWELL
    loop = asyncio.get_running_loop()
    loop.call_later(patience, lambda: [each.cancel() for each in task])


async def _parts(
    following: Following, task: list[asyncio.Task[Any]], ids: Ids
) -> AsyncIterator[bytes]:
    """Yield what the client is sent, until it goes, is cut off, or has been here for long."""
    task += [each for each in [asyncio.current_task()] if each is not None]
    end = time.monotonic() + lifetime()
    try:
        await give_back_what_is_kept()
        yield _retry(_RETRY)
        while time.monotonic() < end:
            messages = await following.messages(HEARTBEAT)
            yield _written(messages, ids) if messages else _heartbeat(following, ids)
    except CutOff:
        pass
    finally:
        task.clear()
        await following.close()


def _answered(request: HttpRequest, route: dict[str, str]) -> HttpResponseBase:
    """Answer what there is, and end: the browser comes back by itself and resumes."""
    try:
        admitted = _judged(request, route)
    except _AWAY:
        return _failed(request)
    if not isinstance(admitted, Admitted) or request.method == "HEAD":
        return admitted
    entered: list[Subscription] = []
    try:
        undecided = access.enter(admitted.subscriptions, admitted.auth, entered)
        if undecided and not entered:
            return _later(request)
        if not entered:
            return admitted.view.refusal()
        messages = list(_told(admitted, entered, undecided))
    except _AWAY:
        return _failed(request)
    finally:
        access.tell_of_leaving(entered, admitted.auth)
    admitted.ids.begin(messages[0].joined if messages else entered)
    content = _retry(_RETRY) + _written(messages, admitted.ids)
    return HttpResponse(content, headers=_headers(admitted))


def _told(
    admitted: Admitted, entered: Sequence[Subscription], undecided: Sequence[Subscription]
) -> Iterator[Message]:
    clock, joined = Clock(), frozenset(entered)
    ids = admitted.ids
    since = None if any(each in ids.lacked for each in entered) else ids.since
    first = picture(entered, _base(since), since)
    for each in admitted.subscriptions:
        if each not in entered and each not in undecided:
            yield Message(Frame(frames.unauthorized(*each.key)).at(clock.tick()), None, joined)
    for frame, position in first.frames:
        yield Message(frame.at(clock.tick()), position.token if position else None, joined)
    if not first.frames:
        yield Message("", first.position.token, joined)


def _base(since: Position | None) -> Position:
    """Return how far the log is known: as the browser says, unless it is too old or has holes.

    A hole that is never filled would otherwise be handed to and fro for ever.
    """
    if since is None or since.holes or not 0 <= log.newest() - since.upto < _RECENT:
        return log.recent()
    return since


def _headers(admitted: Admitted) -> dict[str, str]:
    return dict(admitted.headers)


def _failed(request: HttpRequest | RestRequest) -> HttpResponseBase:
    logger.exception("Streams cannot be followed just now")
    return _later(request)


def _later(request: HttpRequest | RestRequest) -> HttpResponseBase:
    """Answer so that the client tries again: an EventSource would not after a 503."""
    if "text/event-stream" in request.headers.get("Accept", ""):
        return HttpResponse(_retry(_RETRY_AFTER_TROUBLE), headers=HEADERS)
    headers = {"Retry-After": str(_RETRY_AFTER_TROUBLE // 1000), "Cache-Control": "no-store"}
    said = {"detail": "This cannot be followed just now."}
    response = JsonResponse(said, status=503, headers=headers)
    # What has failed was told once: it is no error of Django's each time that somebody comes back.
    log_response("A follower is asked to come back", response=response, logger=logger, level="info")
    return response


def _written(messages: Iterable[Message], ids: Ids) -> bytes:
    return "".join(_event(each, ids) for each in messages).encode()


def _event(message: Message, ids: Ids) -> str:
    known = ids.of(message.position, message.joined)
    resumable = f"id: {known}\n" if known else ""
    data = f"data: {message.text}\n" if message.text else ""
    return f"{resumable}{data}\n"


def _heartbeat(following: Following, ids: Ids) -> bytes:
    """Return a comment, and, without any event, from where to resume."""
    position = following.position
    if position is None:
        return b":\n\n"
    return f":\nid: {ids.of(position, following.joined)}\n\n".encode()


def _retry(milliseconds: int) -> bytes:
    return f"retry: {milliseconds}\n\n".encode()
