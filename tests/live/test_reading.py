"""When the hub asks for which hole again."""

from __future__ import annotations

from django.utils import timezone

from motia_django.live.log import Event
from motia_django.live.positions import MOST_HOLES, Position
from motia_django.live.reading import Reading


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def event(number: int) -> Event:
    return Event(number, "s", "g", None, "event", "{}", timezone.now())


def test_a_hole_is_asked_for_often_then_seldom_then_never() -> None:
    clock = Time()
    reading = Reading(Position(1), clock)
    reading.take([event(3)])
    assert reading.holes_to_ask() == [2]
    assert reading.holes_to_ask() == [2]
    clock.now += 61
    assert reading.holes_to_ask() == [2]
    assert reading.holes_to_ask() == []
    clock.now += 5
    assert reading.holes_to_ask() == []
    clock.now += 5
    assert reading.holes_to_ask() == [2]
    assert not reading.expire()
    clock.now += 900
    assert reading.expire()
    assert reading.holes_to_ask() == []
    assert reading.position == Position(3)


def test_a_wake_up_that_names_a_hole_has_it_asked_for_at_once() -> None:
    clock = Time()
    reading = Reading(Position(1), clock)
    reading.take([event(3)])
    clock.now += 61
    reading.holes_to_ask()
    reading.name([2, 3, 99])
    assert reading.holes_to_ask() == [2]
    assert [each.position for each in reading.take([event(2)])] == [Position(3)]
    assert reading.take([event(2)]) == []


def test_a_hole_that_was_given_up_is_heard_once_if_it_is_named() -> None:
    clock = Time()
    reading = Reading(Position(1), clock)
    reading.take([event(3)])
    clock.now += 2000
    reading.expire()
    reading.name([2])
    assert reading.holes_to_ask() == [2]
    assert len(reading.take([event(2)])) == 1
    reading.name([2])
    assert reading.holes_to_ask() == []


def test_a_jump_of_the_ids_makes_no_more_holes_than_can_be_asked_for() -> None:
    reading = Reading(Position(1))
    reading.take([event(1_000_000), event(2_000_000)])
    assert len(reading.holes_to_ask()) == MOST_HOLES
    assert reading.position.upto == 2_000_000
