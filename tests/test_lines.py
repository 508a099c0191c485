"""Text in one line: what would end or steer the line is spelled out, all else is left alone."""

from __future__ import annotations

import json

import pytest

from motia_django.lines import escaped, spelled_out


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x\n[FAKE] line \x1b[31m", r"x\n[FAKE] line \x1b[31m"),
        ("\r\b\x00\x7f\x85\x9b", r"\r\x08\x00\x7f\x85\x9b"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\u202atxt.exe\u202e\u2066\u2069", r"\u202atxt.exe\u202e\u2066\u2069"),
    ],
)
def test_what_ends_or_steers_a_line_is_spelled_out(text: str, shown: str) -> None:
    assert spelled_out(text) == shown


def test_all_other_text_is_left_as_it_is() -> None:
    text = "Zoë, 日本, שלום\u200f 👩‍🚀 \\n\t'quoted'"
    assert spelled_out(text) == text
    assert spelled_out(17) == "17"


def test_json_says_the_same_and_steers_no_terminal() -> None:
    value = {"Zoë": "\x1b[31m \x9b31m \x7f \u2028 \u202e\u2066 'n' \\u009b"}
    text = escaped(json.dumps(value, indent=2, ensure_ascii=False))
    assert json.loads(text) == value
    assert [each for each in text if not each.isprintable()] == ["\n", "\n"]
    assert "Zoë" in text
