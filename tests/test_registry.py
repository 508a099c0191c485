"""The registry: Steps by name, route, topic, schedule and watched change."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from motia_django import cron, http, queue, registry, state_changed
from motia_django.exceptions import UnknownStep
from motia_django.registry import Registry
from motia_django.steps import Step, read_step
from motia_django.stores.base import MISSING, Change


def make(name: str, *triggers: Mapping[str, Any], **config: Any) -> Step:
    """Return a Step."""
    declared = {"name": name, "triggers": list(triggers) or [queue("t")], **config}
    module = SimpleNamespace(config=declared, handler=lambda: None)
    step, problems = read_step(module, Path.cwd() / "app" / f"{name}_step.py", "app")
    assert step is not None, list(map(str, problems))
    return step


def paths(*declared: str) -> list[str]:
    """Return the order in which these paths are tried."""
    steps = [make(path, http("GET", path)) for path in declared]
    found = Registry(steps)
    assert not found.problems
    return [route.path for route in found.routes()]


def test_steps_are_found_by_name_in_the_order_they_came() -> None:
    steps = [make("B"), make("A")]
    found = Registry(steps)
    assert list(found) == steps
    assert len(found) == 2
    assert found.step("A") is steps[1]
    assert "A" in found
    assert "a" not in found


def test_an_unknown_name_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownStep, match="Did you mean 'CreateTodo'"):
        Registry([make("CreateTodo")]).step("CreateTodos")
    with pytest.raises(UnknownStep):
        Registry().step("")


def test_a_name_taken_twice_keeps_the_first_and_reports_the_second() -> None:
    first, second = make("Same", queue("a")), make("Same", queue("b"))
    found = Registry([first, second])
    assert list(found) == [first]
    assert found.topics() == {"a"}
    (problem,) = found.problems
    assert problem.id == "motia.E008"
    assert f"app{'/'}Same_step.py" in problem.message
    assert problem.file == second.file


def test_every_subscriber_of_a_topic_is_found_and_nobody_else() -> None:
    found = Registry(
        [make("A", queue("t"), queue("u")), make("B", queue("t")), make("C", queue("T"))]
    )
    assert [(each.step.name, each.index) for each in found.subscribers("t")] == [("A", 0), ("B", 0)]
    assert [(each.step.name, each.index) for each in found.subscribers("u")] == [("A", 1)]
    assert found.subscribers("nobody") == []
    assert found.topics() == {"t", "u", "T"}


def test_schedules_are_listed_with_their_index_among_all_triggers() -> None:
    found = Registry([make("A", queue("t"), cron("@daily")), make("B", cron("@hourly"))])
    assert [(each.step.name, each.index) for each in found.schedules] == [("A", 1), ("B", 0)]


def test_watchers_are_those_whose_filters_let_the_change_through() -> None:
    found = Registry(
        [
            make("All", state_changed()),
            make("Orders", state_changed("orders")),
            make("Users", state_changed("users")),
            make("Deleted", state_changed("orders", events=["deleted"])),
        ]
    )
    event = Change(group="orders", key="1", old=MISSING, new=1).event()
    assert [each.step.name for each in found.watchers(event)] == ["All", "Orders"]


def test_an_item_is_watched_if_any_change_of_it_might_be_heard() -> None:
    found = Registry(
        [make("Orders", state_changed("orders")), make("One", state_changed("a", "1"))]
    )
    assert found.is_watched("orders", "1")
    assert found.is_watched("a", "1")
    assert not found.is_watched("a", "2")
    assert not found.is_watched("users", "1")
    assert not Registry().is_watched("orders", "1")
    assert Registry([make("All", state_changed(key="1"))]).is_watched("users", "1")


def test_flows_list_their_steps_by_name() -> None:
    a, b = make("A", flows=["z", "x"]), make("B", flows=["x"])
    assert Registry([a, b, make("C")]).flows() == {"x": [a, b], "z": [a]}


# -- routes


@pytest.mark.parametrize(
    "declared",
    [
        ("/users/me", "/users/:id"),
        ("/a/b", "/a/:x", "/:x/b", "/:x/:y"),
        ("/a/:x/c", "/:x/b/c"),
        ("/a/b/:z", "/a/:y/c", "/:x/b/c"),
    ],
)
def test_static_segments_come_before_parameters_whatever_the_order_of_files(
    declared: tuple[str, ...],
) -> None:
    for order in permutations(declared):
        assert paths(*order) == list(declared)


def test_methods_of_one_path_are_one_route() -> None:
    steps = [make("List", http("GET", "/todos")), make("Create", http("POST", "/todos"))]
    (route,) = Registry(steps).routes()
    assert {method: each.step.name for method, each in route.endpoints.items()} == {
        "GET": "List",
        "POST": "Create",
    }


def test_methods_of_one_path_are_one_route_whatever_they_call_its_parameters() -> None:
    steps = [make("Get", http("GET", "/u/:id")), make("Put", http("PUT", "/u/:userId"))]
    (route,) = Registry(steps).routes()
    assert route.path == "/u/:id"
    assert set(route.endpoints) == {"GET", "PUT"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/todos", "/todos"),
        ("/todos/:id", "/todos/:id"),
        ("/todos/:id", "/todos/:todoId"),
        ("/:a/x/:b", "/:c/x/:d"),
        ("/", "/"),
    ],
)
def test_the_same_method_and_path_twice_is_a_problem_that_names_both_files(
    one: str, other: str
) -> None:
    first, second = make("First", http("GET", one)), make("Second", http("get", other))
    found = Registry([first, second])
    (problem,) = found.problems
    assert problem.id == "motia.E009"
    assert problem.file == second.file
    assert "'First'" in problem.message
    assert "First_step.py" in problem.message
    assert f"GET {other}" in problem.message
    assert found.routes()[0].endpoints["GET"].step is first


def test_the_same_method_and_path_twice_in_one_step_is_a_problem_too() -> None:
    step = make("A", http("GET", "/x"), http("GET", "/x"))
    assert [problem.id for problem in Registry([step]).problems] == ["motia.E009"]


@pytest.mark.parametrize(
    ("one", "other"), [("/todos", "/todos/"), ("/todos", "/Todos"), ("/a/:x", "/:x/a"), ("/", "/a")]
)
def test_paths_that_differ_are_no_collision(one: str, other: str) -> None:
    found = Registry([make("A", http("GET", one)), make("B", http("GET", other))])
    assert not found.problems
    assert len(found.routes()) == 2


# -- the registry of this process


def test_a_registry_is_installed_for_a_block_and_the_old_one_comes_back() -> None:
    before, new = registry.registry(), Registry([make("A")])
    with pytest.raises(ZeroDivisionError), registry.installed(new) as inside:
        assert inside is registry.registry() is new
        1 / 0  # noqa: B018
    assert registry.registry() is before
