from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motia_django.graph.lettering import attributes, fitted, width_of


@given(st.text(max_size=300), st.floats(20, 400), st.booleans())
def test_a_text_is_cut_to_its_room_and_stays_on_one_line(
    text: str, room: float, monospace: bool
) -> None:
    cut = fitted(text, room, 12, monospace=monospace)
    assert width_of(cut, 12, monospace=monospace) <= room
    assert cut.isprintable()


def test_what_has_room_is_left_alone_and_what_has_not_ends_in_an_ellipsis() -> None:
    assert fitted("CreateOrder", 200, 14) == "CreateOrder"
    assert fitted("CreateOrder", 60, 14).endswith("…")
    assert fitted("two\nlines\u202e", 200, 14) == "two lines "


@pytest.mark.parametrize(("wider", "narrower"), [("WWW", "iii"), ("日本語", "abc"), ("🦊🦊", "aa")])
def test_wide_letters_take_more_room(wider: str, narrower: str) -> None:
    assert width_of(wider, 12) > width_of(narrower, 12)


def test_numbers_are_written_as_attributes() -> None:
    assert attributes(x=1, width=2.25) == 'x="1.0" width="2.2"'
