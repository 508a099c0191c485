"""The structured logger: its line, its record, its masking; and it never fails the Step."""

from __future__ import annotations

import logging
import math
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from motia_django import tracing
from motia_django.loggers import LOGGER, Logger
from tests.test_tracing import make_scope


class Broken:
    """Nothing can be said of it."""

    def __str__(self) -> str:
        raise RuntimeError("no str")

    __repr__ = __str__


class Recorder(logging.Handler):
    """Keeps what is logged, put into words as a console handler would."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
        self.records.append(record)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recording() as handler:
        yield handler


class Recording:
    """Record what the logger of Steps is told in a block, at every level."""

    def __enter__(self) -> Recorder:
        self.handler, self.level = Recorder(), LOGGER.level
        LOGGER.addHandler(self.handler)
        LOGGER.setLevel(logging.DEBUG)
        return self.handler

    def __exit__(self, *error: object) -> None:
        LOGGER.removeHandler(self.handler)
        LOGGER.setLevel(self.level)


def log(step: str = "ProcessTodo") -> Logger:
    """Return the logger of a run."""
    return Logger(make_scope(step))


def test_the_line_names_the_step_and_its_fields(recorder: Recorder) -> None:
    log().info("Todo processed", {"todoId": "17", "ms": 12.5, "done": True, "by": None})
    log().info("Todo processed", todoId="17", title="Learn Motia")
    log().info("Nothing else")
    assert recorder.lines == [
        "[ProcessTodo] Todo processed todoId=17 ms=12.5 done=true by=null",
        '[ProcessTodo] Todo processed todoId=17 title="Learn Motia"',
        "[ProcessTodo] Nothing else",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", '""'),
        ("a b", '"a b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("two\nlines", r'"two\nlines"'),
        ("\x1b[31mred", r'"\u001b[31mred"'),
        ("größe", "größe"),
        ("日本", "日本"),
        ("550e8400-e29b-41d4", "550e8400-e29b-41d4"),
        ({"a": [1]}, '{"a":[1]}'),
        ([1, "b"], '[1,"b"]'),
        (2**70, str(2**70)),
    ],
)
def test_a_value_is_one_unambiguous_word_on_one_line(
    recorder: Recorder, value: Any, shown: str
) -> None:
    log().info("x", {"field": value})
    assert recorder.lines == [f"[ProcessTodo] x field={shown}"]


def test_no_text_forges_a_line_or_steers_the_terminal(recorder: Recorder) -> None:
    log().info("Order of x\n[ProcessTodo] paid \x1b[31m", {"note": "\u202e\u2028\x9b"})
    [line] = recorder.lines
    assert line == (
        r'[ProcessTodo] Order of x\n[ProcessTodo] paid \x1b[31m note="\u202e\u2028\x9b"'
    )
    (record,) = recorder.records
    assert vars(record)["fields"] == {"note": "\u202e\u2028\x9b"}


def test_the_record_carries_what_structured_handlers_want(recorder: Recorder) -> None:
    scope = make_scope("Step with spaces")
    Logger(scope).warning("Careful", {"count": 95}, more=[1])
    (record,) = recorder.records
    facts = vars(record)
    assert record.name == "motia.steps"
    assert record.levelno == logging.WARNING
    assert (facts["step"], facts["trace_id"]) == ("Step with spaces", scope.trace_id)
    assert facts["run_id"] == str(scope.run_id)
    assert facts["fields"] == {"count": 95, "more": [1]}


def test_the_record_names_the_handlers_own_line(recorder: Recorder) -> None:
    log().info("x")
    log().warn("x")
    log().exception("x")
    assert {record.filename for record in recorder.records} == {"test_loggers.py"}
    assert {record.funcName for record in recorder.records} == {
        "test_the_record_names_the_handlers_own_line"
    }


def test_each_method_has_its_level(recorder: Recorder) -> None:
    logger = log()
    for method in (logger.debug, logger.info, logger.warn, logger.warning, logger.error):
        method("x")
    levels = [record.levelname for record in recorder.records]
    assert levels == ["DEBUG", "INFO", "WARNING", "WARNING", "ERROR"]


def test_exception_carries_the_traceback(recorder: Recorder) -> None:
    try:
        raise KeyError("orderId")
    except KeyError:
        log().exception("Failed", {"id": 1})
    assert recorder.lines[0].startswith("[ProcessTodo] Failed id=1\nTraceback")
    assert "KeyError: 'orderId'" in recorder.lines[0]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("took %d ms", 12), "took 12 ms"),
        (("%s of %s", 1, "two"), "1 of two"),
        (("%(a)s and %(b)s", {"a": 1, "b": 2}), "1 and 2"),
        (("100%", {"id": 1}), "100% id=1"),
        (("50%% done",), "50%% done"),
        (("%s",), "%s"),
        ((12,), "12"),
        ((None,), "None"),
        ((ValueError("oh"),), "oh"),
    ],
)
def test_motias_dict_and_stdlibs_arguments_both_work(
    recorder: Recorder, arguments: tuple[Any, ...], line: str
) -> None:
    log().info(*arguments)
    assert recorder.lines == [f"[ProcessTodo] {line}"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("%d items", "many"),
        ("%s",  1, 2),
        ("%s %s", 1),
        ("%(missing)s", {"a": 1}),
        ("%z", 1),
        ("100% sure", 1),
        ("x", None),
        ("x", [1]),
        ("x", {"a": 1}, {"b": 2}),
        ("%s", Broken()),
        ("x", Broken()),
        (Broken(),),
        ("x", {"a": Broken(), Broken(): 1, 5: 1j}),
        ("\ud800", {"\ud800": "\ud800"}),
        ("%999999999999d", 1),
    ],
)  # fmt: skip
def test_a_call_that_does_not_fit_logs_all_the_same(
    recorder: Recorder, arguments: tuple[Any, ...]
) -> None:
    scope = make_scope()
    Logger(scope).info(*arguments)
    (line,) = recorder.lines
    line.encode()
    assert len(scope.timeline.entries()) == 1


@given(
    st.text(st.characters(exclude_categories=[])), st.lists(st.text() | st.integers(), max_size=3)
)
def test_no_text_and_no_arguments_make_it_raise(text: str, arguments: list[Any]) -> None:
    with Recording() as recorder:
        log().info(text, *arguments)
    assert len(recorder.lines) == 1


@pytest.mark.parametrize("name", ["message", "msg", "args", "level", "self", "name", "extra"])
def test_a_field_may_have_any_name(recorder: Recorder, name: str) -> None:
    log().info("x", **{name: "value"})
    assert recorder.lines == [f"[ProcessTodo] x {name}=value"]


def test_secrets_are_masked_in_line_record_and_timeline(recorder: Recorder) -> None:
    scope = make_scope()
    secrets = {"password": "s3cret", "user": {"api-key": "s3cret", "socket": object()}}
    Logger(scope).info("Login", secrets, token="s3cret")
    seen = recorder.lines[0] + str(vars(recorder.records[0])) + str(scope.timeline.entries())
    assert "s3cret" not in seen
    assert "password=********" in recorder.lines[0]


def test_the_callers_dict_is_not_changed(recorder: Recorder) -> None:
    fields = {"password": "s3cret"}
    log().info("Login", fields)
    assert fields == {"password": "s3cret"}
    vars(recorder.records[0])["fields"]["password"] = "changed"
    assert fields == {"password": "s3cret"}


def test_the_line_is_in_the_timeline_even_if_nobody_logs_that_level() -> None:
    scope = make_scope()
    LOGGER.setLevel(logging.ERROR)
    try:
        Logger(scope).warn("Careful", {"count": 95})
        Logger(scope).debug("Bare")
    finally:
        LOGGER.setLevel(logging.NOTSET)
    first, second = scope.timeline.entries()
    assert first["kind"] == "log"
    assert (first["level"], first["message"], first["fields"]) == (
        "warning",
        "Careful",
        {"count": 95},
    )
    assert (second["level"], second["message"]) == ("debug", "Bare")
    assert "fields" not in second


def test_outside_of_a_step_it_logs_without_a_prefix(recorder: Recorder) -> None:
    Logger().info("Hello", {"id": 1})
    assert recorder.lines == ["Hello id=1"]
    assert vars(recorder.records[0])["step"] is None


def test_the_same_logger_joins_the_step_that_runs_here(recorder: Recorder) -> None:
    logger = Logger()
    with tracing.entered(make_scope("Here")) as scope:
        logger.info("Hello")
    assert recorder.lines == ["[Here] Hello"]
    assert len(scope.timeline.entries()) == 1


def test_a_record_can_go_to_another_process(recorder: Recorder) -> None:
    log().info("Todo processed", {"todoId": "17"})
    again = pickle.loads(pickle.dumps(recorder.records[0]))
    assert again.getMessage() == "[ProcessTodo] Todo processed todoId=17"


@override_settings(MOTIA={"REDACT": ["iban"]})
def test_the_words_to_mask_are_those_of_the_settings(recorder: Recorder) -> None:
    log().info("x", {"IBAN": "s3cret", "password": "visible", "n": math.pi})
    assert "s3cret" not in recorder.lines[0]
    assert "visible" in recorder.lines[0]
