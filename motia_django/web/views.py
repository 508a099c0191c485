"""One REST framework view for each path: the host's policies, then the runner."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from typing import Any

from django.apps import apps
from django.db import DatabaseError, InterfaceError, connections, transaction
from django.http import HttpResponseBase, StreamingHttpResponse
from rest_framework.renderers import BrowsableAPIRenderer

from motia_django import ledger, moments, recording, runner, tracing
from motia_django.exceptions import CalledOff, InvalidInput
from motia_django.registry import Listener, Route, registry
from motia_django.runs import Outcome, Run, Status, Unread, new_run_id
from motia_django.steps import Step
from motia_django.triggers.exchange import Request
from motia_django.triggers.http import METHODS
from motia_django.web import idempotency, streaming
from motia_django.web.conditional import version_of
from motia_django.web.endpoints import Endpoint, EndpointView, atomic_requests
from motia_django.web.idempotency import NO_CLAIM, Claim
from motia_django.web.incoming import IncomingRequest
from motia_django.web.parts import fit
from motia_django.web.requests import read_request, recorded
from motia_django.web.responses import ConditionNotMet, bad_request, told, written

Keep = Callable[[HttpResponseBase], None]

logger = logging.getLogger("motia.http")

TRACE_HEADER = "Motia-Trace-Id"
_NO_TRANSACTION: AbstractContextManager[None] = nullcontext()


class StepView(EndpointView):
    """What answers a path; its subclass for each route has a method for each Step on it."""

    def answer(self, request: IncomingRequest, **params: str) -> HttpResponseBase:
        """Run the Step that this method and path belong to, and answer what it answers."""
        listener, trigger = self.endpoint.listener, self.endpoint.trigger
        raw = read_request(request, trigger)
        if trigger.is_plain:
            return self._run(listener, raw, NO_CLAIM)
        with idempotency.claimed(listener, raw) as claim:
            if claim.answer is not None:
                return claim.answer
            version = version_of(trigger, raw)
            spared = version.spares(request._request) if version else None
            if spared is not None:
                return spared
            response = self._run(listener, raw, claim)
            return version.told(request._request, response) if version else response

    def _run(self, listener: Listener, raw: Request, claim: Claim) -> HttpResponseBase:
        """Run the Step, and return its answer, or raise it if it is an exception."""
        request = raw.raw
        run = _run(listener, request)

        def keep(response: HttpResponseBase) -> None:
            if claim.key:
                self.headers[TRACE_HEADER] = run.trace_id
                claim.keep(self.as_sent(response), f"Step {run.step!r}")

        aliases = _transactions_of(listener.step, is_kept=bool(claim.key))
        is_whole = listener.step.atomic and listener.step.keeps_all
        outcome, response = _performed(run, raw, aliases, keep, is_whole=is_whole)
        is_told = is_whole and outcome.status is Status.SUCCEEDED and outcome.error is None
        if outcome.rejected:
            assert isinstance(outcome.error, InvalidInput)
            self.wrong = [*outcome.error.errors]
            raise bad_request(outcome.error)
        self.has_run = True
        self.headers[TRACE_HEADER] = run.trace_id
        if outcome.status is Status.RUNNING:
            outcome, response = streaming.begun(request._request, _told(run, request), outcome)
        if outcome.error is not None and not outcome.failed:
            outcome, response = self._raised(outcome, outcome.error)
        if listener.step.keeps_all and not is_told and outcome.status is not Status.RUNNING:
            runner.record(run, outcome.with_value(told(outcome.value)))
        elif outcome.failed:
            runner.record(_told(run, request), outcome)
        return self._answer(outcome, response, keep)

    def _answer(
        self, outcome: Outcome, response: HttpResponseBase | None, keep: Keep
    ) -> HttpResponseBase:
        """Return what a run answers; raise what keeps it from answering."""
        if isinstance(outcome.error, CalledOff) and outcome.error.__cause__:
            raise outcome.error.__cause__  # nobody is there to be told, and no error to be logged
        if outcome.failed and outcome.error is not None:
            raise outcome.error
        if outcome.status is Status.SKIPPED:
            raise ConditionNotMet
        assert response is not None
        if outcome.error is not None:
            keep(response)
        return response

    def _raised(
        self, outcome: Outcome, error: Exception
    ) -> tuple[Outcome, HttpResponseBase | None]:
        """Return the answer that the project makes of an exception; it is the run's value, too."""
        try:
            response = self.handle_exception(error)
        except Exception as failure:
            return replace(outcome, status=Status.DEAD, error=failure), None
        return outcome.with_value(response), response


