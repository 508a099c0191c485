"""Positions: what is covered, what is a hole, and how a client is given it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django.live.holes import Holes
from motia_django.live.positions import MOST_WRITTEN, Position

IDS = st.sets(st.integers(1, 40), max_size=20)
POSITIONS = st.builds(
    lambda upto, holes: Position(upto, Holes.of(each for each in holes if each <= upto)),
    st.integers(0, 40),
    IDS,
)
ALL = range(1, 45)


def covered(position: Position) -> set[int]:
    return {each for each in ALL if position.covers(each)}


@given(POSITIONS, IDS)
def test_what_was_seen_is_covered_and_nothing_else_is_new(
    position: Position, seen: set[int]
) -> None:
    assert covered(position.with_seen(seen)) == covered(position) | seen


@given(POSITIONS, POSITIONS)
def test_a_union_covers_what_either_covers(one: Position, other: Position) -> None:
    assert covered(one.union(other)) == covered(one) | covered(other)
    assert one.union(other).union(one) == one.union(other)


@given(POSITIONS)
def test_a_token_says_it_all(position: Position) -> None:
    assert Position.from_token(position.token) == position


@given(POSITIONS)
def test_the_oldest_that_is_missing_is_missing(position: Position) -> None:
    oldest = position.oldest_missing
    assert not position.covers(oldest)
    assert all(position.covers(each) for each in range(1, oldest))


@given(IDS, IDS)
def test_holes_are_a_set_of_ids(ids: set[int], others: set[int]) -> None:
    holes = Holes.of(ids)
    assert {each for each in ALL if each in holes} == ids
    assert bool(holes) is bool(ids)
    assert holes.within(Holes.of(others).ranges) == Holes.of(ids & others)
    assert holes.below(20) == Holes.of(each for each in ids if each < 20)
    for other in others:
        assert holes.filled(other) == Holes.of(ids - {other})
    older, newest = holes.split(3)
    assert older.ranges + newest.ranges == holes.ranges
    assert len(newest) == min(len(holes), 3)


def test_a_jump_is_one_hole_however_long() -> None:
    position = Position(5).with_seen([100_000])
    assert position.token == "100000~99994-1"
    assert Position.from_token(position.token) == position


def test_a_token_that_cannot_name_all_holes_says_that_something_is_missing() -> None:
    position = Position().with_seen(range(0, 2 * MOST_WRITTEN + 1, 2))
    assert Position.from_token(position.token) == position
    position = position.with_seen([position.upto + 2])
    read = Position.from_token(position.token)
    assert read is not None
    assert read.oldest_missing == 0


@pytest.mark.parametrize(
    "token",
    ["", "x", "-1", "1~", "1~2", "~1", "5~1.", "5~2..1", "1.5", " 1", "1\n", "٣", "9" * 19,
     "5~1.2", "5~1.1", "5~1-2", "5~3-2.2", "5~6-1", "5~-1", "5~1-", "9999~" + "1." * 700 + "1",
     "9999~" + ".".join(map(str, range(1000, 10, -2))), "1" * 5000],
)  # fmt: skip
def test_what_is_no_token_is_none(token: str) -> None:
    assert Position.from_token(token) is None
