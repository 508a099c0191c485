"""Requests that were refused: on their Step's page, and on the overview."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from motia_django import ledger
from motia_django.ledger import Tallied, hour_of
from tests.factories import installed, make_step, nothing
from tests.web.serving import http

pytestmark = pytest.mark.django_db

NOW = hour_of(timezone.now())


def test_a_steps_page_and_the_overview_tell_of_them(admin_client: Client) -> None:
    steps = [make_step(nothing, http("POST", f"/{name}"), name=name) for name in ("Work", "Other")]
    day = NOW - timedelta(hours=5)
    ledger.add_tallies(
        {
            Tallied("refused", NOW, "Work", 401): 2,
            Tallied("refused", day, "Work", 401): 3,
            Tallied("refused", day, "Gone", 400): 1,
        }
    )
    with installed(*steps):
        page = admin_client.get("/admin/motia/step/Work/change/").content.decode()
        longer = admin_client.get("/admin/motia/step/Work/change/?window=24h")
        other = admin_client.get("/admin/motia/step/Other/change/").content.decode()
        overview = admin_client.get("/admin/motia/overview/")
    assert "Refused requests" in page
    assert "Refused requests" not in other
    assert [(each.status, each.requests) for each in longer.context["refused"]] == [
        ("401 Unauthorized", "5")
    ]
    shown = [(each.step, each.status, each.requests) for each in overview.context["refused"]]
    assert shown == [("Work", "401 Unauthorized", "5"), ("Gone", "400 Bad Request", "1")]
    numbers = {each.name: each.value for each in overview.context["numbers"]}
    assert numbers["refused requests, last 24 hours"] == "6"


def test_who_may_not_see_a_step_is_not_told_of_its_refusals(client_of: Any, settings: Any) -> None:
    settings.MOTIA = {"MAY": "tests.admin.test_refused.may"}
    ledger.add_tallies(
        {Tallied("refused", NOW, "Work", 401): 2, Tallied("refused", NOW, "Secret", 401): 3}
    )
    steps = [make_step(nothing, http("POST", f"/{name}"), name=name) for name in ("Work", "Secret")]
    with installed(*steps):
        overview = client_of("view_overview", "view_run").get("/admin/motia/overview/")
    assert [each.step for each in overview.context["refused"]] == ["Work"]


def may(user: Any, permission: str, step: str, flows: Any) -> bool:
    return step != "Secret"
