"""`step(...)`: a config, or, as in Motia 1.0, a config and its handler in one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from motia_django import calls
from motia_django.exceptions import NoMatch
from motia_django.triggers.base import OLD_NAMES
from motia_django.triggers.spellings import once
from motia_django.triggers.written import StepConfig
from motia_django.twofold import settled

__all__ = [
    "MultiTriggerStepBuilder",
    "StepBuilder",
    "StepDefinition",
    "multi_trigger_step",
    "step",
]

Handler = Callable[..., Any]
Handlers = Mapping[str, Handler]


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """A Step's config and its handler, for a Step file to hold under any name."""

    config: StepConfig
    handler: Handler


@dataclass(frozen=True, slots=True)
class StepBuilder:
    """A config that waits for its handler: `step(config).handle(handler)`."""

    config: StepConfig

    def handle(self, handler: Handler) -> StepDefinition:
        """Return the Step that is handled so."""
        return StepDefinition(self.config, handler)


@dataclass(slots=True)
class MultiTriggerStepBuilder:
    """A config that waits for a handler for each kind of its triggers."""

    config: StepConfig
    _handlers: dict[str, Handler] = field(default_factory=dict)

    def on_http(self, handler: Handler) -> MultiTriggerStepBuilder:
        """Have requests handled so."""
        return self._with("http", handler)

    def on_queue(self, handler: Handler) -> MultiTriggerStepBuilder:
        """Have messages handled so."""
        return self._with("queue", handler)

    def on_cron(self, handler: Handler) -> MultiTriggerStepBuilder:
        """Have ticks handled so, by a function of `(ctx)`."""
        return self._with("cron", handler)

    def on_state(self, handler: Handler) -> MultiTriggerStepBuilder:
        """Have changes of state handled so."""
        return self._with("state", handler)

    def on_stream(self, handler: Handler) -> MultiTriggerStepBuilder:
        """Have events of streams handled so."""
        return self._with("stream", handler)

    on_api, on_event = on_http, on_queue

    def handlers(self, handlers: Handlers | None = None) -> StepDefinition:
        """Return the Step that is handled so: `{"http": ..., "queue": ...}` and what was added."""
        for kind, handler in (handlers or {}).items():
            self._with(OLD_NAMES.get(kind, kind), handler)
        return StepDefinition(self.config, _by_kind(dict(self._handlers), self.config))

    def _with(self, kind: str, handler: Handler) -> MultiTriggerStepBuilder:
        self._handlers[kind] = handler
        return self


@overload
def step(name: Mapping[str, Any], handler: Handler) -> StepDefinition: ...
@overload
def step(name: Mapping[str, Any]) -> StepBuilder: ...
@overload
def step(
    name: str,
    *,
    triggers: Sequence[Mapping[str, Any]],
    description: str | None = None,
    enqueues: Sequence[str | Mapping[str, Any]] | None = None,
    virtual_enqueues: Sequence[str | Mapping[str, Any]] | None = None,
    virtual_subscribes: Sequence[str] | None = None,
    on_dead: str | None = None,
    flows: Sequence[str] | None = None,
    docs: str | None = None,
    atomic: bool | None = None,
    record: str | None = None,
    index: Sequence[str] | Mapping[str, str | Sequence[str]] | None = None,
    redact: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
) -> StepConfig: ...
def step(name: str | Mapping[str, Any], handler: Handler | None = None, **keys: Any) -> Any:
    """Declare a Step's config: `config = step("CreateTodo", triggers=[http("POST", "/todos")])`.

    Of a config that is there already, `step(config, handler)` makes a Step with its handler, and
    `step(config).handle(handler)` does the same.
    """
    if isinstance(name, str):
        keys = once("step", keys, {})
        return StepConfig(name=name, **{**keys, "triggers": list(keys.get("triggers", ()))})
    config = StepConfig.model_validate(name)
    return StepBuilder(config) if handler is None else StepDefinition(config, handler)


def multi_trigger_step(config: Mapping[str, Any]) -> MultiTriggerStepBuilder:
    """Begin a Step with a handler for each kind of its triggers.

    Write `multi_trigger_step(config).on_http(answer).on_queue(work).handlers()`, or
    `multi_trigger_step(config).handlers({"http": answer, "queue": work})`.
    """
    return MultiTriggerStepBuilder(StepConfig.model_validate(config))


def _by_kind(handlers: dict[str, Handler], config: StepConfig) -> Handler:
    """Return a handler that leaves each run to the one of its trigger's kind."""

    def chosen(input: Any, ctx: Any) -> Any:
        kind = ctx.trigger.type
        if kind not in handlers:
            known = ", ".join(handlers) or "nothing"
            raise NoMatch(f"Step {ctx.step!r} has no handler for {kind!r}, only for {known}")
        handler = handlers[kind]
        arity = calls.arity(handler, 2)
        alone = kind == "cron" and arity == 1
        return handler(ctx) if alone else handler(*(input, ctx)[:arity])

    async def awaited(input: Any, ctx: Any) -> Any:
        return await settled(chosen(input, ctx))

    return awaited if any(map(calls.is_async, handlers.values())) else chosen
