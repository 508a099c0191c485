"""Masks in what people give back: put back from the original, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from motia_django import payloads
from motia_django.exceptions import InvalidInput
from motia_django.masks import restored, without

SECRETS = ("token",)
WHAT = "The input"


@pytest.mark.parametrize(
    ("edited", "original", "expected"),
    [
        ({"token": "********"}, {"token": "a"}, {"token": "a"}),
        ({"token": "b"}, {"token": "a"}, {"token": "b"}),
        (
            {"x": {"token": "********"}, "n": 2},
            {"x": {"token": "a"}},
            {"x": {"token": "a"}, "n": 2},
        ),
        ([{"token": "********"}, 3], [{"token": "a"}, 2], [{"token": "a"}, 3]),
        ({"token": {"n": "********"}}, {"token": {"n": 1}}, {"token": {"n": 1}}),
        ("********", "********", "********"),
        (1, True, 1),
        (None, {"token": "a"}, None),
    ],
)
def test_masks_left_alone_give_way_to_their_secrets(
    edited: Any, original: Any, expected: Any
) -> None:
    assert restored(edited, original, payloads.masked(original, SECRETS), WHAT) == expected


@pytest.mark.parametrize(
    ("edited", "original"),
    [
        ([{"token": "********", "id": 2}], [{"token": "a", "id": 1}, {"token": "b", "id": 2}]),
        ([{"token": "********", "id": 9}], [{"token": "a", "id": 1}]),
        ({"other": "********"}, {"token": "a"}),
    ],
)
def test_a_mask_whose_secret_cannot_be_told_is_refused(edited: Any, original: Any) -> None:
    with pytest.raises(InvalidInput, match="write it out"):
        restored(edited, original, payloads.masked(original, SECRETS), WHAT)


def test_a_refusal_says_where_each_mask_stands() -> None:
    edited = {"token": "********", "to": [{"mail": "********"}], "x": "********"}
    with pytest.raises(InvalidInput) as caught:
        restored(edited, {"token": "a"}, {"token": "********"}, WHAT)
    assert list(caught.value.errors) == ["to.0.mail", "x"]
    assert str(caught.value).startswith("The input is invalid: to.0.mail: ******** stands where")


@pytest.mark.parametrize("given", ["********", {"a": ["********"]}, [{"token": "********"}]])
def test_in_what_is_new_a_mask_hides_nothing(given: Any) -> None:
    with pytest.raises(InvalidInput, match="write it out"):
        without(given, WHAT)
    assert without({"a": "*** ********"}, WHAT) == {"a": "*** ********"}
