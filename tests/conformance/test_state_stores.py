"""The contract of a store of state, on every store there is, bare and through its face."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, connections, transaction
from django.test import override_settings

from motia_django import registry
from motia_django.exceptions import InvalidKey, InvalidUpdate, PayloadError
from motia_django.registry import Registry
from motia_django.stores import state_store
from motia_django.stores.base import MISSING, Change, StateStore
from motia_django.stores.face import AsyncState, State

BACKENDS = {
    "memory": "motia_django.stores.memory.MemoryState",
    "orm": "motia_django.stores.orm.OrmState",
}
VALUES: list[Any] = [
    None, False, True, 0, 1, 1.0, -0.5, 2**63, 2**64, -(2**70), "", "text", "null", "größe 日本 🚲",
    "nul \x00 inside", [], {}, [None, [1, {"a": []}]],
    {"": "", "a.b": {"c": None}, "z": 1, "a": 2},
]  # fmt: skip
NAMES = ["a", "A", " a", "a ", "a/b", "a.b", "%_", "'\"\\", "größe", "日本", "🚲", "e\u0301",
         "\xe9", "\n", "None", "x" * 255, "🚲" * 255]  # fmt: skip
BAD_NAMES: list[Any] = ["", "x" * 256, None, 5, b"a", ["a"], "a\x00b", "\ud800"]
pytestmark = pytest.mark.django_db


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Make each backend that of the project, empty and with nobody watching."""
    path = BACKENDS[request.param]
    with (
        registry.installed(Registry()),
        override_settings(MOTIA={"STATE": {"BACKEND": path}}),
    ):
        for group in state_store().groups():
            State().clear(group)
        yield request.param


@pytest.fixture
def store(backend: str) -> StateStore:
    return state_store()


@pytest.fixture
def state(backend: str) -> State:
    return State()


def constant(value: Any) -> Callable[[Any], Any]:
    """Return a function that gives this value whatever the old one was."""
    return lambda old: value


def nobody(change: Change) -> None:
    """Hear of a change and do nothing."""


def put(store: StateStore, group: str, key: str, value: Any) -> Change:
    """Write a value."""
    return store.write(group, key, constant(value), nobody)


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
    steps: list[Callable[[Any], Any]] = [
        lambda old: ["first", old is MISSING],
        lambda old: [*old, "second"],
        lambda old: None,
        lambda old: MISSING,
        lambda old: MISSING,
    ]
    changes = [store.write("g", "k", step, nobody) for step in steps]
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


def test_each_write_is_announced_once_with_the_change_it_returns(store: StateStore) -> None:
    for value in (1, 1, MISSING, MISSING):
        announced: list[Change] = []
        change = store.write("g", "k", constant(value), announced.append)
        assert announced == [change]


def test_what_cannot_be_computed_changes_and_announces_nothing(store: StateStore) -> None:
    def fails(old: Any) -> Any:
        if isinstance(old, dict):
            old["a"] = "changed in place"
        raise ZeroDivisionError

    announced: list[Change] = []
    for before in (MISSING, {"a": 1}):
        if before is not MISSING:
            put(store, "g", "k", before)
        with pytest.raises(ZeroDivisionError):
            store.write("g", "k", fails, announced.append)
        assert store.get("g", "k") == before
    assert announced == []


def test_what_is_not_json_changes_nothing(store: StateStore) -> None:
    put(store, "g", "k", 1)
    for bad in (object(), float("nan"), "\ud800"):
        with pytest.raises(PayloadError):
            put(store, "g", "k", bad)
        with pytest.raises(PayloadError):
            put(store, "g", "new", bad)
    assert store.items("g") == [("k", 1)]
    assert store.groups() == ["g"]


def test_items_come_oldest_first_and_keep_their_place_when_written_again(
    store: StateStore,
) -> None:
    for key in ("c", "a", "b"):
        put(store, "g", key, key)
    put(store, "g", "c", "again")
    assert store.items("g") == [("c", "again"), ("a", "a"), ("b", "b")]
    put(store, "g", "c", MISSING)
    put(store, "g", "c", "new")
    assert store.items("g") == [("a", "a"), ("b", "b"), ("c", "new")]


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
    assert state.set("g", "k", {"a": 1}) == {"old_value": None, "new_value": {"a": 1}}
    assert state.set("g", "k", 2) == {"old_value": {"a": 1}, "new_value": 2}
    assert state.get("g", "k") == 2


