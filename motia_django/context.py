"""What a handler is given besides its input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property, partial
from types import GenericAlias
from typing import TYPE_CHECKING, Any, ClassVar, Generic

from typing_extensions import TypeVar

from motia_django import calls, dispatch, keys
from motia_django.exceptions import NoMatch
from motia_django.live.face import AsyncStreams, streams
from motia_django.loggers import Logger
from motia_django.loops import aside, at_length
from motia_django.moments import utc
from motia_django.registry import registry
from motia_django.runs import INVOKE, Run
from motia_django.stores.face import AsyncState, state
from motia_django.tracing import Scope
from motia_django.triggers import Trigger
from motia_django.triggers.base import OLD_NAMES, Spelled, TriggerInfo
from motia_django.twofold import DONE, Done, at_once

Invoke = Callable[..., Any]
AnyContext = TypeVar("AnyContext", bound="BaseContext")

_OTHER_NAMES = {kind: name for name, kind in OLD_NAMES.items()}
"""What branches for a trigger are called in other versions of Motia."""


class BaseContext(Spelled):
    """What the contexts of sync and async handlers have in common; nothing of it is awaited."""

    aliases: ClassVar[Mapping[str, str]] = {
        "input_value": "input",
        "emit": "enqueue",
        "is_event": "is_queue",
    }

    def __class_getitem__(cls, item: Any) -> GenericAlias:
        return GenericAlias(cls, item)

    def __init__(
        self, scope: Scope, run: Run, trigger: Trigger, input: Any, invoke: Invoke
    ) -> None:
        self.trace_id = run.trace_id
        """32 hex digits, the same for all runs that one outside cause led to."""
        self.attempt = run.attempt or 1
        """Which try of this run it is, from 1."""
        self.step = run.step
        """The name of this Step."""
        self.input = input
        """What the handler is given besides this."""
        self._scope, self._first, self._invoke = scope, input, invoke
        self._run, self._trigger = run, trigger

    @cached_property
    def trigger(self) -> TriggerInfo:
        """What started this run."""
        run, trigger = self._run, self._trigger
        return TriggerInfo(
            type=trigger.kind,
            source=trigger.source if run.trigger == INVOKE else run.source,
            index=run.index,
            scheduled_time=None if run.trigger == "http" else trigger.scheduled_time(run.input),
        )

    @cached_property
    def logger(self) -> Logger:
        """Structured logging, bound to this Step, run and trace."""
        return Logger(self._scope)

    @cached_property
    def created_at(self) -> datetime:
        """When this run was born, an aware time in UTC: as a rule, when its message was sent."""
        return utc(self._run.created_at)

    @cached_property
    def run_id(self) -> str:
        """This run, in the ledger, in Celery and in the admin."""
        return str(self._run.id)

    @cached_property
    def user(self) -> Any:
        """Who asks, for a run that an HTTP request started; None for any other."""
        return getattr(self._first, "user", None) if self.is_http() else None

    def is_http(self) -> bool:
        """Return whether an HTTP request started this run."""
        return self.trigger.type == "http"

    is_api = is_http

    def is_queue(self) -> bool:
        """Return whether a message started this run."""
        return self.trigger.type == "queue"

    def is_cron(self) -> bool:
        """Return whether a schedule started this run."""
        return self.trigger.type == "cron"

    def is_state(self) -> bool:
        """Return whether a change of state started this run."""
        return self.trigger.type == "state"

    def is_stream(self) -> bool:
        """Return whether an event of a stream started this run."""
        return self.trigger.type == "stream"

    def get_data(self) -> Any:
        """Return the data whatever the trigger: a request's body, else the input itself."""
        return self.input.body if self.is_http() else self.input

    def index(self, /, **found_by: Any) -> Done:
        """Have this run found by these keys besides those of its input: `ctx.index(orderId=17)`.

        They are written with what becomes of the attempt, failed or not. Raise `InvalidIndex` for a
        value that is neither a text nor a number, and for a name that no key may have. What it
        gives may be awaited, and need not be.
        """
        masks = registry().masks(self._run.step)
        self._scope.keys = keys.joined(self._scope.keys, found_by, masks)
        return DONE

    def match(self, branches: Mapping[str, Callable[..., Any] | None]) -> Any:
        """Call the branch for this run's trigger, or `default`, with (input, ctx) or fewer.

        `ctx.match({"http": answer, "queue": work, "default": ignore})`; an async branch gives what
        is to be awaited. A schedule has no input: its branch of one argument is given the context.
        Raise `NoMatch` if there is no branch.
        """
        own = branches.get(self.trigger.type) or branches.get(
            _OTHER_NAMES.get(self.trigger.type, "")
        )
        branch = own or branches.get("default")
        if branch is None:
            raise NoMatch(
                f"ctx.match of Step {self.step!r} has no branch for {self.trigger.type!r} and no"
                f" 'default', only {', '.join(branches) or 'nothing'}"
            )
        arity = calls.arity(branch, 2)
        alone = arity == 1 and self.is_cron()
        return branch(self) if alone else branch(*(self.input, self)[:arity])


class Context(BaseContext):
    """The context of a plain `def` handler: its calls return values."""

    state = state
    streams = streams
    enqueue = staticmethod(dispatch.enqueue)

    def invoke(self, step: str, data: Any = None) -> Any:
        """Run another Step here and now; return what its handler returns, raise what it raises."""
        return self._invoke(step, data)


class AsyncContext(BaseContext):
    """The context of an `async def` handler: the same names, awaited.

    What is called is begun at once. If the handler does not await it, it is done before the run
    ends, and fails the run if it fails.
    """

    state = AsyncState(state)
    streams = AsyncStreams()
    enqueue = staticmethod(at_once(partial(aside, dispatch.enqueue), "ctx.enqueue"))

    @partial(at_once, name="ctx.invoke")
    async def invoke(self, step: str, data: Any = None) -> Any:
        """Run another Step here and now; return what its handler returns, raise what it raises."""
        return await at_length(self._invoke, step, data)


if TYPE_CHECKING:
    Sent = TypeVar("Sent", default=Any)

    class FlowContext(AsyncContext, Generic[Sent]):
        """The context, as handlers of Motia 1.0 are annotated: `ctx: FlowContext[Any]`."""
else:
    FlowContext = BaseContext


def twin(context: BaseContext, kind: type[AnyContext]) -> AnyContext:
    """Return the same context for code of another kind: what is set on one is set on both."""
    other = kind.__new__(kind)
    other.__dict__ = context.__dict__
    return other
