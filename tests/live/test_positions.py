"""Positions: what is covered, what is a hole, and how a client is given it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django.live.positions import MOST_HOLES, MOST_WRITTEN, Position

IDS = st.sets(st.integers(1, 40), max_size=20)
POSITIONS = st.builds(
    lambda upto, holes: Position(upto, frozenset(each for each in holes if each <= upto)),
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


def test_holes_are_bounded_and_the_newest_are_kept() -> None:
    position = Position(5).with_seen([100_000])
    assert len(position.holes) == MOST_HOLES
    assert max(position.holes) == 99_999
    read = Position.from_token(position.token)
    assert read is not None
    assert read.holes == frozenset(range(100_000 - MOST_WRITTEN, 100_000))


@pytest.mark.parametrize(
    "token",
    ["", "x", "-1", "1~", "1~2", "~1", "5~1.", "5~1..2", "1.5", " 1", "1\n", "٣", "9" * 19,
     "5~" + "1." * 700 + "1", "1" * 5000],
)  # fmt: skip
def test_what_is_no_token_is_none(token: str) -> None:
    assert Position.from_token(token) is None
