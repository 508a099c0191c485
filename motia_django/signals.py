"""Signals that announce what happens to runs: for observers, never in the path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.dispatch import Signal


class NamedSignal(Signal):
    """A signal whose senders are names.

    Django takes two strings for one sender only if they are one object, which a name in the code
    and the same name out of a row are not. Here each name that is connected is kept as one object.
    """

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[object, object] = {}

    def connect(
        self,
        receiver: Callable[..., Any],
        sender: object | None = None,
        weak: bool = True,
        dispatch_uid: object | None = None,
    ) -> None:
        """Have a function called for one name, or for all."""
        known = self._names.setdefault(sender, sender)
        super().connect(receiver, known, weak, dispatch_uid)

    def disconnect(
        self,
        receiver: Callable[..., Any] | None = None,
        sender: object | None = None,
        dispatch_uid: object | None = None,
    ) -> bool:
        """Call a function no more; return whether it was connected."""
        return super().disconnect(receiver, self._known(sender), dispatch_uid)

    def has_listeners(self, sender: object | None = None) -> bool:
        """Return whether anybody listens to a name."""
        return super().has_listeners(self._known(sender))

    def send(self, sender: object | None, **named: Any) -> list[tuple[Any, Any]]:
        """Tell those who listen to a name; what one raises is raised."""
        return super().send(self._known(sender), **named)

    def send_robust(self, sender: object | None, **named: Any) -> list[tuple[Any, Any]]:
        """Tell those who listen to a name; what one raises is logged, and hinders nobody."""
        return super().send_robust(self._known(sender), **named)

    def _known(self, sender: object | None) -> object | None:
        return self._names.get(sender, sender)


run_started = NamedSignal()
"""Sent before an attempt, with `run` (`motia_django.runs.Run`); the sender is the Step's name."""

run_finished = NamedSignal()
"""Sent after each attempt, with `run` and `outcome` (`motia_django.runs.Outcome`)."""

run_died = NamedSignal()
"""Sent when a run is dead, with `run` and `error` (one line of text)."""

message_enqueued = NamedSignal()
"""Sent for each message, with `message` (`motia_django.messages.Message`); the sender is its topic.

Its runs are about to be kept in the caller's transaction, which may yet be rolled back; those that
follow from a death (`onDead`) have just been kept."""
