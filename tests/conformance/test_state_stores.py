"""The contract of a store of state, on every store there is, bare and through its face."""

from __future__ import annotations

import enum
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.db import connection, connections, transaction
from django.utils import timezone

from motia_django import state_changed
from motia_django.exceptions import (
    InvalidKey,
    InvalidOption,
    InvalidUpdate,
    PayloadError,
    VersionConflict,
)
from motia_django.stores import state_store
from motia_django.stores.base import MISSING, Audience, Change, StateStore, Write
from motia_django.stores.face import AsyncState, State
from tests.factories import installed, make_step, nothing
from tests.servers import fresh_redis
from tests.stores.backends import NAMES as STORES
from tests.stores.backends import NOBODY, Recorder, alter, each_store, put

VALUES: list[Any] = [
    None, False, True, 0, 1, 1.0, -0.5, 2**63, 2**64, -(2**70), "", "text", "null", "größe 日本 🚲",
    "nul \x00 inside", [], {}, [None, [1, {"a": []}]],
    {"": "", "a.b": {"c": None}, "z": 1, "a": 2},
]  # fmt: skip
NAMES = ["a", "A", " a", "a ", "a/b", "a.b", "%_", "'\"\\", "größe", "日本", "🚲", "e\u0301",
         "\xe9", "\n", "None", "x" * 255, "🚲" * 255, "{a}", "}", "0 0 "]  # fmt: skip
BAD_NAMES: list[Any] = ["", "x" * 256, None, 5, b"a", ["a"], "a\x00b", "\ud800"]
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def redis_of_state(redis_server: str) -> str:
    """A Redis database that only these tests use."""
    return fresh_redis()


