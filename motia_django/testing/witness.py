"""What was announced while a test went on: attempts, deaths and messages, by their signals."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from motia_django import ledger, payloads, signals
from motia_django.messages import Message
from motia_django.runs import Outcome, Run


class Witness:
    """Notes what it is told, in its order."""

    def __init__(self) -> None:
        self.attempts: list[tuple[Run, Outcome]] = []
        self.deaths: list[tuple[Run, str]] = []
        """Runs that are dead, each with its error in one line."""
        self.messages: list[Message] = []
        """Messages whose transactions were not rolled back."""

    def __enter__(self) -> Witness:
        signals.run_finished.connect(self._finished)
        signals.run_died.connect(self._died)
        signals.message_enqueued.connect(self._enqueued)
        return self

    def __exit__(self, *raised: object) -> None:
        signals.run_finished.disconnect(self._finished)
        signals.run_died.disconnect(self._died)
        signals.message_enqueued.disconnect(self._enqueued)

    def error_of(self, run_id: UUID) -> Exception | None:
        """Return what ended the last attempt of a run, None if that is not known."""
        errors = [outcome.error for run, outcome in self.attempts if run.id == run_id]
        return errors[-1] if errors else None

    def _finished(self, run: Run, outcome: Outcome, **kwargs: Any) -> None:
        self.attempts.append((run, outcome))

    def _died(self, run: Run, error: str, **kwargs: Any) -> None:
        self.deaths.append((run, error))

    def _enqueued(self, message: Message, **kwargs: Any) -> None:
        """Note a message as it is now, once its transaction is through."""
        kept = replace(message, data=payloads.plain(message.data))
        transaction.on_commit(partial(self.messages.append, kept), using=ledger.database())
