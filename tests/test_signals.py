"""Signals are heard by name, whatever string says it."""

from __future__ import annotations

from typing import Any

import pytest
from django.dispatch import receiver
from django.utils import timezone

from motia_django import enqueue, models, signals
from motia_django.runs import Status
from motia_django.signals import NamedSignal
from motia_django.upkeep import upkeep
from tests.factories import QUEUE, installed, kept_run, make_step, nothing, row


def named(*words: str) -> str:
    """Return a name as an object of its own, as one that was read from a row is."""
    return " ".join(words)


class Ear:
    """Remembers who sent what it heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __call__(self, sender: str, **kwargs: Any) -> None:
        self.heard.append(sender)


@pytest.mark.parametrize("send", ["send", "send_robust"])
def test_equal_names_are_one_sender(send: str) -> None:
    signal, ear = NamedSignal(), Ear()
    signal.connect(ear, sender=named("Charge", "Payment"))
    for words in (("Charge", "Payment"), ("Refund", "Payment"), ("Charge", "Payment")):
        getattr(signal, send)(named(*words))
    assert ear.heard == ["Charge Payment", "Charge Payment"]
    assert signal.has_listeners(named("Charge", "Payment"))
    assert not signal.has_listeners(named("Refund", "Payment"))


def test_an_ear_for_one_name_is_connected_once_and_taken_away_by_name() -> None:
    signal, ear = NamedSignal(), Ear()
    for _ in range(2):
        signal.connect(ear, sender=named("Charge", "Payment"))
    signal.send(named("Charge", "Payment"))
    assert signal.disconnect(ear, sender=named("Charge", "Payment"))
    assert not signal.disconnect(ear, sender=named("Charge", "Payment"))
    signal.send(named("Charge", "Payment"))
    assert ear.heard == ["Charge Payment"]


def test_whoever_names_nobody_hears_all() -> None:
    signal, ear = NamedSignal(), Ear()
    signal.connect(ear, dispatch_uid="all")
    signal.send(named("Charge", "Payment"))
    signal.send("x")
    assert signal.disconnect(dispatch_uid="all")
    signal.send("x")
    assert ear.heard == ["Charge Payment", "x"]


@pytest.mark.django_db
def test_the_death_of_a_run_whose_worker_was_lost_is_heard_by_the_name_of_its_step() -> None:
    step, died = named("Charge", "Payment"), Ear()
    receiver(signals.run_died, sender=named("Charge", "Payment"))(died)
    with installed(make_step(nothing, {**QUEUE, "config": {"maxRetries": 0}}, name=step)):
        lost = kept_run(step=step)
        models.Run.objects.filter(id=lost.id).update(
            status=Status.RUNNING, attempt=1, wake_at=timezone.now()
        )
        upkeep()
    assert row(lost).status == Status.DEAD
    assert died.heard == ["Charge Payment"]


@pytest.mark.django_db
def test_a_message_is_heard_by_its_topic() -> None:
    sent = Ear()
    receiver(signals.message_enqueued, sender=named("work", "of", "today"))(sent)
    with installed(make_step(name="Work")):
        enqueue("work")
        enqueue(named("work", "of", "today"))
    assert sent.heard == ["work of today"]