@pytest.fixture(params=STORES)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Make each store that of the project, empty and with nobody watching."""
    yield from each_store(request)


@pytest.fixture
def store(backend: str) -> StateStore:
    return state_store()


@pytest.fixture
def state(backend: str) -> State:
    return State()


def later(seconds: float) -> Any:
    """Let so many seconds have passed, for the block."""
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds))


def errors_of(number: int, work: Callable[[], None]) -> list[BaseException]:
    """Do something in many threads at once; return what they raised."""
    errors: list[BaseException] = []

    def thread() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=thread) for _ in range(number)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return errors


# -- the bare store


def test_an_item_that_was_never_written_is_missing(store: StateStore) -> None:
    assert store.get("group", "key") is MISSING
    assert store.items("group") == []
    assert store.groups() == []


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_json_comes_back_as_it_was(store: StateStore, value: Any) -> None:
    put(store, "group", "key", value)
    again = store.get("group", "key")
    assert again == value
    assert type(again) is type(value)
    if isinstance(value, dict):
        assert list(again) == list(value), "in its own order"


def test_the_largest_items_come_back_whole(store: StateStore) -> None:
    value = {"text": "x" * 2_000_000, "list": list(range(10_000))}
    put(store, "group", "key", value)
    assert store.get("group", "key") == value


def test_names_that_look_alike_are_different_items(store: StateStore) -> None:
    for number, name in enumerate(NAMES):
        put(store, name, name, number)
        put(store, "all", name, number)
    for number, name in enumerate(NAMES):
        assert store.get(name, name) == number
        assert store.get("all", name) == number
    assert len(store.items("all")) == len(NAMES)
    assert store.groups() == sorted([*NAMES, "all"])


def test_a_write_sees_the_old_value_and_reports_its_change(store: StateStore) -> None:
    changes = [
        alter(store, "g", "k", lambda old: ["first", old is MISSING]),
        alter(store, "g", "k", lambda old: [*old, "second"]),
        alter(store, "g", "k", lambda old: None),
        put(store, "g", "k", MISSING),
        put(store, "g", "k", MISSING),
    ]
    values = [["first", True], ["first", True, "second"], None, MISSING, MISSING]
    for change, old, new in zip(changes, [MISSING, *values], values, strict=False):
        assert (change.group, change.key) == ("g", "k")
        assert (change.old, change.new) == (old, new)
    assert store.get("g", "k") is MISSING


def test_none_is_a_value_and_not_a_missing_item(store: StateStore) -> None:
    put(store, "g", "k", None)
    assert store.get("g", "k") is None
    assert store.items("g") == [("k", None)]
    assert put(store, "g", "k", 1).old is None


@pytest.mark.django_db(transaction=True)
def test_each_change_is_told_of_once_as_it_is_returned(store: StateStore) -> None:
    for value, happens in ((1, True), (1, True), (MISSING, True), (MISSING, False)):
        audience = Recorder()
        change = put(store, "g", "k", value, audience)
        assert audience.told == [change] * happens
    assert store.look_after(100, audience) == 0


def test_what_cannot_be_computed_changes_nothing_and_is_told_to_nobody(store: StateStore) -> None:
    def fails(old: Any) -> Any:
        raise ZeroDivisionError

    audience = Recorder()
    for before in (MISSING, {"a": 1}):
        if before is not MISSING:
            put(store, "g", "k", before)
        with pytest.raises(ZeroDivisionError):
            alter(store, "g", "k", fails, audience)
        assert store.get("g", "k") == before
    assert audience.told == []


def test_items_come_in_the_order_of_their_keys_code_points(store: StateStore) -> None:
    for key in reversed(NAMES):
        put(store, "g", key, key)
    assert store.items("g") == [(key, key) for key in sorted(NAMES)]
    assert store.values("g") == sorted(NAMES)


def test_a_page_begins_after_a_key_that_may_be_gone(store: StateStore) -> None:
    for key in NAMES:
        put(store, "g", key, key)
    pages: list[str] = []
    after = None
    while page := store.items("g", after=after, limit=4):
        after = page[-1][0]
        pages += [key for key, _ in page]
        put(store, "g", after, MISSING)
    assert pages == sorted(NAMES)
    assert store.items("g", after="\U0010ffff", limit=4) == []
    assert len(store.items("g", limit=1000)) == len(NAMES) - 5


def test_many_items_are_read_at_once_and_those_that_are_missing_left_out(
    store: StateStore,
) -> None:
    put(store, "g", "a", None)
    put(store, "g", "b", {"n": 1})
    put(store, "other", "c", 3)
    found = store.get_many("g", ["c", "b", "a"])
    assert list(found.items()) == [("b", {"n": 1}), ("a", None)]
    assert store.get_many("g", []) == {}


def test_a_large_group_is_listed_whole(store: StateStore) -> None:
    writes = [Write(group="g", key=f"{number:05}", text=str(number)) for number in range(4500)]
    for first in range(0, 4500, 1500):
        store.write(writes[first : first + 1500], NOBODY)
    assert store.values("g") == list(range(4500))
    assert [key for key, _ in store.items("g")] == [each.key for each in writes]


# -- several at once


def test_several_writes_are_done_together_and_returned_in_their_order(store: StateStore) -> None:
    put(store, "g", "b", 1)
    writes = [
        Write(group="g", key="c", text="3"),
        Write(group="g", key="b"),
        Write(group="g", key="a", text="[]"),
    ]
    changes = store.write(writes, NOBODY)
    assert [(each.key, each.old, each.new) for each in changes] == [
        ("c", MISSING, 3),
        ("b", 1, MISSING),
        ("a", MISSING, []),
    ]
    assert store.items("g") == [("a", []), ("c", 3)]
    assert store.write([], NOBODY) == []


@pytest.mark.django_db(transaction=True)
def test_several_writes_are_none_if_one_of_them_fails(store: StateStore) -> None:
    def fails(old: Any) -> str:
        raise ZeroDivisionError

    put(store, "g", "b", 1)
    audience = Recorder()
    good = [Write(group="g", key="a", text="1"), Write(group="g", key="b")]
    with pytest.raises(ZeroDivisionError):
        store.write([*good, Write(group="g", key="c", compute=fails)], audience)
    with pytest.raises(VersionConflict):
        store.write([*good, Write(group="g", key="c", text="1", if_version=5)], audience)
    assert store.items("g") == [("b", 1)]
    assert store.groups() == ["g"]
    assert store.look_after(100, audience) == 0
    assert audience.told == []


# -- versions


def test_versions_grow_with_every_write_and_are_never_used_again(store: StateStore) -> None:
    versions = []
    for _ in range(3):
        versions += [put(store, "g", "k", 1).version for _ in range(3)]
        assert put(store, "g", "k", MISSING).version == 0
    assert all(earlier < later for earlier, later in pairwise(versions))
    assert versions[1] == versions[0] + 1
    assert versions[-1] < 2**53, "so that it can be sent to a browser"


def test_an_item_is_read_with_its_version(store: StateStore) -> None:
    assert store.item("g", "k") is None
    change = put(store, "g", "k", None)
    item = store.item("g", "k")
    assert item is not None
    assert (item.key, item.value, item.version) == ("k", None, change.version)
    assert item.expires_at is None


def test_a_write_for_another_version_is_refused_and_says_which_there_is(
    store: StateStore,
) -> None:
    version = put(store, "g", "k", 1).version
    attempts: list[Callable[[int], Change]] = [
        lambda expected: put(store, "g", "k", 2, if_version=expected),
        lambda expected: put(store, "g", "k", MISSING, if_version=expected),
        lambda expected: alter(store, "g", "k", lambda old: 2, if_version=expected),
    ]
    for attempt in attempts:
        for expected in (0, version - 1, version + 1):
            with pytest.raises(VersionConflict) as refused:
                attempt(expected)
            assert (refused.value.expected, refused.value.found) == (expected, version)
    assert store.items("g") == [("k", 1)]
    for attempt in attempts:
        version = put(store, "g", "k", 1).version
        assert attempt(version).old == 1


def test_an_item_that_is_not_there_has_version_0(store: StateStore) -> None:
    for missing in (MISSING, 1):
        with pytest.raises(VersionConflict, match="g/k: expected version 5, found no item"):
            put(store, "g", "k", missing, if_version=5)
        with pytest.raises(VersionConflict):
            alter(store, "g", "k", lambda old: 1, if_version=5)
    assert store.groups() == []
    assert put(store, "g", "k", MISSING, if_version=0).old is MISSING
    assert put(store, "g", "k", 1, if_version=0).new == 1
    assert alter(store, "g", "l", lambda old: 1, if_version=0).new == 1
    with pytest.raises(VersionConflict, match="g/k: expected no item, found version"):
        put(store, "g", "k", 2, if_version=0)


# -- expiry


def test_what_has_expired_is_not_there_for_anybody(store: StateStore) -> None:
    soon = timezone.now() + timedelta(seconds=60)
    put(store, "g", "a", 1, expires_at=soon)
    put(store, "g", "b", 2)
    put(store, "only", "a", 1, expires_at=soon)
    item = store.item("g", "a")
    assert item is not None
    assert item.expires_at is not None
    assert abs(item.expires_at - soon) < timedelta(milliseconds=1)
    with later(59):
        assert store.get("g", "a") == 1
        assert store.groups() == ["g", "only"]
    with later(61):
        assert store.get("g", "a") is MISSING
        assert store.item("g", "a") is None
        assert store.get_many("g", ["a", "b"]) == {"b": 2}
        assert store.items("g") == [("b", 2)]
        assert store.items("g", limit=1) == [("b", 2)]
        assert store.values("g") == [2]
        assert store.groups() == ["g"]


def test_what_has_expired_is_missing_for_a_write_too(store: StateStore) -> None:
    soon = timezone.now() + timedelta(seconds=60)
    for key in "abcde":
        put(store, "g", key, 1, expires_at=soon)
    version = put(store, "g", "a", 2, expires_at=soon).version
    with later(61):
        with pytest.raises(VersionConflict, match="found no item"):
            put(store, "g", "a", 3, if_version=version)
        assert put(store, "g", "a", 3, if_version=0).old is MISSING
        assert put(store, "g", "b", 3).old is MISSING
        assert alter(store, "g", "c", lambda old: [old is MISSING], keeps_expiry=True).new == [True]
        assert put(store, "g", "d", MISSING).old is MISSING
        assert store.items("g") == [("a", 3), ("b", 3), ("c", [True])]
    with later(10_000):
        assert len(store.items("g")) == 3, "since they are new, and stay"


@pytest.mark.django_db(transaction=True)
def test_the_end_of_an_item_is_told_of_once_by_whoever_notices_it_first(
    store: StateStore,
) -> None:
    soon = timezone.now() + timedelta(seconds=60)
    for key in ("by set", "by update", "by delete", "by upkeep"):
        put(store, "g", key, key, expires_at=soon)
    put(store, "g", "stays", 1, expires_at=soon + timedelta(seconds=60))
    audience = Recorder()
    assert store.look_after(100, audience) == 0
    with later(61):
        put(store, "g", "by set", "new", audience)
        alter(store, "g", "by update", lambda old: "new", audience)
        put(store, "g", "by delete", MISSING, audience)
        assert store.look_after(100, audience) == 1
        assert store.look_after(100, audience) == 0
        assert store.values("g") == ["new", "new", 1]
    assert audience.events() == [
        ("deleted", "by set", "by set", None),
        ("created", "by set", None, "new"),
        ("deleted", "by update", "by update", None),
        ("created", "by update", None, "new"),
        ("deleted", "by delete", "by delete", None),
        ("deleted", "by upkeep", "by upkeep", None),
    ]


@pytest.mark.django_db(transaction=True)
def test_what_expires_in_the_middle_of_a_write_ends_once(store: StateStore) -> None:
    audience = Recorder()
    put(store, "g", "k", "old", expires_at=timezone.now() + timedelta(seconds=60))
    with time_machine.travel(timezone.now(), tick=False) as clock:

        def slow(old: Any) -> str:
            clock.shift(100)
            return "new"

        alter(store, "g", "k", slow, audience)
    told = audience.events()
    whole = [("updated", "k", "old", "new")]
    assert told in (whole, [("deleted", "k", "old", None), ("created", "k", None, "new")])


@pytest.mark.django_db(transaction=True)
def test_what_has_expired_is_deleted_in_batches(store: StateStore) -> None:
    soon = timezone.now() + timedelta(seconds=60)
    for number in range(7):
        put(store, f"g{number}", "k", number, expires_at=soon)
    audience = Recorder()
    with later(61):
        counts = [store.look_after(3, audience) for _ in range(4)]
    assert counts == [3, 3, 1, 0]
    assert sorted(each.old for each in audience.told) == list(range(7))


def test_a_write_says_anew_until_when_an_item_stays_or_keeps_it(store: StateStore) -> None:
    soon = timezone.now() + timedelta(seconds=60)
    for key in "abc":
        put(store, "g", key, 1, expires_at=soon)
    put(store, "g", "a", 2)
    alter(store, "g", "b", lambda old: 2, keeps_expiry=True)
    alter(store, "g", "c", lambda old: 2, expires_at=soon + timedelta(seconds=60))
    with later(61):
        assert store.items("g") == [("a", 2), ("c", 2)]
    with later(121):
        assert store.items("g") == [("a", 2)]
        assert store.look_after(100, NOBODY) == 2
        assert store.look_after(100, NOBODY) == 0


def test_groups_are_sorted_and_gone_with_their_last_item(store: StateStore) -> None:
    for group in ("b", "a", "B", "ä"):
        put(store, group, "k", 1)
    assert store.groups() == ["B", "a", "b", "ä"]
    put(store, "a", "k", MISSING)
    assert store.groups() == ["B", "b", "ä"]


def test_what_a_caller_does_to_a_value_does_not_reach_the_store(store: StateStore) -> None:
    given = {"list": [1]}
    change = put(store, "g", "k", given)
    given["list"].append(2)
    change.new["list"].append(3)
    store.get("g", "k")["list"].append(4)
    store.items("g")[0][1]["list"].append(5)
    assert store.get("g", "k") == {"list": [1]}


# -- through the face


def test_set_returns_what_was_and_what_is(state: State) -> None:
    first = state.set("g", "k", {"a": 1})
    version = first.pop("version")
    assert first == {"old_value": None, "new_value": {"a": 1}}
    changed = {"old_value": {"a": 1}, "new_value": 2, "version": version + 1}
    assert state.set("g", "k", 2) == changed
    assert state.get("g", "k") == 2
    item = state.get_item("g", "k")
    assert item is not None
    assert (item.value, item.version) == (2, version + 1)


def test_a_value_is_kept_as_json_has_it(state: State) -> None:
    assert state.set("g", "k", {1: (1, 2)})["new_value"] == {"1": [1, 2]}


def test_delete_returns_what_was(state: State) -> None:
    state.set("g", "k", [1])
    assert state.delete("g", "k") == [1]
    assert state.delete("g", "k") is None
    assert state.get("g", "k") is None


def test_update_applies_all_operations_or_none(state: State) -> None:
    changed = state.update("g", "k", [{"type": "increment", "path": "a.n", "by": 5}])
    assert (changed["old_value"], changed["new_value"]) == (None, {"a": {"n": 5}})
    with pytest.raises(InvalidUpdate):
        state.update(
            "g", "k", [{"type": "set", "path": "b", "value": 1}, {"type": "append", "path": "a"}]
        )
    assert state.get("g", "k") == {"a": {"n": 5}}
    with pytest.raises(InvalidUpdate):
        state.update("g", "new", [{"type": "nonsense"}])
    assert state.get("g", "new") is None
    assert state.list("g") == [{"a": {"n": 5}}]


def test_update_takes_a_function_of_the_value(state: State) -> None:
    assert state.update("g", "k", lambda old: [old])["new_value"] == [None]
    changed = state.update("g", "k", lambda old: [*old, 1])
    assert (changed["old_value"], changed["new_value"]) == ([None], [None, 1])
    with pytest.raises(ZeroDivisionError):
        state.update("g", "k", lambda old: 1 / 0)
    with pytest.raises(PayloadError, match=r"^state: g/k: <object"):
        state.update("g", "k", lambda old: object())
    assert state.get("g", "k") == [None, 1]


def test_lists_items_and_groups(state: State) -> None:
    state.set("b", "2", "two")
    state.set("b", "1", None)
    state.set("a", "1", "one")
    assert state.list("b") == [None, "two"]
    assert state.items("b") == [("1", None), ("2", "two")]
    assert state.items("b", after="1") == [("2", "two")]
    assert state.items("b", limit=1) == [("1", None)]
    assert state.list_groups() == ["a", "b"]
    assert state.list("nobody") == []


def test_many_are_set_and_read_by_their_keys(state: State) -> None:
    state.set("g", "a", 1)
    changes = state.set_many("g", {"b": 2, "a": (1, 2)})
    old_and_new = {key: (each["old_value"], each["new_value"]) for key, each in changes.items()}
    assert old_and_new == {"b": (None, 2), "a": (1, [1, 2])}
    assert state.get_many("g", ["a", "nobody", "b", "a"]) == {"a": [1, 2], "b": 2}
    assert state.set_many("g", {}) == {}
    with pytest.raises(PayloadError, match=r"^state: g/b: c: <object"):
        state.set_many("g", {"a": 0, "b": {"c": object()}})
    with pytest.raises(InvalidKey):
        state.set_many("g", {"a": 0, "": 0})
    assert state.list("g") == [[1, 2], 2]


def test_many_are_updated_each_by_its_own_operations_or_none(state: State) -> None:
    state.set("g", "a", {"n": 1}, ttl=60)
    more: list[dict[str, Any]] = [{"type": "increment", "path": "n", "by": 2}]
    changes = state.update_many("g", {"b": more, "a": more, "c": lambda old: [old]})
    old_and_new = {key: (each["old_value"], each["new_value"]) for key, each in changes.items()}
    assert old_and_new == {
        "b": (None, {"n": 2}),
        "a": ({"n": 1}, {"n": 3}),
        "c": (None, [None]),
    }
    with pytest.raises(InvalidUpdate, match="c: .*n"):
        state.update_many("g", {"a": more, "c": more})
    assert state.update_many("g", {}) == {}
    assert state.get("g", "a") == {"n": 3}
    with later(61):
        assert state.get_many("g", ["a", "b"]) == {"b": {"n": 2}}


def test_an_item_stays_for_its_ttl_and_for_good_once_it_is_set_without(state: State) -> None:
    state.set("g", "set", 1, ttl=60)
    state.set("g", "updated", 1, ttl=60)
    state.set("g", "set again", 1, ttl=60)
    state.set_many("g", {"many": 1}, ttl=60.5)
    state.update("g", "updated", [{"type": "increment"}])
    state.update("g", "update", [{"type": "increment", "path": "n"}], ttl=120)
    state.set("g", "set again", 2)
    with later(61):
        assert state.items("g") == [("set again", 2), ("update", {"n": 1})]
    with later(121):
        assert state.items("g") == [("set again", 2)]
        assert state.delete("g", "update") is None


def test_a_write_can_ask_for_the_version_that_was_read(state: State) -> None:
    version = state.set("g", "k", 1, if_version=0)["version"]
    version = state.set("g", "k", 2, if_version=version)["version"]
    version = state.update("g", "k", [{"type": "increment"}], if_version=version)["version"]
    writes: list[Callable[[int], object]] = [
        lambda stale: state.set("g", "k", 9, if_version=stale),
        lambda stale: state.update("g", "k", [{"type": "increment"}], if_version=stale),
        lambda stale: state.delete("g", "k", if_version=stale),
    ]
    for write in writes:
        for stale in (0, version - 1):
            with pytest.raises(VersionConflict, match=f"found version {version}"):
                write(stale)
    assert state.delete("g", "k", if_version=version) == 3


@pytest.mark.parametrize("ttl", [0, -1, "5", True, float("nan"), float("inf"), 1e10])
def test_what_is_no_ttl_is_refused(state: State, ttl: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: state.set("g", "k", 1, ttl=ttl),
        lambda: state.set_many("g", {"k": 1}, ttl=ttl),
        lambda: state.update("g", "k", [], ttl=ttl),
    ]
    for call in calls:
        with pytest.raises(InvalidOption, match="state: ttl: expected a number of seconds"):
            call()
    assert state.list_groups() == []


@pytest.mark.parametrize("number", [-1, "5", True, 1.5])
def test_what_is_no_version_or_limit_is_refused(state: State, number: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: state.set("g", "k", 1, if_version=number),
        lambda: state.update("g", "k", [], if_version=number),
        lambda: state.delete("g", "k", if_version=number),
        lambda: state.items("g", limit=number),
        lambda: state.items("g", limit=0),
    ]
    for call in calls:
        with pytest.raises(InvalidOption):
            call()


def test_numbers_may_be_larger_than_any_store_takes(state: State) -> None:
    state.set("g", "k", 1)
    assert state.items("g", limit=10**30) == [("k", 1)]
    with pytest.raises(InvalidOption, match="if_version: expected the version"):
        state.set("g", "k", 2, if_version=10**5000)


@pytest.mark.parametrize("bad", [None, 5, "ab", [1], [("a", 1)]], ids=repr)
def test_what_are_no_keys_or_no_values_by_key_is_refused(state: State, bad: Any) -> None:
    state.set("g", "a", 1)
    with pytest.raises(InvalidKey):
        state.get_many("g", bad)
    with pytest.raises(InvalidKey):
        state.set_many("g", bad)
    assert state.items("g") == [("a", 1)]


def test_clear_empties_one_group_and_counts(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motia_django.stores.face._CLEARED_AT_ONCE", 2)
    for key in ("1", "2", "3", "4", "5"):
        state.set("g", key, None)
    state.set("other", "1", 1)
    assert state.clear("g") == 5
    assert state.clear("g") == 0
    assert state.list_groups() == ["other"]


@pytest.mark.parametrize("bad", BAD_NAMES, ids=repr)
def test_what_is_no_name_is_refused_by_every_call(state: State, bad: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: state.get(bad, "k"),
        lambda: state.get("g", bad),
        lambda: state.set(bad, "k", 1),
        lambda: state.set("g", bad, 1),
        lambda: state.update(bad, "k", []),
        lambda: state.update("g", bad, []),
        lambda: state.delete(bad, "k"),
        lambda: state.delete("g", bad),
        lambda: state.get_item(bad, "k"),
        lambda: state.get_many(bad, ["k"]),
        lambda: state.get_many("g", [bad]),
        lambda: state.set_many(bad, {"k": 1}),
        lambda: state.list(bad),
        lambda: state.items("g", after="" if bad is None else bad),
        lambda: state.items(bad),
        lambda: state.clear(bad),
    ]
    for call in calls:
        with pytest.raises(InvalidKey):
            call()
    assert state.list_groups() == []


def test_what_is_too_deep_to_be_told_of_is_not_written(state: State) -> None:
    def nested(levels: int) -> Any:
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return value

    with installed(make_step(nothing, state_changed("g"), name="Watch")):
        state.set("g", "deep", nested(250))
        state.set("g", "wide", 10**30)
        for levels in (251, 254, 255, 5000):
            with pytest.raises(PayloadError):
                state.set("g", "deeper", nested(levels))
            with pytest.raises(PayloadError):
                state.set_many("g", {"deeper": nested(levels)})
            with pytest.raises((PayloadError, InvalidUpdate)):
                state.update("g", "deeper", [{"type": "set", "value": nested(levels)}])
    assert state.list("g") == [nested(250), 10**30]


class Named(str, enum.Enum):  # noqa: UP042
    """Names as many projects declare them; `str()` of one is "Named.GROUP"."""

    GROUP = "a group"
    KEY = "a key"


def test_members_of_an_enum_name_what_their_values_name(state: State) -> None:
    group, key = Named.GROUP, Named.KEY
    state.set(group, key, 1)
    assert state.get("a group", "a key") == state.get(group, key) == 1
    assert state.get_many(group, [key]) == {"a key": 1}
    assert list(state.set_many(group, {key: 2})) == ["a key"]
    assert state.items(group) == [("a key", 2)]
    assert [type(name) for name in (state.list_groups()[0], state.items(group)[0][0])] == [str, str]
    assert state.delete("a group", "a key") == 2
    assert state.list_groups() == []


def test_what_is_not_json_is_refused_and_changes_nothing(state: State) -> None:
    for bad in (object(), float("inf"), "\ud800", {"a": b""}):
        with pytest.raises(PayloadError):
            state.set("g", "k", bad)
    assert state.list_groups() == []


def test_the_async_twins_do_the_same(backend: str) -> None:
    async def everything() -> list[Any]:
        state = AsyncState(State())
        first = await state.set("g", "k", 1, ttl=60, if_version=0)
        item = await state.get_item("g", "k")
        assert item is not None
        assert item.version == first["version"]
        changed = await state.update("g", "k", [{"type": "increment"}], if_version=item.version)
        many = await state.set_many("g", {"l": 4}, ttl=60)
        many = await state.update_many("g", {"l": [{"type": "increment"}]}, ttl=60)
        return [
            (changed["old_value"], changed["new_value"]),
            many["l"]["new_value"],
            await state.get("g", "k"),
            await state.get_many("g", ["l", "k"]),
            await state.list("g"),
            await state.items("g", after="k", limit=5),
            await state.list_groups(),
            await state.delete("g", "k", if_version=changed["version"]),
            await state.clear("g"),
        ]

    assert async_to_sync(everything)() == [
        (1, 2), 5, 2, {"l": 5, "k": 2}, [2, 5], [("l", 5)], ["g"], 2, 1,
    ]  # fmt: skip


def test_every_async_twin_exists_for_every_call() -> None:
    calls = [name for name in vars(State) if not name.startswith("_") and not name.startswith("a")]
    assert len(calls) == 12
    for name in calls:
        assert callable(getattr(State, f"a{name}"))
        assert callable(getattr(AsyncState(State()), name))


# -- together with others


@pytest.mark.django_db(transaction=True)
def test_no_increment_is_lost_between_threads(store: StateStore, backend: str) -> None:
    if backend == "orm" and connection.vendor == "sqlite":
        pytest.skip("a SQLite database in memory cannot be shared by threads that write")

    def count() -> None:
        for _ in range(25):
            alter(store, "g", "k", lambda old: 1 if old is MISSING else old + 1)

    assert errors_of(8, count) == []
    assert store.get("g", "k") == 200


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_for_one_version_one_writes(store: StateStore, backend: str) -> None:
    if backend == "orm" and connection.vendor == "sqlite":
        pytest.skip("a SQLite database in memory cannot be shared by threads that write")
    version = put(store, "g", "k", "before").version
    refused: list[VersionConflict] = []
    together = threading.Barrier(8, timeout=30)

    def compete() -> None:
        together.wait()
        for key, expected in (("k", version), ("new", 0)):
            try:
                put(store, "g", key, "after", if_version=expected)
            except VersionConflict as error:
                refused.append(error)

    assert errors_of(8, compete) == []
    assert len(refused) == 14
    assert store.items("g") == [("k", "after"), ("new", "after")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("computes", [True, False], ids=["computed", "given"])
def test_whoever_comes_second_to_make_an_item_finds_it_made(
    store: StateStore, backend: str, computes: bool
) -> None:
    if backend == "orm" and connection.vendor == "sqlite":
        pytest.skip("a SQLite database in memory cannot be shared by threads that write")
    together = threading.Barrier(8, timeout=30)
    audience = Recorder()

    def come_and_go() -> None:
        for key in map(str, range(10)):
            together.wait()
            if computes:
                alter(store, "g", key, lambda old: 1 if old is MISSING else old + 1, audience)
            else:
                put(store, "g", key, 1, audience)
            together.wait()
            put(store, "g", key, MISSING, audience)

    assert errors_of(8, come_and_go) == []
    assert store.items("g") == []
    kinds = Counter(kind for kind, *_ in audience.events())
    assert kinds == {"created": 10, "updated": 70, "deleted": 10}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("backend", ["orm"], indirect=True)
def test_where_there_are_transactions_a_write_is_undone_with_them(store: StateStore) -> None:
    put(store, "g", "k", "before")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        put(store, "g", "k", "after")
        put(store, "g", "new", 1)
        1 / 0  # noqa: B018
    assert store.items("g") == [("k", "before")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("backend", ["orm"], indirect=True)
def test_where_there_are_transactions_a_write_that_is_refused_leaves_them_as_they_were(
    store: StateStore,
) -> None:
    put(store, "g", "k", "before")
    with transaction.atomic():
        put(store, "g", "first", 1)
        for key, expected in (("k", 0), ("k", 1), ("new", 1)):
            with pytest.raises(VersionConflict):
                put(store, "g", key, "after", if_version=expected)
        with pytest.raises(ZeroDivisionError):
            alter(store, "g", "k", lambda old: 1 / 0)
        put(store, "g", "last", 1)
    assert store.items("g") == [("first", 1), ("k", "before"), ("last", 1)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("backend", ["orm"], indirect=True)
def test_where_there_are_transactions_what_cannot_be_told_of_is_not_written(
    store: StateStore,
) -> None:
    class Fails(Audience):
        def hears(self, group: str, key: str) -> bool:
            return True

        def tell(self, change: Change) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        put(store, "g", "k", 1, Fails())
    assert store.get("g", "k") is MISSING
