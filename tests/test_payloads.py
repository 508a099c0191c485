"""JSON in and out: what is written, what is refused, what is masked and cut."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import uuid
from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from motia_django import payloads
from motia_django.exceptions import PayloadError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip
WIDE = 2**70


class Colour(Enum):
    RED = "red"
    WIDE = WIDE
    NAN = math.nan


class Item(BaseModel):
    name: str = Field(default="x", serialization_alias="itemName")
    price: float = 1.0
    count: int = 1


@dataclasses.dataclass
class Point:
    x: float
    y: Any = None
    _hidden: int = 1


Pair = namedtuple("Pair", "a b")


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def nested(depth: int) -> Any:
    """Return a list that deep."""
    value: Any = None
    for _ in range(depth):
        value = [value]
    return value


@given(JSON)
def test_any_json_comes_back_as_it_went_in(value: Any) -> None:
    again = payloads.plain(value)
    assert again == value
    assert json.dumps(again) == json.dumps(value), "even the types of numbers are kept"


@pytest.mark.parametrize(
    "number",
    [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, WIDE, -WIDE, 10**400],
)
def test_integers_of_any_size_keep_their_value(number: int) -> None:
    for value in (number, [number], {"a": {"b": number}}, {"s": "x" * 30, "n": [number, 0.5]}):
        assert payloads.plain(value) == value
        assert json.dumps(payloads.plain(value)) == json.dumps(value)


@pytest.mark.parametrize(
    "text", ["12345678901234567890123", "-1234567890123456789012", "\u0661" * 30]
)
def test_digits_in_a_string_stay_a_string(text: str) -> None:
    assert payloads.plain({"text": text}) == {"text": text}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2), [1, 2]),
        ({1}, [1]),
        (frozenset({"a"}), ["a"]),
        (Pair(1, 2), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Colour.RED, "red"),
        ({Colour.RED: 1}, {"red": 1}),
        (Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 3, 4, 10, 30, tzinfo=UTC), "2026-03-04T10:30:00Z"),
        (datetime(2026, 3, 4, 10, 30), "2026-03-04T10:30:00"),
        (date(2026, 3, 4), "2026-03-04"),
        (time(10, 30), "10:30:00"),
        (PurePosixPath("/a/b"), "/a/b"),
        (gettext_lazy("Yes"), "Yes"),
        (Item(name="n"), {"itemName": "n", "price": 1.0, "count": 1}),
        (Point(1.5, [Item()]), {"x": 1.5, "y": [{"itemName": "x", "price": 1.0, "count": 1}]}),
        ({1: 1, 1.5: 2, None: 3, False: 4}, {"1": 1, "1.5": 2, "null": 3, "false": 4}),
        ({date(2026, 1, 1): 1, uuid.UUID(int=0): 2}, {"2026-01-01": 1, str(uuid.UUID(int=0)): 2}),
    ],
)
def test_what_python_programs_hold_is_written_as_json(value: Any, expected: Any) -> None:
    assert payloads.plain(value) == expected
    beside_wide = payloads.plain([value, WIDE])
    assert beside_wide == [expected, WIDE], "an integer over 64 bits changes nothing for the rest"


@pytest.mark.parametrize(
    "value",
    [
        Item(count=WIDE),
        Point(1.0, WIDE),
        Colour.WIDE,
        (WIDE,),
        {WIDE},
        MappingProxyType({"a": WIDE}),
    ],
)
def test_wide_integers_are_found_wherever_they_are(value: Any) -> None:
    assert str(WIDE) in payloads.dumps(value)


def test_a_wide_integer_as_key_is_text() -> None:
    assert payloads.plain({WIDE: 1, -WIDE: 2}) == {str(WIDE): 1, str(-WIDE): 2}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("beside", [None, WIDE])
def test_nan_and_infinities_are_refused_wherever_they_are(number: float, beside: Any) -> None:
    places: list[Any] = [
        number,
        [number],
        (number,),
        {number},
        {"a": {"b": [number]}},
        {number: 1},
        Point(number),
        Point(1, {"deep": number}),
        Item(price=number),
        [Item(price=number)],
        MappingProxyType({"a": number}),
    ]
    for value in places:
        with pytest.raises(PayloadError):
            payloads.dumps([value, beside])
    with pytest.raises(PayloadError):
        payloads.dumps([Colour.NAN, beside])


def test_the_word_null_is_no_nan() -> None:
    assert payloads.plain({"null": "null", "x": None}) == {"null": "null", "x": None}


@pytest.mark.parametrize(
    "value",
    ["\ud800", {"\ud800": 1}, ["\udfff", WIDE], {"a": "\ud800", "b": WIDE}, b"bytes", object(), 1j,
     int, iter([1]), {(1, 2): 1}, Unspeakable(), [Unspeakable()], 10**5000, [10**5000],
     {10**5000: 1}, nested(300), [nested(300), WIDE], nested(100_000)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_json_cannot_hold_is_a_payload_error_with_a_short_text(value: Any) -> None:
    with pytest.raises(PayloadError) as caught:
        payloads.dumps(value)
    assert len(str(caught.value)) < 1000
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"items": [{"n": 1}, {"owner": 1j}]}, "items.1.owner: 1j of type complex cannot be"),
        ({"a": [WIDE, {"b": 1j}]}, "a.1.b: 1j of type complex cannot be"),
        ({"a": WIDE, "b": "\ud800"}, "b: '\\ud800' cannot be written as JSON: str is not valid"),
        ({"a": {(1, 2): 3}}, "a: {(1, 2): 3} cannot be written as JSON: Dict key must"),
        ({"a": [1.0, math.nan]}, "a.1: nan is nothing that JSON can hold"),
        (Point(1, {"deep": Colour.NAN}), "y.deep: nan is nothing"),
        ({"a" * 5000: 1j}, f"{'a' * 100}: 1j of type"),
        (1j, "1j of type complex cannot be written as JSON"),
    ],
)
def test_the_error_says_where_in_the_value(value: Any, said: str) -> None:
    with pytest.raises(PayloadError) as caught:
        payloads.dumps(value)
    assert str(caught.value).startswith(said)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.path) == (str(caught.value), caught.value.path)


def test_a_value_that_holds_itself_is_refused() -> None:
    circle: list[Any] = [WIDE]
    circle += [circle, circle]
    with pytest.raises(PayloadError) as caught:
        payloads.dumps(circle)
    assert caught.value.path == ""


def test_a_model_instance_is_refused_with_the_advice_to_send_its_key() -> None:
    with pytest.raises(PayloadError, match="primary key"):
        payloads.dumps({"user": User(username="ada")})


@given(st.recursive(st.just(WIDE), lambda inner: st.lists(inner, max_size=2), max_leaves=5))
def test_what_was_written_can_be_read(value: Any) -> None:
    assert payloads.loads(payloads.dumps(value)) == value


def test_the_deepest_value_that_can_be_written_can_be_read_masked_and_cut() -> None:
    value = payloads.plain([nested(250), WIDE])
    assert payloads.masked(value, ["x"]) == value
    assert payloads.cut(value, 10_000) == value


@pytest.mark.parametrize(
    "text",
    ["", "{", "nul", "NaN", "[NaN, 12345678901234567890]", "[1e999, 12345678901234567890]",
     "[12345678901234567890", '"\\ud800"', '["\\ud800", 12345678901234567890]', "1" * 5000,
     "[" * 2000 + "]" * 2000, "[" * 2000 + "12345678901234567890" + "]" * 2000],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_text_that_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        payloads.loads(text)


def test_nul_characters_survive() -> None:
    assert payloads.plain("a\x00b") == "a\x00b"
    assert "\x00" not in payloads.dumps("a\x00b"), "PostgreSQL would refuse it"


# -- masked

WORDS = ("password", "api_key", "token")


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "PASSWORD",
        "pass-word",
        "userPassword",
        "API-Key",
        "apiKey",
        "X_API_KEY",
        "tokens",
    ],
)
def test_values_under_secret_looking_keys_are_masked_at_any_depth(key: str) -> None:
    value = {"list": [{"inner": {key: "s3cret"}}], key: ["s3cret"]}
    masked = payloads.masked(value, WORDS)
    assert "s3cret" not in payloads.dumps(masked)
    assert masked == {"list": [{"inner": {key: payloads.MASK}}], key: payloads.MASK}
    assert value[key] == ["s3cret"], "the original is not touched"


def test_other_values_are_not_masked() -> None:
    value = {"note": "my password is x", "pass": 1, "key": 2, "list": ["token"]}
    assert payloads.masked(value, WORDS) == value


def test_a_word_that_begins_with_a_dash_is_the_end_of_a_header() -> None:
    value = {"X-Sensor-Key": 1, "Idempotency-Key": 2, "partition-key": 3, "Key": 4, "X-Keys": 5}
    assert payloads.masked(value, ["-Key"]) == {**value, "X-Sensor-Key": payloads.MASK}


def test_that_a_secret_is_missing_is_no_secret_and_a_false_one_is() -> None:
    value = {"password": None, "token": False, "api_key": 0}
    expected = {"password": None, "token": payloads.MASK, "api_key": payloads.MASK}
    assert payloads.masked(value, WORDS) == expected


def test_without_words_nothing_is_masked() -> None:
    assert payloads.masked({"password": 1}, []) == {"password": 1}


# -- cut


def test_a_value_up_to_the_limit_is_kept_whole() -> None:
    assert payloads.cut("é" * 9, 20) == "é" * 9
    assert payloads.cut("é" * 10, 20) != "é" * 10


@given(JSON, st.integers(2, 100))
def test_what_is_cut_tells_its_true_size_and_how_it_begins(value: Any, limit: int) -> None:
    text = payloads.dumps(value)
    cut = payloads.cut(value, limit)
    if len(text.encode()) <= limit:
        assert cut == value
    else:
        note = cut["motia:cut"]
        assert note["bytes"] == len(text.encode())
        assert text.startswith(note["begins"])
        assert len(note["begins"]) <= limit


# -- for people


@given(JSON)
def test_what_is_json_is_presented_as_it_is(value: Any) -> None:
    assert payloads.presentable(value) == payloads.plain(value)


def test_what_is_not_json_is_presented_by_its_repr_and_the_rest_as_it_is() -> None:
    shown = payloads.presentable({"id": 1, "thing": 1j, "list": [1j, "\ud800", math.nan]})
    assert shown == {"id": 1, "thing": "1j", "list": ["1j", "\\ud800", "nan"]}


def test_a_secret_beside_what_is_not_json_can_still_be_masked() -> None:
    value = {
        "user": {"password": "s3cret", "socket": 1j},
        "point": Point(1, {"token": "s3cret", "o": 1j}),
    }
    assert "s3cret" not in str(payloads.masked(payloads.presentable(value), WORDS))


def test_presenting_never_fails() -> None:
    circle: list[Any] = []
    circle.append(circle)
    for value in (circle, Unspeakable(), {Unspeakable(): Unspeakable()}, nested(5000), 10**5000):
        payloads.dumps(payloads.presentable(value))


@given(st.text(st.characters(exclude_categories=[])))
def test_plain_text_can_be_stored_anywhere(text: str) -> None:
    plain = payloads.plain_text(text)
    plain.encode()
    assert "\x00" not in plain


@given(st.text())
def test_ordinary_text_is_plain_already(text: str) -> None:
    assert payloads.plain_text(text) == text.replace("\x00", "\\x00")
