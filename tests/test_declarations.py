"""Reading declarations: either spelling, every problem collected, each on its line."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django import declarations
from motia_django.declarations import (
    INVALID_VALUE,
    MISSING_KEY,
    UNKNOWN_KEY,
    Mismatch,
    Problem,
    camel,
)
from motia_django.sources import Source, snake
from tests.declared import reader

WORDS = st.lists(st.from_regex(r"[a-z][a-z]{1,8}", fullmatch=True), min_size=1, max_size=4).map(
    "_".join
)


@given(WORDS)
def test_the_two_spellings_turn_into_one_another(name: str) -> None:
    assert snake(camel(name)) == name
    assert snake(name) == name


@pytest.mark.parametrize("key", ["body_schema", "bodySchema", "BodySchema", "BODY_SCHEMA"])
def test_a_key_is_found_in_any_spelling(key: str) -> None:
    given_ = reader({key: "x"})
    assert given_.take("body_schema", declarations.text) == "x"
    given_.finish("a trigger")
    assert not given_.problems


def test_two_spellings_of_one_key_are_a_problem_that_names_both() -> None:
    given_ = reader({"bodySchema": "x", "body_schema": "y"})
    given_.take("body_schema", declarations.text)
    (problem,) = given_.problems
    assert problem.id == INVALID_VALUE
    assert "'bodySchema' and 'body_schema'" in problem.message


def test_a_key_and_its_other_name_are_two_spellings_too() -> None:
    given_ = reader({"schedule": "x", "cron": "y"})
    given_.take("schedule", declarations.text, also=("expression", "cron"))
    assert "'schedule' and 'cron'" in given_.problems[0].message


def test_a_required_key_that_is_missing_is_named_as_the_docs_spell_it() -> None:
    given_ = reader({})
    given_.take("stream_name", declarations.text)
    (problem,) = given_.problems
    assert problem.id == MISSING_KEY
    assert "'streamName' is missing" in problem.message


def test_a_default_stands_in_for_a_missing_key_only() -> None:
    given_ = reader({"bad": 5, "none": None})
    assert given_.take("missing", declarations.text, default="d") == "d"
    assert given_.take("none", declarations.text, default=None) is None
    assert not given_.problems
    given_.take("bad", declarations.text, default="d")
    assert "config.bad: expected a string that is not empty, got 5" in given_.problems[0].message


def test_every_key_that_nobody_took_is_reported_with_the_nearest() -> None:
    given_ = reader({"bodyShema": 1, "zzz": 2, 5: 3, "": 4})
    given_.take("body_schema", declarations.text, default=None)
    given_.finish("a trigger")
    assert [problem.id for problem in given_.problems] == [UNKNOWN_KEY] * 4
    first, second, third, _ = given_.problems
    assert first.message == "config: unknown key 'bodyShema' of a trigger"
    assert first.hint == "Did you mean 'bodySchema'?"
    assert second.hint == "Known are bodySchema."
    assert "unknown key 5" in third.message


def test_problems_of_a_dict_inside_land_in_the_same_list_with_their_path() -> None:
    given_ = reader({"triggers": [{"config": {"retries": "x"}}]})
    inner = given_.nested("triggers", {"config": {}}, 0).nested("config", {"retries": "x"})
    inner.take("retries", declarations.whole_number)
    assert given_.problems is inner.problems
    assert given_.problems[0].message.startswith("config.triggers[0].config.retries: expected")


def test_a_problem_shows_where_it_is_as_editors_link_it() -> None:
    problem = Problem(id="motia.E1", message="m", hint="h", file=Path("a/x_step.py"), line=12)
    assert str(problem) == "a/x_step.py:12: (motia.E1) m\n        HINT: h"
    assert Problem(id="i", message="m", file=Path("x.py")).where == "x.py"
    assert Problem(id="i", message="m").where == ""


def test_a_huge_value_is_not_repeated_whole() -> None:
    given_ = reader({"name": ["x" * 10_000]})
    given_.take("name", declarations.text)
    assert len(given_.problems[0].message) < 400


# -- parsers


@pytest.mark.parametrize(
    ("parse", "good", "bad"),
    [
        (declarations.text, ["a", " a ", "日本", "::"], ["", " ", "\n", None, 1, b"a", ["a"]]),
        (declarations.any_text, ["", "a"], [None, 1, b"a"]),
        (declarations.boolean, [True, False], [0, 1, "true", None]),
        (declarations.whole_number, [0, 5, 10**30], [-1, 1.0, "1", True, None]),
        (declarations.number, [0, 0.5, 5], [-0.1, float("nan"), float("inf"), "1", True, 10**400]),
        (declarations.positive_number, [0.5, 5], [0, 0.0, -1, True]),
        (declarations.texts, [[], ["a"], ("a", "b")], ["a", [1], None, {"a"}, {"a": 1}]),
    ],
)
def test_each_parser_takes_what_it_says_and_nothing_else(
    parse: Any, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        assert parse(value) == (tuple(value) if isinstance(value, list) else value)
    for value in bad:
        with pytest.raises(Mismatch):
            parse(value)


def test_a_choice_is_taken_whatever_its_case_and_hints_at_the_nearest() -> None:
    parse = declarations.one_of("GET", "POST")
    assert parse("post") == "POST"
    with pytest.raises(Mismatch, match=r"one of GET, POST \(did you mean 'POST'\?\)"):
        parse("psot")
    for value in (None, 5, ["GET"], "", "zzz"):
        with pytest.raises(Mismatch, match="one of GET, POST$"):
            parse(value)


# -- lines


def line(tmp_path: Path, text: str, *place: str | int) -> int | None:
    """Return the line of a place in the config of a file with this text."""
    file = tmp_path / "x_step.py"
    file.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return Source(file).line(place)


LITERAL = """
    import os

    config = {
        "name": "A",
        "triggers": [
            {"type": "queue", "topic": "t"},
            {
                "type": "http",
                "path": "/x",
                "bodySchema": {},
            },
        ],
    }
