from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from django.core import checks
from django.test import override_settings

from motia_django import registry
from motia_django.checks import deployment, usual
from motia_django.declarations import Problem
from motia_django.registry import Registry
from tests.factories import QUEUE, make_step, nothing

HTTP = {"type": "http", "path": "/x"}


def found(*steps: Any) -> list[checks.CheckMessage]:
    with registry.installed(Registry(steps)):
        return usual(None)


def ids(*steps: Any) -> list[str | None]:
    return [message.id for message in found(*steps)]


def test_the_sample_project_is_all_right() -> None:
    assert usual(None) == []


def test_the_checks_are_djangos_too() -> None:
    registered: list[Any] = list(checks.registry.registry.get_checks())
    assert usual in registered
    before_deploying: list[Any] = list(checks.registry.registry.get_checks(True))
    assert deployment not in registered
    assert deployment in before_deploying


@pytest.mark.django_db
def test_before_deploying_broker_database_and_state_are_asked_unless_settings_are_wrong() -> None:
    with registry.installed(Registry([make_step()])):
        assert "motia.W010" in [message.id for message in deployment(None)]  # its broker is memory
        with override_settings(MOTIA={"LEASE": 0}):
            assert deployment(None) == []
            assert found()  # which says so


def test_a_topic_that_nobody_hears_is_a_warning_with_the_nearest_topic() -> None:
    sends = make_step(nothing, {"type": "queue", "topic": "wark"}, name="Sends", enqueues=["wrok"])
    [warning] = found(sends, make_step())
    assert warning.id == "motia.W001"
    assert "'wrok'" in warning.msg
    assert warning.hint == "Did you mean 'work'?"
    [alone] = found(sends)
    assert alone.hint is None  # its own topic was not meant


def test_so_is_one_that_is_to_hear_of_the_dead() -> None:
    [warning] = found(make_step(nothing, onDead="wrok"))
    assert warning.id == "motia.W001"
    assert "'wrok' is to be told (onDead)" in warning.msg
    assert warning.hint == "Did you mean 'work'?"
    assert found(make_step(nothing, onDead="work")) == []


def test_a_step_that_only_requests_start_warns_that_nobody_hears_of_its_dead() -> None:
    assert ids(make_step(nothing, HTTP, onDead="work"), make_step(name="B")) == ["motia.W006"]
    assert ids(make_step(nothing, HTTP, QUEUE, onDead="work")) == []


def test_while_a_file_is_broken_it_may_be_the_one_that_would_hear() -> None:
    broken = Problem(id="motia.E001", message="expected a config")
    with registry.installed(Registry([make_step(nothing, enqueues=["work"])], [broken])):
        assert [each.id for each in usual(None)] == ["motia.E001"]


def test_http_steps_that_no_url_includes_are_a_warning() -> None:
    urls = ModuleType("urls_without_motia")
    urls.urlpatterns = []  # type: ignore[attr-defined]
    with override_settings(ROOT_URLCONF=urls):
        assert ids(make_step(nothing, HTTP)) == ["motia.W004"]
    assert ids(make_step(nothing, HTTP)) == []


def test_a_project_without_steps_is_told_how_to_begin() -> None:
    assert ids() == ["motia.W005"]


@pytest.mark.parametrize("command", ["migrate", "makemigrations", "createsuperuser"])
def test_a_project_that_is_being_set_up_may_have_none(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("sys.argv", ["manage.py", command])
    assert ids() == []


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"UNDECLARED_TOPIC": "warn"}, "Did you mean 'UNDECLARED_TOPICS'?"),
        ({"STATE": {"BACKEND": "nowhere.Store"}}, "nowhere"),
        (
            {"MAY": "nowhere.may"},
            "MOTIA['MAY']: 'nowhere.may': ModuleNotFoundError: No module named",
        ),
        ({"MAY": "motia_django.conf.may"}, 'does not define a "may" attribute'),
        ({"MAY": "motia_django.conf.STREAMS"}, "expected the path of a function, got"),
        ({"STATE": {"BACKEND": "motia_django.conf.Settings"}}, "is not a StateStore"),
        (
            {"STATE": {"BACKEND": "motia_django.stores.memory.MemoryState", "COLOUR": 1}},
            "unknown option 'COLOUR' of motia_django.stores.memory.MemoryState. Known are BACKEND.",
        ),
    ],
)
def test_a_setting_that_cannot_be_read_is_an_error(setting: Any, says: str) -> None:
    with override_settings(MOTIA=setting):
        messages = found(make_step())
    assert "motia.E020" in [message.id for message in messages]
    assert any(says in message.msg for message in messages)


async def in_a_while(user: Any, permission: str, step: str, flows: tuple[str, ...]) -> bool:
    return False


def one_by_one(user: Any, permission: str, step: str, flows: tuple[str, ...]) -> Iterator[bool]:
    yield False


def of_three(user: Any, permission: str, step: str) -> bool:
    return False


def of_a_keyword(*asked: object, request: object) -> bool:
    return False


class Patient:
    async def __call__(self, *asked: object) -> bool:
        return False


patient = Patient()
in_part = partial(in_a_while)
right = partial(of_a_keyword, request=None)


@pytest.mark.parametrize(
    ("may", "says"),
    [
        ("in_a_while", "which is async"),
        ("patient", "which is async"),
        ("in_part", "which is async"),
        ("one_by_one", "which has a yield in it"),
        ("Patient", "which is a class"),
        ("of_three", "which cannot be called so: too many positional arguments"),
        ("of_a_keyword", "which cannot be called so: missing a required"),
    ],
)
def test_a_function_that_cannot_say_who_may_is_an_error(may: str, says: str) -> None:
    with override_settings(MOTIA={"MAY": f"{__name__}.{may}"}):
        [error] = found(make_step())
    assert (error.id, error.level) == ("motia.E022", checks.ERROR)
    assert f"got '{__name__}.{may}', {says}" in error.msg


def test_a_function_that_can_say_who_may_is_none() -> None:
    for path in (f"{__name__}.right", None):
        with override_settings(MOTIA={"MAY": path}):
            assert found(make_step()) == []


def test_settings_that_cannot_be_read_are_told_alone_whatever_else_is_wrong() -> None:
    broken = Problem(id="motia.E001", message="expected a config")
    with (
        override_settings(MOTIA={"LEASES": 3}),
        registry.installed(Registry([make_step(nothing, enqueues=["wrok"])], [broken])),
    ):
        [error] = usual(None)
    assert error.id == "motia.E020"
    assert "Did you mean 'LEASE'?" in error.msg


def test_a_project_without_a_celery_app_is_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    from celery import Celery

    from motia_django import celery_app

    monkeypatch.setattr(celery_app, "_app", Celery("default", set_as_current=False))
    assert ids(make_step()) == ["motia.W003"]
    assert "motia.W003" not in ids(make_step(nothing, HTTP))
