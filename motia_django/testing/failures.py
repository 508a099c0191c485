"""Attempts that fail because the test wants it: a handler in its place that raises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Any

from motia_django import registry
from motia_django.exceptions import MotiaError, WorkerLost
from motia_django.registry import Registry
from motia_django.steps import Step


class InjectedFailure(Exception):
    """What an attempt fails by if the test names nothing else."""


class Gone(BaseException):
    """Ends an attempt as the end of its process does: nobody writes anything down."""


@dataclass(slots=True, kw_only=True)
class _Plan:
    error: Exception | type[Exception]
    times: int | None
    after: bool


class Failures:
    """Which Steps are to fail, how often and by what."""

    def __init__(self) -> None:
        self._plans: dict[str, list[_Plan]] = {}
        self._raised: list[BaseException] = []
        self._failing_steps: list[Step] = []
        self._before = self._now = registry.registry()

    def plan(
        self, step: str, error: Exception | type[Exception], times: int | None, *, after: bool
    ) -> None:
        """Have the next attempts of a Step fail; raise `UnknownStep` if there is none."""
        found = registry.registry().step(step)
        if times is not None and times < 1:
            raise ValueError(f"fail: times: expected 1 or more, or None for always, got {times!r}")
        made = error() if isinstance(error, type) else error
        if not isinstance(made, Exception):
            raise TypeError(f"fail: error: expected an exception, or a class of them, got {made!r}")
        if _is_loss(error) and not found.keeps_all:
            raise MotiaError(
                f"fail: {step!r} is recorded if it fails only, so that a run whose worker is lost"
                " comes back by the broker, which there is none of in a test"
            )
        if not any(each is found for each in self._failing_steps):
            self._put(replace(found, handler=self._failing(found)))
        self._plans.setdefault(step, []).append(_Plan(error=error, times=times, after=after))

    def is_wanted(self, error: BaseException | None) -> bool:
        """Return whether an error is one that the test asked for."""
        return any(each is error for each in self._raised)

    def stop(self) -> None:
        """Give the Steps their own handlers back."""
        if registry.registry() is self._now:
            registry.install(self._before)

    def _put(self, step: Step) -> None:
        """Put a Step in the place of the one of its name."""
        known = registry.registry()
        if known is not self._now:  # they were exchanged meanwhile
            self._before = known
        steps = [step if each.name == step.name else each for each in known]
        self._failing_steps.append(step)
        self._now = Registry(steps, streams=known.streams.values())
        registry.install(self._now)

    def _failing(self, step: Step) -> Callable[..., Any]:
        """Return a handler that is the Step's own, but for the attempts that are to fail."""

        def handler(*arguments: Any) -> Any:
            plan = self._next(step.name)
            if plan is None:
                return step.handler(*arguments)
            if not plan.after:
                raise self._error(plan)
            result = step.handler(*arguments)
            if isawaitable(result):
                return self._failing_after(result, plan)
            raise self._error(plan)

        return handler

    async def _failing_after(self, work: Awaitable[Any], plan: _Plan) -> None:
        await work
        raise self._error(plan)

    def _next(self, step: str) -> _Plan | None:
        """Return what the attempt that begins now is to fail by, if it is."""
        plans = self._plans[step]
        if not plans:
            return None
        plan = plans[0]
        if plan.times is not None:
            plan.times -= 1
            if not plan.times:
                plans.pop(0)
        return plan

    def _error(self, plan: _Plan) -> BaseException:
        if _is_loss(plan.error):
            return Gone()
        error = plan.error() if isinstance(plan.error, type) else plan.error
        self._raised.append(error)
        return error.with_traceback(None)


def _is_loss(error: Exception | type[Exception]) -> bool:
    return error is WorkerLost or isinstance(error, WorkerLost)
