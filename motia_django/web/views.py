"""One REST framework view for each path: the host's policies, then the runner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, ClassVar

from django.apps import apps
from django.db import connections, transaction
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request as RestRequest
from rest_framework.response import Response as RestResponse
from rest_framework.views import APIView

from motia_django import ledger, runner, tracing
from motia_django.exceptions import InvalidInput
from motia_django.registry import Listener, Route
from motia_django.runs import Outcome, Run, Status, new_run_id
from motia_django.steps import Step
from motia_django.triggers import HttpTrigger
from motia_django.triggers.exchange import Request
from motia_django.triggers.http import METHODS
from motia_django.triggers.policies import Policies
from motia_django.web import idempotency, streaming
from motia_django.web.conditional import judged, version_of
from motia_django.web.idempotency import Claim
from motia_django.web.parts import fit
from motia_django.web.requests import read_request, recorded, refused, take_in
from motia_django.web.responses import ConditionNotMet, bad_request, told, written

Keep = Callable[[HttpResponseBase], None]

TRACE_HEADER = "Motia-Trace-Id"


class StepView(APIView):
    """What answers a path; its subclass for each route has a method for each Step on it."""

    route: ClassVar[Route]

    def answer(self, request: RestRequest, **params: str) -> HttpResponseBase:
        """Run the Step that this method and path belong to, and answer what it answers."""
        listener, trigger = self._listener(request), self._trigger(request)
        raw = read_request(request, trigger, params)
        with idempotency.claimed(listener, raw) as claim:
            if claim.answer is not None:
                return claim.answer
            version = version_of(trigger, raw)
            spared = version.spares(request._request) if version else None
            if spared is not None:
                return spared
            response = self._run(listener, raw, claim)
            return version.told(request._request, response) if version else response

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Refuse what is too large, and keep the body's bytes, before anybody reads a form."""
        take_in(request, self._trigger(request))
        super().initial(request, *args, **kwargs)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Give a response its headers, and ask the request's conditions of it."""
        final = super().finalize_response(request, response, *args, **kwargs)
        return judged(request._request, final, self._trigger(request))

    def _run(self, listener: Listener, raw: Request, claim: Claim) -> HttpResponseBase:
        """Run the Step, and return its answer, or raise it if it is an exception."""
        run = _run(listener, raw)

        def keep(response: HttpResponseBase) -> None:
            if claim.key:
                self.headers[TRACE_HEADER] = run.trace_id
                claim.keep(self._as_sent(response), f"Step {run.step!r}")

        aliases = _transactions_of(listener.step, is_kept=bool(claim.key))
        outcome, response = _performed(run, raw, aliases, keep)
        if outcome.rejected:
            raise _rejection(outcome)
        self.headers[TRACE_HEADER] = run.trace_id
        if outcome.status is Status.RUNNING:
            outcome, response = streaming.begun(raw.raw._request, run, outcome)
        if outcome.status is not Status.RUNNING:
            runner.record(run, replace(outcome, value=told(outcome.value)))
        return self._answer(outcome, response, keep)

    def _answer(
        self, outcome: Outcome, response: HttpResponseBase | None, keep: Keep
    ) -> HttpResponseBase:
        """Return what a run answers; raise what keeps it from answering."""
        if outcome.failed and outcome.error is not None:
            raise outcome.error
        if outcome.status is Status.SKIPPED:
            raise ConditionNotMet
        if outcome.error is not None:
            response = self.handle_exception(outcome.error)
            keep(response)
        assert response is not None
        return response

    def _as_sent(self, response: HttpResponseBase) -> HttpResponseBase:
        """Return a response with its headers and its content, as it will go out."""
        headers = dict(self.headers)
        final: HttpResponseBase = self.finalize_response(self.request, response)
        self.headers = headers
        if isinstance(final, RestResponse):
            final.render()
        return final

    @property
    def throttle_scope(self) -> str | None:
        """What REST framework's `ScopedRateThrottle` asks a view for."""
        return self._policies().throttle_scope

    def setup(self, request: Any, *args: Any, **params: Any) -> None:
        """Begin with a request, and with the policies of the Step that it is for."""
        super().setup(request, *args, **params)
        self.take_policies()

    def take_policies(self) -> None:
        """Take those of the Step that the request is for, in place of the project's."""
        for name, makers in self._policies().makers().items():
            if makers is not None:
                setattr(self, f"{name}_classes", makers)

    def handle_exception(self, exc: Exception) -> Any:
        """Answer an error as the project's exception handler does.

        REST framework's own rolls back the transaction that it finds. That of the request is over
        by then, so one that is open is somebody else's: a test's.
        """
        with ExitStack() as stack:
            for alias in _atomic_requests():
                if connections[alias].in_atomic_block:
                    stack.enter_context(transaction.atomic(using=alias))
            return super().handle_exception(refused(exc))

    def _listener(self, request: Any) -> Listener:
        """Return what answers a request; to OPTIONS, and to what nobody answers, the first."""
        endpoints = self.route.endpoints
        method = str(getattr(request, "method", ""))
        return endpoints.get(method) or endpoints.get("GET") or next(iter(endpoints.values()))

    def _trigger(self, request: Any) -> HttpTrigger:
        trigger = self._listener(request).trigger
        assert isinstance(trigger, HttpTrigger)
        return trigger

    def _policies(self) -> Policies:
        return self._trigger(self.request).policies


