"""A long queue is not made longer: what is on its way is not published again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.utils import timezone
from kombu.message import Message

from motia_django import arrivals, enqueue, models
from motia_django.broker import FRESH
from motia_django.celery_app import project_app
from motia_django.killed import KeptRequest, LightRequest
from motia_django.runs import birth_of, new_run_id
from motia_django.upkeep import upkeep
from tests.factories import installed, make_step, nothing, published, row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def worker() -> Iterator[None]:
    arrivals._arrivals.clear()
    yield
    arrivals._arrivals.clear()


@pytest.fixture
def queued() -> Iterator[list[str]]:
    """Three runs, born one after the other, whose patience is over."""
    with installed(make_step()):
        ids = [run_id for _ in range(3) for run_id in enqueue("work")]
        models.Run.objects.update(wake_at=timezone.now())
        yield ids


@pytest.fixture
def sent() -> Iterator[list[str]]:
    with published() as ids:
        yield ids


def arrive(
    ids: Sequence[str], queue: str | None = "celery", fresh: bool = True, kind: Any = KeptRequest
) -> None:
    """Receive messages, as a worker does."""
    for run_id in ids:
        headers: Any = {"id": run_id, "task": "motia.Work"}
        if fresh:
            headers[FRESH] = True
        message: Any = Message(
            headers=headers,
            body=f'[["{run_id}"], {{}}, {{}}]',
            content_type="application/json",
            content_encoding="utf-8",
            delivery_info={"routing_key": queue},
        )
        kind(message, app=project_app(), task=project_app().tasks["motia.Work"])


def test_what_was_overtaken_is_published_again_and_what_is_behind_is_not(
    queued: list[str], sent: list[str]
) -> None:
    sent.clear()
    arrive([queued[1]])
    assert upkeep() == 3
    assert sorted(sent) == queued[:2]
    assert all(row(each).wake_at > timezone.now() for each in queued)  # type: ignore[operator]


def test_where_nothing_arrives_all_is_published_again(queued: list[str], sent: list[str]) -> None:
    sent.clear()
    upkeep()
    assert sorted(sent) == queued


def test_what_arrived_long_ago_tells_nothing(
    queued: list[str], sent: list[str], settings: Any
) -> None:
    sent.clear()
    arrive([queued[0]])
    settings.MOTIA = {"PUBLISH_PATIENCE": 1e-9}
    upkeep()
    assert sorted(sent) == queued


@pytest.mark.parametrize(("queue", "fresh"), [("another", True), (None, True), ("celery", False)])
def test_other_queues_and_retries_tell_nothing(
    queued: list[str], sent: list[str], queue: str | None, fresh: bool
) -> None:
    sent.clear()
    arrive([queued[0]], queue, fresh)
    upkeep()
    assert sorted(sent) == queued


def test_what_is_due_for_the_first_time_is_published_whatever_arrives(
    sent: list[str],
) -> None:
    with installed(make_step(nothing, {"type": "queue", "topic": "work"})):
        [run_id] = enqueue({"topic": "work", "delaySeconds": 60})
        models.Run.objects.update(wake_at=timezone.now())
        arrive([run_id.replace(run_id[0:8], "00000000")])
        upkeep()
    assert sent == [run_id]


def test_messages_of_light_runs_are_arrivals_too(queued: list[str], sent: list[str]) -> None:
    sent.clear()
    arrive([queued[1]], kind=LightRequest)
    upkeep()
    assert sorted(sent) == queued[:2]


def test_messages_that_are_none_of_ours_are_no_trouble(queued: list[str], sent: list[str]) -> None:
    sent.clear()
    arrive(["no id at all"])
    upkeep()
    assert sorted(sent) == queued


def test_a_run_was_born_when_its_id_says() -> None:
    before = timezone.now()
    born = birth_of(new_run_id())
    assert abs((born - before).total_seconds()) < 1


def test_messages_that_arrive_while_it_is_asked_do_no_harm(
    queued: list[str], sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = arrivals._read

    def read_while_another_arrives(run_id: Any) -> Any:
        arrive([queued[0]])
        return read(run_id)

    arrive([queued[0], queued[1]])
    sent.clear()
    monkeypatch.setattr(arrivals, "_read", read_while_another_arrives)
    assert upkeep() == 3
    assert sorted(sent) == queued[:2]
