"""The audit sees what it is there to see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.chaos import order, presence
from benchmarks.chaos.faults import Targets, catalogue
from benchmarks.chaos.order import Done
from benchmarks.chaos.outages import Outage
from benchmarks.chaos.plan import LEASE, PRODUCERS, Plan, faults, transactions
from benchmarks.chaos.servers import PAIRS, parts

PLAN = Plan(messages=1000, faults=8, seed=7, seconds=20)


def effects(*numbers_and_attempts: tuple[int, int]) -> list[Done]:
    return [Done(group="a", number=number, attempt=at) for number, at in numbers_and_attempts]


# -- the plan


def test_a_seed_decides_everything() -> None:
    kinds = ["one", "two", "three"]
    assert faults(PLAN, "a+b", kinds) == faults(PLAN, "a+b", kinds)
    assert faults(PLAN, "a+b", kinds) != faults(PLAN, "a+c", kinds)
    assert list(transactions(PLAN, 0)) == list(transactions(PLAN, 0))


def test_as_many_messages_are_committed_as_asked_for() -> None:
    planned = [each for number in range(PRODUCERS) for each in transactions(PLAN, number)]
    committed = [message for each in planned if not each.rolled_back for message in each.messages]
    assert len({message.key for message in committed}) == len(committed) == PLAN.messages
    assert any(each.rolled_back for each in planned)


@pytest.mark.parametrize("pair", PAIRS)
def test_the_short_form_has_every_fault_that_matters_most(pair: str, tmp_path: Path) -> None:
    database, broker = (
        make(tmp_path / name, tmp_path / "log")
        for make, name in zip(parts(pair), ("database", "broker"), strict=True)
    )
    targets = Targets(broker=broker, database=database, workers=[], producers=[])  # type: ignore[arg-type]
    chosen = {each.kind for each in faults(PLAN, pair, list(catalogue(targets)))}
    wanted = {"worker killed", "worker frozen", "broker restarted", "broker wiped"}
    assert wanted | set(database.faults()) <= chosen  # type: ignore[attr-defined]


# -- order


def test_order_with_repeats_in_place_is_in_order() -> None:
    judged = order.judge(effects((1, 1), (3, 1), (3, 2), (4, 1)))
    assert judged == order.Judged()


def test_what_comes_after_its_successors_is_out_of_order() -> None:
    assert len(order.judge(effects((2, 1), (1, 1))).violations) == 1


def test_what_is_repeated_after_its_successors_is_out_of_order() -> None:
    assert len(order.judge(effects((1, 1), (2, 1), (1, 2))).violations) == 1


def test_a_frozen_attempt_that_comes_after_its_own_next_attempt_is_only_late() -> None:
    judged = order.judge(effects((1, 2), (2, 1), (1, 1)))
    assert (judged.violations, judged.late) == ([], 1)


def test_groups_have_their_own_order() -> None:
    places = [("a", 2), ("b", 1), ("a", 3)]
    mixed = [Done(group=group, number=number, attempt=1) for group, number in places]
    assert order.judge(mixed) == order.Judged()


# -- presence

FREEZE = Outage(begun=100, ended=100 + LEASE + 1, processes=[42])


def entry(home: Path, at: float, *others: str) -> None:
    line = {"place": "limited", "at": at, "who": f"0 9 1 7 {at}", "others": others}
    with (home / "presence.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def test_who_is_at_work_is_counted(tmp_path: Path) -> None:
    entry(tmp_path, 50)
    entry(tmp_path, 51, "0 1 1 42 50.5", "0 2 1 43 50.7")
    assert presence.peak(tmp_path, [FREEZE], "limited") == 3
    assert len(presence.crowds(tmp_path, [FREEZE], limit=2, places="limited")) == 1
    assert presence.crowds(tmp_path, [FREEZE], limit=3, places="limited") == []


def test_who_was_frozen_for_longer_than_a_lease_is_not(tmp_path: Path) -> None:
    entry(tmp_path, 100 + LEASE, "0 1 1 42 99.9", "0 2 1 43 99.9")
    assert presence.peak(tmp_path, [FREEZE], "limited") == 2


def test_who_was_frozen_for_a_moment_is(tmp_path: Path) -> None:
    entry(tmp_path, 100.5, "0 1 1 42 99.9")
    assert presence.peak(tmp_path, [FREEZE], "limited") == 2


def test_who_began_long_after_the_thaw_is(tmp_path: Path) -> None:
    entry(tmp_path, 110, "0 1 1 42 109.5")
    assert presence.peak(tmp_path, [FREEZE], "limited") == 2


def test_while_the_database_is_away_nobody_can_keep_a_lease(tmp_path: Path) -> None:
    away = Outage(begun=100, ended=100 + LEASE, processes=None)
    entry(tmp_path, 100 + LEASE, "0 1 1 42 99.9", "0 2 1 43 99.9")
    assert presence.peak(tmp_path, [away], "limited") == 1