def view_for(route: Route) -> Any:
    """Return the view function of a route. It has only the methods that a Step asks for."""
    first = next(iter(route.endpoints.values())).step
    methods = [each.lower() for each in METHODS if each in route.endpoints]
    view_class = type(
        "StepView",
        (StepView,),
        {
            "route": route,
            "name": first.name,
            "description": first.description or None,
            "http_method_names": list(dict.fromkeys([*methods, "head", "options"])),
            "renderer_classes": _renderers(),
            **dict.fromkeys(methods, StepView.answer),
        },
    )
    view = view_class.as_view()  # type: ignore[attr-defined]
    for alias in connections:
        transaction.non_atomic_requests(using=alias)(view)
    return view


def _renderers() -> list[Any]:
    """Return the project's renderers, without the browsable API if its templates are not there."""
    renderers = list(StepView.renderer_classes)
    if apps.is_installed("rest_framework"):
        return renderers
    return [each for each in renderers if not issubclass(each, BrowsableAPIRenderer)]


def _run(listener: Listener, request: Request) -> Run:
    trace_id, span = tracing.begun(request.headers)
    return Run(
        id=new_run_id(),
        step=listener.step.name,
        trigger=listener.trigger.kind,
        index=listener.index,
        source=listener.trigger.source,
        input=recorded(request),
        trace_id=trace_id,
        parent_span=span,
        status=Status.RUNNING,
        attempt=1,
        created_at=timezone.now(),
    )


def _performed(
    run: Run, raw: Request, aliases: Iterable[str], keep: Keep
) -> tuple[Outcome, HttpResponseBase | None]:
    """Run the Step and keep its answer inside the request's transactions; an error undoes all."""
    outcome: Outcome | None = None
    response: HttpResponseBase | None = None
    try:
        with _transactions(aliases):
            outcome = runner.perform(run, raw)
            if outcome.error is not None:
                raise outcome.error
            if outcome.status is Status.SUCCEEDED:
                response = written(outcome.value)
                if isinstance(response, StreamingHttpResponse):
                    fit(response, is_asgi=streaming.is_asgi(raw.raw._request))
                keep(response)
    except Exception as error:
        if outcome is None:
            raise
        if outcome.status is Status.RUNNING:
            outcome = runner.finished(run, outcome, error=error)
        elif error is not outcome.error:
            outcome = replace(outcome, status=Status.DEAD, error=error)
    return outcome, response


def _transactions_of(step: Step, *, is_kept: bool) -> list[str]:
    """Return the databases in which a request is one transaction.

    That of the ledger is first, so that it is committed last: what it says was answered is then
    done in the others. Where an answer is kept, it has part in what `ATOMIC_REQUESTS` asks for.
    """
    home, asked = ledger.database(), _atomic_requests()
    own = [home] if step.atomic or home in asked or (is_kept and asked) else []
    return list(dict.fromkeys([*own, *asked]))


@contextmanager
def _transactions(aliases: Iterable[str]) -> Iterator[None]:
    """Open transactions: here and not around the view, as Django does it.

    So the history of a request that was rolled back is not rolled back with it.
    """
    with ExitStack() as stack:
        for alias in aliases:
            stack.enter_context(transaction.atomic(using=alias))
        yield


def _atomic_requests() -> list[str]:
    """Return the databases whose requests are transactions."""
    return [each for each in connections if connections.settings[each]["ATOMIC_REQUESTS"]]


def _rejection(outcome: Outcome) -> Exception:
    error = outcome.error
    assert error is not None
    return bad_request(error) if isinstance(error, InvalidInput) else error
