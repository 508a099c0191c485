"""Django's ASGI handler, with each request for a Step answered in one go."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import closing
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import FileResponse
from django.urls import set_script_prefix

from motia_django.web import turnover
from motia_django.web.base_handler import StepHandler
from motia_django.web.lending import lent_thread
from motia_django.web.paths import step_view
from motia_django.web.views import StepView

T = TypeVar("T")


class AsgiHandler(ASGIHandler):
    """What answers requests; those for Steps are answered in their thread, from end to end.

    Django's own goes to that thread and back for each signal, the view, and what of the middleware
    is not async: the way takes longer than most of them. Middleware is made twice, for both ways.
    """

    def __init__(self) -> None:
        super().__init__()
        self._in_one_go = _InOneGo()
        self._answer = sync_to_async(self._answered)

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        with lent_thread():
            view = self._step_view(scope)
            if view is None:
                await super().handle(scope, receive, send)
            else:
                await self._handle_in_one_go(view, scope, receive, send)

    def _step_view(self, scope: Any) -> type[StepView] | None:
        """Return the view of the Steps at a path; what is wrong with URLs Django tells of later."""
        try:
            path = scope["path"].removeprefix(get_script_prefix(scope))
            return step_view(self._in_one_go.match(path).func)
        except Exception:
            return None

    async def _handle_in_one_go(
        self, view: type[StepView], scope: Any, receive: Any, send: Any
    ) -> None:
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with closing(body):
            answering = self._answer(scope, body)
            may_wait = any(each.is_async for each in view.endpoints.values())
            response = await (self._unless_gone(receive, answering) if may_wait else answering)
            if response is None:
                return
            sending = self.send_response(response, send)
            if not response.streaming:
                await sending
                return
            try:
                await self._unless_gone(receive, sending)
            finally:
                await sync_to_async(response.close)()

    async def _unless_gone(self, receive: Any, work: Coroutine[Any, Any, T]) -> T | None:
        """Await work, and call it off if the client goes away meanwhile.

        Return what it gives; None if it has ended by that.
        """
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self.listen_for_disconnect(receive))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (working, leaving):
                each.cancel()
            await asyncio.wait((working, leaving))
        error = None if leaving.cancelled() else leaving.exception()
        if error is not None and not isinstance(error, RequestAborted):
            raise error  # the server says what no server should
        return None if working.cancelled() else working.result()

    def _answered(self, scope: Any, body: Any) -> Any:
        """Return the answer; nothing is left to be done for it unless it is still being made."""
        set_script_prefix(get_script_prefix(scope))
        turnover.begin(self.__class__, scope=scope)
        try:
            request, refusal = self.create_request(scope, body)
            response: Any = refusal if request is None else self._in_one_go.get_response(request)
        except BaseException:
            signals.request_finished.send(sender=self.__class__)
            raise
        response._handler_class = self.__class__
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if not response.streaming:
            turnover.close(response)
        return response


class _InOneGo(StepHandler):
    """The project's middleware and views, as a WSGI server has them."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()
