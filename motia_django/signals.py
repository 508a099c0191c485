"""Signals that announce what happens to runs: for observers, never in the path."""

from __future__ import annotations

from django.dispatch import Signal

run_started = Signal()
"""Sent before an attempt, with `run` (`motia_django.runs.Run`); the sender is the Step's name."""

run_finished = Signal()
"""Sent after each attempt, with `run` and `outcome` (`motia_django.runs.Outcome`)."""

run_died = Signal()
"""Sent when a run is dead, with `run` and `error` (one line of text)."""

message_enqueued = Signal()
"""Sent for each message, with `message` (`motia_django.messages.Message`); the sender is its topic.

Its runs are about to be kept in the caller's transaction, which may yet be rolled back; those that
follow from a death (`onDead`) have just been kept."""
