"""What was announced while a test went on: attempts, deaths and messages, by their signals."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from django.db import transaction

from motia_django import ledger, payloads, signals
from motia_django.exceptions import MotiaError, Retry
from motia_django.messages import Message
from motia_django.runs import Outcome, Run


class Witness:
    """Notes what it is told, in its order."""

    def __init__(self) -> None:
        self.attempts: list[tuple[Run, Outcome]] = []
        self.deaths: list[Run] = []
        self.failures: list[tuple[Run, Exception]] = []
        """What attempts failed by that did not ask for another, and what else killed a run."""
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

    def _finished(self, run: Run, outcome: Outcome, **kwargs: Any) -> None:
        """Note an attempt; a request that is refused is none."""
        if run.trigger == "http" and outcome.rejected:
            return
        self.attempts.append((run, outcome))
        if outcome.failed and outcome.error and not isinstance(outcome.error, Retry):
            self.failures.append((run, outcome.error))

    def _died(self, run: Run, error: str, **kwargs: Any) -> None:
        """Note a death, and its error if no attempt has told of it, as of the last `Retry`."""
        self.deaths.append(run)
        errors = [outcome.error for each, outcome in self.attempts if each.id == run.id]
        last = (errors and errors[-1]) or MotiaError(error)
        if not any(each is last for _, each in self.failures):
            self.failures.append((run, last))

    def _enqueued(self, message: Message, **kwargs: Any) -> None:
        """Note a message as it is now, once its transaction is through."""
        kept = replace(message, data=payloads.plain(message.data))
        transaction.on_commit(partial(self.messages.append, kept), using=ledger.database())
