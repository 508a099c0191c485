from __future__ import annotations

import json
from typing import Any

import pytest

from motia_django.live.access import Subscription
from motia_django.web import wishes
from motia_django.web.wishes import LONGEST, NotMotia, NotPossible

GROUP = {"subscriptionId": "1", "streamName": "orders", "groupId": "g"}


def said(**data: Any) -> str:
    return json.dumps({"type": "join", "data": {**GROUP, **data}})


def test_a_group_or_an_item_of_it_is_asked_for() -> None:
    assert wishes.read(said()).subscription == Subscription.checked("orders", "g")
    assert wishes.read(said(id=None)).subscription == Subscription.checked("orders", "g")
    assert wishes.read(said(id="7")).subscription == Subscription.checked("orders", "g", "7")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, 4003),
        ("", 4007),
        ("{", 4007),
        ("[" * 10_000, 4007),
        ("1" * 5_000, 4007),
        ('"join"', 4008),
        ("[]", 4008),
        ("{}", 4008),
        ('{"type": "join"}', 4008),
        ('{"type": "join", "data": []}', 4008),
        ('{"type": ["join"], "data": {}}', 4008),
        (json.dumps({"type": "publish", "data": GROUP}), 4008),
        (said(subscriptionId=None), 4008),
        (said(subscriptionId=1), 4008),
        (said(subscriptionId=""), 4008),
        (said(subscriptionId="x" * 256), 4008),
        (said(subscriptionId="\ud800", groupId=""), 4008),
        (said(more="x" * LONGEST), 4009),
    ],
)
def test_who_does_not_speak_the_protocol_is_told_so_by_a_code(text: str | None, code: int) -> None:
    with pytest.raises(NotMotia) as raised:
        wishes.read(text)
    assert raised.value.code == code
    assert len(raised.value.reason.encode()) <= 123  # RFC 6455, section 5.5


@pytest.mark.parametrize(
    "wrong",
    [{"groupId": ""}, {"groupId": "x" * 256}, {"id": ["7"]}, {"id": "\0"}, {"streamName": None}],
)
def test_a_wish_that_cannot_be_met_is_answered_under_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotPossible) as raised:
        wishes.read(said(**wrong))
    frame = json.loads(wishes.not_possible(raised.value))
    assert (frame["type"], frame["subscriptionId"]) == ("error", "1")
    assert "expected" in frame["message"]
