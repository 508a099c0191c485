"""What a test starts Steps by: messages, ticks, changes, events; refused if none can start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.utils import timezone

from motia_django import dispatch, ledger, ticks
from motia_django.exceptions import StartsNothing, did_you_mean
from motia_django.live.face import Stream
from motia_django.registry import registry
from motia_django.stores import state_store
from motia_django.stores.base import Audience, Change, Write, checked_key, text_of
from motia_django.stores.face import state
from motia_django.testing.asking import NOT_GIVEN
from motia_django.triggers import StateTrigger, StreamTrigger, Trigger

T = TypeVar("T", bound=Trigger)


class _Nobody(Audience):
    """Hears of nothing: how things were before is no change."""

    def hears(self, group: str, key: str) -> bool:
        return False

    def tell(self, change: Change) -> None:
        raise AssertionError("told though it hears of nothing")


def send(topic: str, data: Any, keys: dict[str, Any]) -> None:
    """Send a message; raise `StartsNothing` if no Step listens on its topic."""
    heard = registry().topics()
    if topic not in heard:
        raise StartsNothing(_unknown(f"No Step listens on the topic {topic!r}", topic, heard))
    dispatch.enqueue(topic, data, **keys)


def tick(step: str) -> None:
    """Start a Step's newest tick up to now, as beat does; raise `StartsNothing` if none can be."""
    found = registry().step(step)
    schedules = found.triggers_of("cron")
    if not schedules:
        scheduled = {each.step.name for each in registry().schedules}
        raise StartsNothing(_unknown(f"Step {step!r} has no cron trigger", step, scheduled))
    newest = {index: _newest(step, index) for index, _ in schedules}
    due = max((each for each in newest.values() if each is not None), default=None)
    if due is None:
        raise StartsNothing(f"Step {step!r} was never due up to {_now()}")
    for index in (index for index, each in newest.items() if each == due):
        ticks.tick(step, index, due)


def change_state(group: str, key: str, new: Any, old: Any) -> None:
    """Write an item of state, or delete it with None, having made `old` what it was before.

    Raise `StartsNothing` if no Step watches it.
    """
    if not registry().is_watched(group, key):
        watched = {each.source for each in _triggers(StateTrigger)}
        item = f"{group}/{key}"
        raise StartsNothing(_unknown(f"No Step watches the state {item!r}", item, watched))
    if old is not NOT_GIVEN:
        before = Write(
            group=checked_key("group", group),
            key=checked_key("key", key),
            text=None if old is None else text_of(old),
        )
        state_store().write([before], _Nobody())
    if new is None:
        state.delete(group, key)
    else:
        state.set(group, key, new)


def change_stream(stream: str, group: str, item: str | None, value: Any, event: Any) -> None:
    """Write or delete an item of a stream, or send it an event `(type, data)`.

    Raise `UnknownStream`, or `StartsNothing` if no Step watches the stream.
    """
    name = registry().stream(stream).name
    watched = {each.stream_name for each in _triggers(StreamTrigger)}
    if name not in watched:
        raise StartsNothing(_unknown(f"No Step watches the stream {name!r}", name, watched))
    if event is not None:
        kind, data = event
        Stream(name).send(group, kind, data, item=item)
    elif item is None:
        raise TypeError("stream_event: expected an item and its value, or an event")
    elif value is None:
        Stream(name).delete(group, item)
    else:
        Stream(name).set(group, item, value)


def check_topic(topic: str) -> None:
    """Raise `StartsNothing` if no Step listens on a topic, or says that it sends to it."""
    sent = ({*each.topics, each.on_dead} for each in registry())
    known = registry().topics().union(*sent) - {""}
    if topic not in known:
        raise StartsNothing(_unknown(f"No Step knows the topic {topic!r}", topic, known))


def _newest(step: str, index: int) -> datetime | None:
    """Return when a schedule was due last, as its file or an operator has it."""
    timing = ticks.declared(ticks.trigger_of(step, index))
    return ticks.in_force(timing, ledger.override_of(step, index)).latest(_now())


def _now() -> datetime:
    now = timezone.now()
    aware = timezone.make_aware(now) if timezone.is_naive(now) else now
    return aware.astimezone(UTC)


def _triggers(kind: type[T]) -> Iterator[T]:
    """Yield the triggers of a kind, of all Steps."""
    for step in registry():
        for trigger in step.triggers:
            if isinstance(trigger, kind):
                yield trigger


def _unknown(what: str, word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    there = ", ".join(map(repr, names)) or "nothing"
    return f"{what}.{did_you_mean(word, names)} There is {there}."