def test_a_value_is_kept_as_json_has_it(state: State) -> None:
    assert state.set("g", "k", {1: (1, 2)})["new_value"] == {"1": [1, 2]}


def test_delete_returns_what_was(state: State) -> None:
    state.set("g", "k", [1])
    assert state.delete("g", "k") == [1]
    assert state.delete("g", "k") is None
    assert state.get("g", "k") is None


def test_update_applies_all_operations_or_none(state: State) -> None:
    changed = state.update("g", "k", [{"type": "increment", "path": "a.n", "by": 5}])
    assert changed == {"old_value": None, "new_value": {"a": {"n": 5}}}
    with pytest.raises(InvalidUpdate):
        state.update(
            "g", "k", [{"type": "set", "path": "b", "value": 1}, {"type": "append", "path": "a"}]
        )
    assert state.get("g", "k") == {"a": {"n": 5}}
    with pytest.raises(InvalidUpdate):
        state.update("g", "new", [{"type": "nonsense"}])
    assert state.get("g", "new") is None
    assert state.list("g") == [{"a": {"n": 5}}]


def test_lists_items_and_groups(state: State) -> None:
    state.set("b", "2", "two")
    state.set("b", "1", None)
    state.set("a", "1", "one")
    assert state.list("b") == ["two", None]
    assert state.items("b") == [("2", "two"), ("1", None)]
    assert state.list_groups() == ["a", "b"]
    assert state.list("nobody") == []


def test_clear_empties_one_group_and_counts(state: State) -> None:
    for key in ("1", "2", "3"):
        state.set("g", key, None)
    state.set("other", "1", 1)
    assert state.clear("g") == 3
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
        lambda: state.list(bad),
        lambda: state.items(bad),
        lambda: state.clear(bad),
    ]
    for call in calls:
        with pytest.raises(InvalidKey):
            call()
    assert state.list_groups() == []


def test_what_is_not_json_is_refused_and_changes_nothing(state: State) -> None:
    for bad in (object(), float("inf"), "\ud800", {"a": b""}):
        with pytest.raises(PayloadError):
            state.set("g", "k", bad)
    assert state.list_groups() == []


def test_the_async_twins_do_the_same(backend: str) -> None:
    async def everything() -> list[Any]:
        state = AsyncState(State())
        return [
            await state.set("g", "k", 1),
            await state.update("g", "k", [{"type": "increment"}]),
            await state.get("g", "k"),
            await state.list("g"),
            await state.items("g"),
            await state.list_groups(),
            await state.delete("g", "k"),
            await state.clear("g"),
        ]

    assert async_to_sync(everything)() == [
        {"old_value": None, "new_value": 1},
        {"old_value": 1, "new_value": 2},
        2,
        [2],
        [("k", 2)],
        ["g"],
        2,
        0,
    ]


def test_every_async_twin_exists_for_every_call() -> None:
    calls = [name for name in vars(State) if not name.startswith("_") and not name.startswith("a")]
    assert len(calls) == 8
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
            store.write("g", "k", lambda old: 1 if old is MISSING else old + 1, nobody)

    assert errors_of(8, count) == []
    assert store.get("g", "k") == 200


@pytest.mark.django_db(transaction=True)
def test_whoever_comes_second_to_make_an_item_finds_it_made(
    store: StateStore, backend: str
) -> None:
    if backend == "orm" and connection.vendor == "sqlite":
        pytest.skip("a SQLite database in memory cannot be shared by threads that write")
    together = threading.Barrier(8, timeout=30)
    announced: list[Change] = []

    def come_and_go() -> None:
        for key in map(str, range(10)):
            together.wait()
            store.write("g", key, lambda old: 1 if old is MISSING else old + 1, announced.append)
            together.wait()
            store.write("g", key, constant(MISSING), announced.append)

    assert errors_of(8, come_and_go) == []
    assert store.items("g") == []
    kinds = Counter(change.event().event_type for change in announced if change.old != change.new)
    assert kinds == {"state:created": 10, "state:updated": 70, "state:deleted": 10}


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
def test_where_there_are_transactions_what_fails_to_be_announced_is_not_written(
    store: StateStore,
) -> None:
    def fails(change: Change) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write("g", "k", lambda old: 1, fails)
    assert store.get("g", "k") is MISSING
