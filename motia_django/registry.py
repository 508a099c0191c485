"""Which Steps and streams exist: by name, route, topic, schedule and watched change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from motia_django.conf import settings
from motia_django.declarations import Problem
from motia_django.delivery import Delivery
from motia_django.exceptions import MotiaError, UnknownStep, UnknownStream, did_you_mean
from motia_django.sources import near
from motia_django.steps import Step
from motia_django.stream_config import StreamConfig, is_stream_file
from motia_django.triggers import CronTrigger, HttpTrigger, StateTrigger, StreamTrigger, Trigger
from motia_django.triggers.state import StateChange
from motia_django.triggers.stream import StreamChange

DUPLICATE_NAME = "motia.E008"
DUPLICATE_ROUTE = "motia.E009"
NO_SUCH_STREAM = "motia.E011"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A trigger together with the Step that it starts."""

    step: Step
    index: int
    trigger: Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path of the API and what answers each method on it."""

    path: str
    """As the first Step with this path declares it."""
    endpoints: Mapping[str, Listener]


class Registry:
    """All Steps of a project, indexed once. It does not change: discovery makes a new one."""

    def __init__(
        self,
        steps: Iterable[Step] = (),
        problems: Iterable[Problem] = (),
        streams: Iterable[StreamConfig] = (),
    ) -> None:
        self._steps: dict[str, Step] = {}
        self._streams: dict[str, StreamConfig] = {}
        self._by_topic: dict[str, list[Listener]] = {}
        self._by_stream: dict[str, list[Listener]] = {}
        self._watchers: dict[str | None, list[Listener]] = {}
        self._endpoints: dict[tuple[str, ...], dict[str, Listener]] = {}
        self._signed_by: dict[str, tuple[str, ...]] = {}
        """For each Step, the headers that sign its requests, as words that mask them."""
        self.schedules: list[Listener] = []
        found = list(problems)
        self._is_streamless = any(is_stream_file(each.file) for each in found)
        """Whether a stream file could not be read, so that which stream it is is not known."""
        for stream in streams:
            found += self._add_stream(stream)
        for step in steps:
            found += self._add(step)
        self.problems: tuple[Problem, ...] = tuple(found)

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps.values())

    def __len__(self) -> int:
        return len(self._steps)

    def __contains__(self, name: str) -> bool:
        return name in self._steps

    def step(self, name: str) -> Step:
        """Return the Step of that name; raise `UnknownStep` with the nearest one."""
        try:
            return self._steps[name]
        except KeyError:
            raise UnknownStep(name, self._steps) from None

    @property
    def streams(self) -> Mapping[str, StreamConfig]:
        """All streams, by name."""
        return self._streams

    def stream(self, name: str) -> StreamConfig:
        """Return the stream of that name; raise `UnknownStream` with the nearest one."""
        try:
            return self._streams[name]
        except KeyError:
            raise UnknownStream(name, self._streams) from None

    def delivery(self, step: str, kind: str, index: int, source: str = "") -> Delivery:
        """Return how a trigger's runs are delivered; what is gone leaves the defaults."""
        try:
            return self.step(step).trigger(kind, index, source).delivery
        except MotiaError:
            return Delivery()

    def takes(self, step: str, kind: str, index: int, source: str) -> bool:
        """Return whether the Step is there, and the trigger, that such a run was born of."""
        return step in self._steps and self._steps[step].has_trigger(kind, index, source)

    def masks(self, step: str) -> tuple[str, ...]:
        """Return the words of keys whose values are masked in a Step's runs, gone as it may be.

        The headers that sign its requests are among them, by their names.
        """
        if step not in self._steps:
            return settings().redact
        return self._steps[step].masks + self._signed_by[step]

    def index_names(self) -> set[str]:
        """Return all names that runs of some Step are found by."""
        return {name for step in self for each in step.triggers for name, _ in step.index_of(each)}

    def subscribers(self, topic: str) -> list[Listener]:
        """Return what listens on a topic."""
        return self._by_topic.get(topic, [])

    def watchers(self, change: StateChange) -> list[Listener]:
        """Return what listens for a change of state; conditions are not asked here."""
        return [
            each
            for each in self._watchers_of(change.group_id)
            if isinstance(each.trigger, StateTrigger) and each.trigger.hears(change)
        ]

    def stream_watchers(self, change: StreamChange) -> list[Listener]:
        """Return what listens for an event of a stream; conditions are not asked here."""
        return [
            each
            for each in self._by_stream.get(change.stream_name, ())
            if isinstance(each.trigger, StreamTrigger) and each.trigger.hears(change)
        ]

    def is_watched(self, group: str, key: str) -> bool:
        """Return whether any change of this item of state might be listened for."""
        return bool(self._watchers) and any(
            isinstance(each.trigger, StateTrigger) and each.trigger.item_id in (None, key)
            for each in self._watchers_of(group)
        )

    def routes(self) -> list[Route]:
        """Return the API's paths, each literal segment before a parameter in its place."""
        shapes = sorted(self._endpoints, key=lambda shape: [part == ":" for part in shape])
        return [
            Route(path=_path(self._endpoints[shape]), endpoints=self._endpoints[shape])
            for shape in shapes
        ]

    def in_background(self) -> list[Step]:
        """Return the Steps that workers run: those with any trigger but http."""
        return [step for step in self if any(each.kind != "http" for each in step.triggers)]

    def flows(self) -> dict[str, list[Step]]:
        """Return the Steps of each flow, by the flow's name."""
        flows: dict[str, list[Step]] = {}
        for step in self:
            for flow in step.flows:
                flows.setdefault(flow, []).append(step)
        return dict(sorted(flows.items()))

    def topics(self) -> set[str]:
        """Return the topics that somebody listens on."""
        return set(self._by_topic)

    def _add_stream(self, stream: StreamConfig) -> list[Problem]:
        first = self._streams.setdefault(stream.name, stream)
        if first is stream:
            return []
        message = f"the name {stream.name!r} is taken by {near(first.file)}"
        return [_problem(DUPLICATE_NAME, message, "Names of streams must be unique.", stream)]

    def _watchers_of(self, group: str) -> list[Listener]:
        return [*self._watchers.get(None, ()), *self._watchers.get(group, ())]

    def _add(self, step: Step) -> list[Problem]:
        first = self._steps.setdefault(step.name, step)
        if first is not step:
            message = f"the name {step.name!r} is taken by {near(first.file)}"
            return [_problem(DUPLICATE_NAME, message, "Step names must be unique.", step)]
        self._signed_by[step.name] = _signature_headers(step)
        problems = []
        for index, trigger in enumerate(step.triggers):
            listener = Listener(step=step, index=index, trigger=trigger)
            problems += self._index(listener)
        return problems

    def _index(self, listener: Listener) -> list[Problem]:
        trigger: Any = listener.trigger
        if isinstance(trigger, HttpTrigger):
            return self._index_route(listener, trigger)
        if isinstance(trigger, CronTrigger):
            self.schedules.append(listener)
        elif isinstance(trigger, StateTrigger):
            self._watchers.setdefault(trigger.group_id, []).append(listener)
        elif isinstance(trigger, StreamTrigger):
            return self._index_stream(listener, trigger)
        elif trigger.kind == "queue":
            self._by_topic.setdefault(trigger.topic, []).append(listener)
        return []

    def _index_stream(self, listener: Listener, trigger: StreamTrigger) -> list[Problem]:
        self._by_stream.setdefault(trigger.stream_name, []).append(listener)
        if trigger.stream_name in self._streams or self._is_streamless:
            return []
        message = f"there is no stream named {trigger.stream_name!r}"
        declaration = f'{{"name": {trigger.stream_name!r}}}'
        hint = did_you_mean(trigger.stream_name, self._streams).strip()
        hint = hint or f"Declare it, config = {declaration}, in a file streams/*_stream.py."
        return [_problem(NO_SUCH_STREAM, message, hint, listener.step)]

    def _index_route(self, listener: Listener, trigger: HttpTrigger) -> list[Problem]:
        shape = tuple(":" if part.startswith(":") else part for part in trigger.path[1:].split("/"))
        first = self._endpoints.setdefault(shape, {}).setdefault(trigger.method, listener)
        if first is listener:
            return []
        message = (
            f"{trigger.source} is already served by Step {first.step.name!r}"
            f" in {near(first.step.file)}"
        )
        return [_problem(DUPLICATE_ROUTE, message, "Change the method or the path.", listener.step)]


_registry = Registry()


def registry() -> Registry:
    """Return the Steps of this process."""
    return _registry


def install(new: Registry) -> None:
    """Make `new` the Steps of this process."""
    global _registry
    _registry = new


@contextmanager
def installed(new: Registry) -> Iterator[Registry]:
    """Make `new` the Steps of this process for the block: for tests."""
    before = registry()
    install(new)
    try:
        yield new
    finally:
        install(before)


def _signature_headers(step: Step) -> tuple[str, ...]:
    """Return the headers that sign requests to a Step, each as a word that masks it."""
    own = [each for each in step.http_triggers if each.policies.authentication]
    if not own:
        return ()
    from motia_django.webhooks import signatures_of

    kinds = (each for trigger in own for each in signatures_of(trigger))
    return tuple(f"={name}" for name in dict.fromkeys(each.header for each in kinds) if name)


def _path(endpoints: Mapping[str, Listener]) -> str:
    trigger = next(iter(endpoints.values())).trigger
    assert isinstance(trigger, HttpTrigger)
    return trigger.path


def _problem(id: str, message: str, hint: str, declared: Step | StreamConfig) -> Problem:
    return Problem(id=id, message=message, hint=hint, file=declared.file, line=declared.line)