"""


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((), 3),
        (("name",), 4),
        (("triggers",), 5),
        (("triggers", 0), 6),
        (("triggers", 0, "topic"), 6),
        (("triggers", 1), 7),
        (("triggers", 1, "path"), 9),
        (("triggers", 1, "body_schema"), 10),
        (("triggers", 1, "bodySchema"), 10),
        (("triggers", 1, "missing"), 7),
        (("triggers", 7), 5),
        (("missing", 1, "x"), 3),
    ],
)
def test_a_place_is_found_on_its_line(
    tmp_path: Path, place: tuple[str | int, ...], expected: int
) -> None:
    assert line(tmp_path, LITERAL, *place) == expected


def test_a_place_is_found_in_the_call_of_a_helper(tmp_path: Path) -> None:
    text = """
        config: dict = step(
            "A",
            triggers=[
                http(
                    "GET",
                    "/x",
                    body_schema=5,
                ),
            ],
        )
    """
    assert line(tmp_path, text) == 1
    assert line(tmp_path, text, "triggers") == 3
    assert line(tmp_path, text, "triggers", 0) == 4
    assert line(tmp_path, text, "triggers", 0, "body_schema") == 7
    assert line(tmp_path, text, "triggers", 0, "path") == 4


def test_a_place_behind_a_name_is_as_near_as_the_text_tells(tmp_path: Path) -> None:
    text = """
        TRIGGERS = [{}]
        config = {**BASE, "name": "A",
            "triggers": TRIGGERS}
    """
    assert line(tmp_path, text, "triggers", 0, "path") == 3


@pytest.mark.parametrize(
    "text", ["", "config = (", "from x import config", "if 1:\n    config = 1"]
)
def test_what_the_text_does_not_tell_is_none(tmp_path: Path, text: str) -> None:
    assert line(tmp_path, text, "name") is None


def test_a_file_that_is_gone_tells_nothing(tmp_path: Path) -> None:
    assert Source(tmp_path / "gone.py").line(("name",)) is None
