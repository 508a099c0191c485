"""Gross regressions, found without a clock: queries are counted exactly, calls within bounds.

When something was changed on purpose, count anew and put what is printed into `bounds.py`:

    COSTS=print python -m pytest -q -s tests/costs
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pprint import pformat
from typing import Any

import django
import pytest
from django.db import connection

from tests.costs import bounds
from tests.costs.counting import Work, calls, queries
from tests.costs.works import works

MORE = 1.3
"""So many times as many calls as were counted are allowed."""
PRINT = os.environ.get("COSTS") == "print"
VERSIONS = (f"{sys.version_info[0]}.{sys.version_info[1]}", ".".join(map(str, django.VERSION[:2])))

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def found(settings: Any) -> Iterator[dict[str, Work]]:
    """All pieces of work, done to their ends however slow the machine is."""
    settings.MOTIA = {"PUBLISH_TIMEOUT": 600}
    with works() as all_of_them:
        yield all_of_them


def test_queries_are_as_many_as_they_were(found: dict[str, Work]) -> None:
    counted = {name: queries(work) for name, work in found.items()}
    if PRINT:
        sys.stdout.write(f"\nQUERIES = {pformat(counted, sort_dicts=False)}\n")
        return
    bound = {**bounds.QUERIES, **bounds.ELSEWHERE.get(connection.vendor, {})}
    if VERSIONS != bounds.TAKEN_ON:  # where more fits into a statement
        bound = {name: min(number, counted[name]) for name, number in bound.items()}
    assert counted == bound


@pytest.mark.one_database
@pytest.mark.skipif(
    VERSIONS != bounds.TAKEN_ON and not PRINT, reason="was counted with other versions"
)
def test_no_work_calls_far_more_functions_than_it_did(found: dict[str, Work]) -> None:
    counted = {name: calls(work) for name, work in found.items()}
    if PRINT:
        sys.stdout.write(f"\nTAKEN_ON = {VERSIONS}\n")
        sys.stdout.write(f"CALLS = {pformat(counted, sort_dicts=False)}\n")
        return
    assert counted.keys() == bounds.CALLS.keys()
    grown = {
        name: (number, bounds.CALLS[name])
        for name, number in counted.items()
        if number > MORE * bounds.CALLS[name]
    }
    assert not grown, "work: (calls now, calls when it was counted)"
