"""The glossary: the words of the code, and each of them in use."""

from __future__ import annotations

from motia_django.runs import Status
from motia_django.triggers import KINDS
from tests.docs.pages import DOCS, pages, prose, rows, words

PAGE = DOCS / "glossary.md"


def meaning(word: str) -> str:
    """Return the row of a word."""
    return next(row for row in prose(PAGE).splitlines() if row.startswith(f"| {word} |"))


def test_every_word_is_there_once_and_is_used_on_other_pages() -> None:
    told = [each for each in rows(prose(PAGE)) if each not in ("word", "---")]
    assert len(told) > 30
    assert len(told) == len(set(told))
    others = " ".join(prose(page).lower() for page in pages() if page != PAGE)
    assert [each for each in told if each.lower() not in others] == []


def test_the_kinds_of_triggers_and_the_statuses_are_those_of_the_code() -> None:
    assert [kind for kind in KINDS if kind not in meaning("trigger")] == []
    assert words(meaning("status")) == set(Status)
