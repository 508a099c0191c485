"""When the hub asks for which hole again."""

from __future__ import annotations

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from motia_django.live import reading as reading_module
from motia_django.live.holes import Holes
from motia_django.live.log import Event
from motia_django.live.positions import Position
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


def asked(reading: Reading) -> list[int]:
    """Return the ids of the holes that are to be asked for."""
    return [
        each for first, last in reading.holes_to_ask().ranges for each in range(first, last + 1)
    ]


def test_a_hole_is_asked_for_often_then_seldom_then_never() -> None:
    clock = Time()
    reading = Reading(Position(1), clock)
    reading.take([event(3)])
    assert asked(reading) == [2]
    assert asked(reading) == [2]
    clock.now += 61
    assert asked(reading) == [2]
    assert asked(reading) == []
    clock.now += 5
    assert asked(reading) == []
    clock.now += 5
    assert asked(reading) == [2]
    assert not reading.expire()
    clock.now += 900
    assert reading.expire()
    assert asked(reading) == []
    assert reading.position == Position(3)


def test_a_wake_up_that_names_a_hole_has_it_asked_for_at_once() -> None:
    clock = Time()
    reading = Reading(Position(1), clock)
    reading.take([event(3)])
    clock.now += 61
    reading.holes_to_ask()
    reading.name([2, 3, 99])
    assert asked(reading) == [2]
    assert [each.position for each in reading.take([event(2)])] == [Position(3)]
    assert reading.take([event(2)]) == []


def test_a_hole_that_was_given_up_is_heard_once_if_it_is_named() -> None:
    clock = Time()
    reading = Reading(Position(1), clock)
    reading.take([event(3)])
    clock.now += 2000
    reading.expire()
    reading.name([2])
    assert asked(reading) == [2]
    assert len(reading.take([event(2)])) == 1
    reading.name([2])
    assert asked(reading) == []


def test_a_jump_of_the_ids_is_one_hole() -> None:
    reading = Reading(Position(1))
    reading.take([event(1_000_000), event(2_000_000)])
    assert reading.holes_to_ask().ranges == ((2, 999_999), (1_000_001, 1_999_999))
    assert reading.position.upto == 2_000_000


def test_of_too_many_holes_the_oldest_are_only_heard_if_they_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading_module, "MOST_HOLES", 3)
    reading = Reading(Position(0))
    reading.take([event(number) for number in (2, 4, 6, 8, 10)])
    assert asked(reading) == [5, 7, 9]
    reading.name([3])
    assert asked(reading) == [3, 5, 7, 9]
    assert len(reading.take([event(3), event(9)])) == 2
    assert reading.take([event(3)]) == []


def test_of_more_holes_than_a_token_can_name_those_of_the_last_minute_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading_module, "MOST_WRITTEN", 2)
    clock = Time()
    reading = Reading(Position(0), clock)
    reading.take([event(2), event(4)])
    clock.now += 61
    assert not reading.expire()
    reading.take([event(6)])
    assert reading.expire()
    assert reading.position == Position(6, Holes.of([5]))


def test_what_is_left_of_a_hole_that_is_being_filled_is_asked_for_at_once() -> None:
    clock = Time()
    reading = Reading(Position(1), clock)
    reading.take([event(1000)])
    clock.now += 61
    reading.holes_to_ask()
    reading.name([2])
    assert reading.holes_to_ask().ranges == ((2, 999),)
    assert len(reading.take([event(number) for number in range(2, 500)])) == 498
    assert reading.holes_to_ask().ranges == ((500, 999),)
    assert reading.holes_to_ask().ranges == ()


@given(st.lists(st.integers(1, 60), unique=True), st.integers(1, 5))
def test_each_event_is_heard_once_in_whatever_order_they_appear(ids: list[int], most: int) -> None:
    reading = Reading(Position())
    heard = []
    for start in range(0, len(ids), most):
        batch = sorted(ids[start : start + most])
        heard += reading.take([event(number) for number in batch])
        assert set(asked(reading)) == set(range(1, reading.position.upto)) - set(
            ids[: start + most]
        )
    assert sorted(each.event.id for each in heard) == sorted(ids)