def view_for(route: Route) -> Any:
    """Return the view function of a route. It has only the methods that a Step asks for."""
    first = next(iter(route.endpoints.values())).step
    methods = [each.lower() for each in METHODS if each in route.endpoints]
    names = list(dict.fromkeys([*methods, "head", "options"]))
    lacking = set() if {"get", "head"} & {*methods} else {"head"}
    view_class = type(
        "StepView",
        (StepView,),
        {
            "route": route,
            "endpoints": {name: Endpoint(each) for name, each in route.endpoints.items()},
            "allow": ", ".join(name.upper() for name in names if name not in lacking),
            "name": first.name,
            "description": first.description or None,
            "http_method_names": names,
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


def _run(listener: Listener, request: IncomingRequest) -> Run:
    trace_id, span = tracing.begun(request.META.get("HTTP_TRACEPARENT", ""))
    return Unread(
        id=new_run_id(),
        step=listener.step.name,
        trigger=listener.trigger.kind,
        index=listener.index,
        source=listener.trigger.source,
        input=recorded(request, listener.step.masks) if listener.step.keeps_all else None,
        trace_id=trace_id,
        parent_span=span,
        status=Status.RUNNING,
        attempt=1,
        created_at=moments.now(),
    )


def _told(run: Run, request: IncomingRequest) -> Run:
    """Return the run with its request as the history keeps it, if it is without so far."""
    step = registry().step(run.step)
    return run if step.keeps_all else replace(run, input=recorded(request, step.masks)())


def _performed(
    run: Run, raw: Request, aliases: Sequence[str], keep: Keep, *, is_whole: bool
) -> tuple[Outcome, HttpResponseBase | None]:
    """Run the Step and keep its answer inside the request's transactions; an error undoes all.

    `is_whole` says whether its run is written there, too.
    """
    outcome: Outcome | None = None
    response: HttpResponseBase | None = None
    try:
        with _transactions(aliases) if aliases else _NO_TRANSACTION:
            outcome = runner.perform(run, raw)
            if outcome.error is not None:
                raise outcome.error
            if outcome.status is Status.SUCCEEDED:
                response = _made(outcome.value, raw)
                if is_whole:
                    recording.record_within(run, outcome.with_value(told(outcome.value)))
                keep(response)
    except Exception as error:
        if outcome is None:
            raise
        if outcome.status is Status.RUNNING:
            outcome = runner.finished(run, outcome, error=error)
        elif error is not outcome.error and not (is_whole and _is_committed(run)):
            outcome = replace(outcome, status=Status.DEAD, error=error)
        outcome = outcome.as_of_now()
    return outcome, response


def _made(value: Any, raw: Request) -> HttpResponseBase:
    """Return the response that a Step's answer becomes."""
    response = written(value)
    if isinstance(response, StreamingHttpResponse):
        fit(response, is_asgi=streaming.is_asgi(raw.raw._request))
    return response


def _is_committed(run: Run) -> bool:
    """Return whether a run is in the ledger, though something failed after it was written."""
    try:
        found = ledger.find(run.id) is not None
    except (DatabaseError, InterfaceError):
        return False
    if found:
        logger.exception("What run %s of %s does after its commit failed", run.id, run.step)
    return found


def _transactions_of(step: Step, *, is_kept: bool) -> list[str]:
    """Return the databases in which a request is one transaction.

    That of the ledger is first, so that it is committed last: what it says was answered is then
    done in the others. Where an answer is kept, it has part in what `ATOMIC_REQUESTS` asks for.
    """
    asked = atomic_requests()
    if not asked and not step.atomic:
        return []
    home = ledger.database()
    own = [home] if step.atomic or home in asked or is_kept else []
    return list(dict.fromkeys([*own, *asked]))


def _transactions(aliases: Sequence[str]) -> AbstractContextManager[object]:
    """Open transactions: here and not around the view, as Django does it.

    So the history of a request that was rolled back is not rolled back with it.
    """
    with ExitStack() as stack:
        for alias in aliases:
            stack.enter_context(transaction.atomic(using=alias))
        return stack.pop_all()
