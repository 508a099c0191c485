"""What the pages ask of the database: little of it, and nothing that grows with the history."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.browser import console_pages, filling

MOST_QUERIES = 21
COUNTED = re.compile(r"COUNT\(.*FROM .?motia_(run|state|stream_item|stream_event)\b", re.IGNORECASE)


@pytest.fixture
def known(transactional_db: None, eager: None) -> dict[str, str]:
    return filling.fill()


@pytest.fixture
def eager(settings: Any) -> None:
    """Run Steps here."""
    settings.CELERY_TASK_ALWAYS_EAGER = True


def test_no_page_asks_much_or_counts_without_end(known: dict[str, str]) -> None:
    client = Client()
    client.cookies["sessionid"] = known["session"]
    faults = []
    for address in console_pages.addresses():
        with CaptureQueriesContext(connection) as queries:
            assert client.get(console_pages.path(address, known)).status_code == 200, address
        asked = [str(query["sql"]) for query in queries.captured_queries]
        faults += [f"{address}: {len(asked)} queries"] if len(asked) > MOST_QUERIES else []
        faults += [f"{address}: {sql}" for sql in asked if counts_without_end(sql)]
    assert faults == []


def counts_without_end(sql: str) -> bool:
    """Return whether a query counts rows of a table that grows, however many there are."""
    return bool(COUNTED.search(sql)) and "LIMIT" not in sql


@pytest.mark.parametrize(
    ("sql", "is_endless"),
    [
        ('SELECT COUNT(*) AS "__count" FROM "motia_run"', True),
        ('SELECT "step", COUNT("id") AS "n" FROM "motia_run" WHERE x GROUP BY 1', True),
        ('SELECT COUNT(*) FROM (SELECT 1 AS a FROM "motia_run" LIMIT 10001) subquery', False),
        ("SELECT COUNT(*) FROM `auth_user`", False),
    ],
)
def test_a_count_without_end_is_told(sql: str, is_endless: bool) -> None:
    assert counts_without_end(sql) is is_endless
