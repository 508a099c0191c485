from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import pytest
from django.test import Client

from sample_project.orders.visitors import WEIGHTS, Deed, plan


def deeds(seed: int, count: int = 2000) -> list[Deed]:
    return list(islice(plan(seed), count))


def test_the_same_seed_gives_the_same_deeds_and_another_seed_others() -> None:
    assert deeds(7) == deeds(7)
    assert deeds(7) != deeds(8)


def test_every_kind_of_deed_comes_as_often_as_it_should() -> None:
    assert sum(WEIGHTS.values()) == 100
    kinds = Counter(deed.kind for deed in deeds(1))
    assert set(kinds) == {"request", "ship", "send", "store", "notice", "tick"}
    assert 300 < kinds["ship"] < 500


@pytest.mark.django_db(transaction=True)
def test_what_visitors_ask_for_is_answered_and_some_of_it_refused() -> None:
    client = Client()
    statuses: Counter[int] = Counter()
    for deed in (deed for deed in deeds(1, 200) if deed.kind == "request"):
        data = deed.data
        answer = client.generic(
            data["method"],
            data["path"],
            json.dumps(data["body"]) if data["body"] else "",
            content_type="application/json",
        )
        statuses[answer.status_code] += 1
    assert set(statuses) == {200, 201, 202, 400, 404}
