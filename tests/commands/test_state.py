"""`state get set list delete groups`."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from motia_django import state, state_changed
from tests.commands.conftest import Fails, Steps
from tests.factories import installed, make_step, rows

pytestmark = pytest.mark.django_db


def test_an_item_is_set_shown_and_deleted(steps: Steps) -> None:
    assert "g/k is set; it has version" in steps("state", "set", "g", "k", '{"a": [1, "ü"]}')
    assert json.loads(steps("state", "get", "g", "k")) == {"a": [1, "ü"]}
    assert steps("state", "delete", "g", "k") == "g/k is deleted.\n"
    assert state.list_groups() == []


def test_for_machines_an_item_comes_with_its_version(steps: Steps) -> None:
    changed = json.loads(steps("state", "set", "g", "k", "1", "--ttl", "60", "--format", "json"))
    assert (changed["old_value"], changed["new_value"]) == (None, 1)
    item = json.loads(steps("state", "get", "g", "k", "--format", "json"))
    assert (item["key"], item["value"], item["version"]) == ("k", 1, changed["version"])
    assert item["expires_at"]
    assert json.loads(steps("state", "delete", "g", "k", "--format", "json")) == {"old_value": 1}


def test_a_value_is_read_from_standard_input(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("[1, 2]"))
    steps("state", "set", "g", "k", "-")
    assert state.get("g", "k") == [1, 2]


def test_an_item_expires_after_its_ttl(steps: Steps, fails: Fails) -> None:
    steps("state", "set", "g", "k", "1", "--ttl", "60")
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert fails("state", "get", "g", "k")[1:] == ("There is no item g/k", 1)


def test_another_version_is_refused(steps: Steps, fails: Fails) -> None:
    steps("state", "set", "g", "k", "1", "--if-version", "0")
    _, error, code = fails("state", "set", "g", "k", "2", "--if-version", "0")
    assert (error.startswith("state: g/k: expected no item, found version"), code) == (True, 1)
    assert fails("state", "delete", "g", "k", "--if-version", "5")[2] == 1
    assert fails("state", "delete", "g", "new", "--if-version", "5")[2] == 1
    assert state.get("g", "k") == 1


def test_a_group_is_listed_page_by_page(steps: Steps) -> None:
    state.set_many("g", {"b": {"n": 1}, "a": "x" * 500, "c\n": None})
    listed = steps("state", "list", "g", "--limit", "2").splitlines()
    assert listed[0].split() == ["KEY", "VALUE"]
    assert listed[1].startswith('a    "xxx')
    assert len(listed[1]) < 120
    assert listed[2] == 'b    {"n":1}'
    assert listed[4] == "There may be more: --after 'b', or a larger --limit."
    assert steps("state", "list", "g", "--after", "b").splitlines()[1] == "c\\n  null"
    assert steps("state", "list", "h") == "There is no item in the group 'h'.\n"
    said = steps("state", "list", "g", "--after", "z")
    assert said == "There is no item in the group 'g' after 'z'.\n"
    listed_json = json.loads(steps("state", "list", "g", "--after", "a", "--format", "json"))
    assert listed_json == [{"key": "b", "value": {"n": 1}}, {"key": "c\n", "value": None}]


def test_groups_are_listed(steps: Steps) -> None:
    assert steps("state", "groups") == "There is no item of state.\n"
    state.set("b", "k", 1)
    state.set("a", "k", 1)
    assert steps("state", "groups").split() == ["GROUP", "a", "b"]
    assert json.loads(steps("state", "groups", "--format", "json")) == ["a", "b"]


def test_a_wrong_command_line_ends_with_2(fails: Fails) -> None:
    assert "value: expected JSON" in fails("state", "set", "g", "k", "{a")[1]
    for words in (
        ("set", "g", "k", "{a"),
        ("set", "", "k", "1"),
        ("set", "g", "k", "1", "--ttl", "0"),
        ("set", "g", "k", "1", "--if-version", "-1"),
        ("set", "g", "k", "[" * 300 + "]" * 300),
    ):
        assert fails("state", *words)[2] == 2


def test_a_mask_that_was_copied_is_no_value(fails: Fails) -> None:
    _, error, code = fails("state", "set", "g", "k", '{"token": "********"}')
    assert "token: ******** stands where" in error
    assert (code, state.get("g", "k")) == (2, None)


def test_what_is_no_text_on_standard_input_ends_with_2(
    fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), "utf-8"))
    assert fails("state", "set", "g", "k", "-")[2] == 2


def test_what_is_not_there_ends_with_1(fails: Fails) -> None:
    assert fails("state", "get", "g", "k")[1:] == ("There is no item g/k", 1)
    assert fails("state", "delete", "g", "k")[1:] == ("There is no item g/k", 1)


def test_the_steps_that_watch_are_started(steps: Steps) -> None:
    with installed(make_step(lambda change: None, state_changed("g"))):
        steps("state", "set", "g", "k", "1")
        steps("state", "delete", "g", "k")
    assert [row.input["eventType"] for row in rows()] == ["state:created", "state:deleted"]
