"""What one statement may carry: by number, by the length of the texts, and in a real database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from motia_django import Stream, enqueue, ledger, portions
from motia_django.portions import portions as cut
from motia_django.runs import Outcome, Status
from tests.factories import installed, make_run, make_step, make_stream, nothing, rows

TEXTS = {"letters": ("x", 17), "wheels": ("🚲", 5), "quotes": ('"', 5)}
"""A text whose million is a payload, and how many of them MariaDB's 16 MB do not hold, as it gets
them: one byte each, four, or two of JSON that SQL doubles."""


@pytest.fixture(params=TEXTS)
def large(request: pytest.FixtureRequest) -> list[dict[str, str]]:
    """Payloads that no statement of MariaDB's can carry together."""
    text, count = TEXTS[request.param]
    return [{"id": f"{number:02}", "text": text * 1_000_000} for number in range(count)]


@pytest.fixture
def steps(db: None) -> Iterator[None]:
    """Declare a Step, and a stream."""
    with installed(make_step(nothing), streams=[make_stream("orders")]):
        yield


def test_rows_go_together_until_they_are_too_many_or_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portions, "_LARGEST", 6)
    assert list(cut([], len, 3)) == []
    assert list(cut(["", "", "", ""], len, 3)) == [["", "", ""], [""]]
    assert list(cut(["123", "123", "1"], len, 3)) == [["123", "123"], ["1"]]
    assert list(cut(["1", "12345678", "1", "2"], len, 3)) == [["1"], ["12345678"], ["1", "2"]]


@pytest.mark.usefixtures("steps")
def test_a_list_of_messages_may_be_larger_than_a_statement(large: list[dict[str, str]]) -> None:
    ids = enqueue([{"topic": "work", "data": each} for each in large])
    assert [(str(row.id), row.input) for row in rows()] == list(zip(ids, large, strict=True))


@pytest.mark.usefixtures("steps")
def test_items_of_a_stream_may_be_larger_than_a_statement(large: list[dict[str, str]]) -> None:
    items = {each["id"]: each for each in large}
    Stream("orders").set_many("g", items)
    assert Stream("orders").list("g") == large
    assert Stream("orders").delete_many("g", list(items)) == items
    assert Stream("orders").list("g") == []


@pytest.mark.usefixtures("steps")
def test_history_that_is_written_together_may_be_larger_than_a_statement(
    large: list[dict[str, str]], settings: Any
) -> None:
    settings.MOTIA = {"MAX_PAYLOAD": 10**8}
    runs = [make_run(trigger="http", source="GET /", input=each) for each in large]
    now = runs[0].created_at
    answered = Outcome(status=Status.SUCCEEDED, started_at=now, finished_at=now)
    ledger.record_answered([(run, answered) for run in runs])
    assert [row.input for row in rows()] == large
