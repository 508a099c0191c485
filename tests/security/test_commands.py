"""Malice on the command line: an argument is text, JSON or a number, or the command says so."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from motia_django import state
from tests.factories import installed, make_step, rows
from tests.security.malice import DIGITS, REFUSED_TEXTS, TEXTS, by_name

pytestmark = pytest.mark.django_db

NO_TEXT = "a\udcff"
"""What Python makes of a byte in an argument that is no UTF-8."""
WITH_TEXT = [
    ("show", "{}"),
    ("run", "{}"),
    ("enqueue", "{}"),
    ("runs", "--step", "{}"),
    ("runs", "--key", "{}"),
    ("trace", "{}"),
    ("dead", "--step", "{}"),
    ("dead", "--topic", "{}"),
    ("dead", "--error", "{}"),
    ("dead", "--since", "{}"),
    ("redrive", "{}", "--yes"),
    ("discard", "--error", "{}", "--yes"),
    ("cancel", "--topic", "{}", "--yes"),
    ("retry", "--step", "{}", "--yes"),
    ("pause", "{}"),
    ("resume", "{}"),
    ("override", "{}", "* * * * *"),
    ("override", "Work", "{}"),
    ("state", "get", "{}", "k"),
    ("state", "set", "g", "{}", "1"),
    ("state", "list", "{}", "--after", "{}"),
    ("state", "delete", "g", "{}"),
    ("graph", "--flow", "{}"),
]
WITH_NUMBERS = [
    ("runs", "--limit", "{}"),
    ("dead", "--limit", "{}"),
    ("dead", "--groups", "--limit", "{}"),
    ("state", "list", "g", "--limit", "{}"),
    ("state", "set", "g", "k", "1", "--ttl", "{}"),
    ("state", "set", "g", "k", "1", "--if-version", "{}"),
    ("enqueue", "work", "--delay", "{}"),
    ("batches", "--limit", "{}"),
    ("batches", "--stop", "{}"),
    ("discard", "--step", "Work", "--limit", "{}", "--yes"),
    ("prune", "--status", "dead", "--older-than", "{}", "--yes"),
]


def said(command: tuple[str, ...], text: str) -> str | None:
    """Give a command with this text in its places; return its error, or None if it has none."""
    words = [word.replace("{}", text) for word in command]
    with installed(make_step()):
        try:
            call_command("motia_steps", *words, stdout=io.StringIO())
        except CommandError as error:
            return str(error)
    return None


@pytest.mark.parametrize("command", WITH_TEXT, ids=lambda command: " ".join(command[:2]))
def test_bytes_that_are_no_text_are_refused(command: tuple[str, ...]) -> None:
    assert "expected text in UTF-8" in (said(command, NO_TEXT) or "")


@pytest.mark.parametrize("command", WITH_TEXT, ids=lambda command: " ".join(command[:2]))
def test_whatever_is_text_is_understood_or_refused(command: tuple[str, ...]) -> None:
    for text in ("x", "--", *TEXTS.values()):
        error = said(command, text)
        assert error is None or error
    assert state.list_groups() in ([], ["g"])


@pytest.mark.parametrize("command", WITH_NUMBERS, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize("number", ["9" * 30, DIGITS, "-1", "1e999", "-inf", "nan", "0x10", "١"])
def test_a_number_is_one_that_can_be_used_or_is_refused(
    command: tuple[str, ...], number: str
) -> None:
    error = said(command, number)
    assert error is None or error


@pytest.mark.parametrize("body", **by_name(REFUSED_TEXTS))
def test_what_is_no_json_is_refused_and_begins_nothing(body: str) -> None:
    for command in (
        ("enqueue", "work", "--data", "{}"),
        ("run", "Work", "--input", "{}"),
        ("state", "set", "g", "k", "{}"),
    ):
        assert said(command, body)
    assert (rows(), state.list_groups()) == ([], [])
