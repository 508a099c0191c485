"""What became no run: requests refused and messages unheard, on the overview and Steps' pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from motia_django import ledger
from motia_django.ledger import Tallied
from tests.factories import installed, make_step, nothing
from tests.web.serving import http

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
OVERVIEW = "/admin/motia/overview/"


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    with time_machine.travel(NOON + timedelta(minutes=30), tick=False):
        yield


def count(topic: str, step: str = "Work", messages: int = 1, *, hours: int = 0) -> None:
    hour = NOON - timedelta(hours=hours)
    ledger.add_tallies({Tallied("unheard", hour, step, topic): messages})


def findings(client: Client) -> list[str]:
    found = client.get(OVERVIEW).context["findings"]
    return [each.text for each in found if each.url == "#unheard"]


def may(user: Any, permission: str, step: str, flows: Any) -> bool:
    return step != "Secret"


def may_nothing(user: Any, permission: str, step: str, flows: Any) -> bool:
    return False


# -- requests that were refused


def test_a_steps_page_and_the_overview_tell_of_refused_requests(admin_client: Client) -> None:
    steps = [make_step(nothing, http("POST", f"/{name}"), name=name) for name in ("Work", "Other")]
    day = NOON - timedelta(hours=5)
    ledger.add_tallies(
        {
            Tallied("refused", NOON, "Work", 401): 2,
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
    settings.MOTIA = {"MAY": "tests.admin.test_tallies.may"}
    ledger.add_tallies(
        {Tallied("refused", NOON, "Work", 401): 2, Tallied("refused", NOON, "Secret", 401): 3}
    )
    steps = [make_step(nothing, http("POST", f"/{name}"), name=name) for name in ("Work", "Secret")]
    with installed(*steps):
        overview = client_of("view_overview", "view_run").get("/admin/motia/overview/")
    assert [each.step for each in overview.context["refused"]] == ["Work"]


# -- messages that nobody heard


def test_the_overview_tells_the_topics_with_how_many_when_and_who(admin_client: Client) -> None:
    count("order.payed", messages=400)
    count("order.payed", messages=7, hours=5)
    count("lost", step="", messages=3, hours=5)
    count("long.ago", hours=26)
    with installed(make_step()):
        overview = admin_client.get(OVERVIEW)
    shown = [(each.topic, each.step, each.messages) for each in overview.context["unheard"]]
    assert shown == [("order.payed", "Work", "407"), ("lost", "outside of Steps", "3")]
    assert overview.context["unheard"][0].url == "/admin/motia/step/Work/change/"
    assert [each.last for each in overview.context["unheard"]] == ["12:00", "07:00"]
    numbers = {each.name: each.value for each in overview.context["numbers"]}
    assert numbers["messages nobody heard, last 24 hours"] == "410"
    page = overview.content.decode()
    assert page.count('id="unheard"') == 1
    assert "order.payed" in page


def test_a_day_without_any_says_nothing_of_them(admin_client: Client) -> None:
    with installed(make_step()):
        page = admin_client.get(OVERVIEW).content.decode()
    assert "unheard" not in page
    assert "nobody heard" not in page


def test_what_is_lost_now_is_to_be_looked_at_until_it_has_stopped(admin_client: Client) -> None:
    with installed(make_step()):
        count("old", hours=2)
        assert findings(admin_client) == []
        count("payed", messages=3, hours=1)
        count("payed", step="")
        count("wrok")
        assert findings(admin_client) == [
            "No Step listens on 2 topics that messages are sent to: payed (4×), wrok (1×)."
        ]


def test_what_is_meant_or_heard_by_now_is_shown_and_is_nothing_to_look_at(
    admin_client: Client,
) -> None:
    with installed(make_step(enqueues=["later"], onDead="died")):
        for topic in ("later", "died", "work"):
            count(topic)
        overview = admin_client.get(OVERVIEW)
        assert findings(admin_client) == []
    remarks = {each.topic: each.remark for each in overview.context["unheard"]}
    assert remarks == {
        "later": "as the Step's config says",
        "died": "as the Step's config says",
        "work": "is heard by now",
    }


def test_topics_that_were_too_many_have_a_name(admin_client: Client) -> None:
    count("")
    with installed(make_step()):
        [row] = admin_client.get(OVERVIEW).context["unheard"]
    assert row.topic == "other topics"


def test_a_steps_page_tells_of_its_own_in_its_window(admin_client: Client) -> None:
    count("wrok")
    count("wrok", hours=5)
    with installed(make_step(), make_step(name="Other")):
        page = admin_client.get("/admin/motia/step/Work/change/")
        longer = admin_client.get("/admin/motia/step/Work/change/?window=24h")
        other = admin_client.get("/admin/motia/step/Other/change/").content.decode()
    assert "Messages nobody heard" in page.content.decode()
    assert "Messages nobody heard" not in other
    assert [each.messages for each in page.context["unheard"]] == ["1"]
    assert [each.messages for each in longer.context["unheard"]] == ["2"]


def test_who_may_not_see_a_step_is_not_told_what_it_sent(client_of: Any, settings: Any) -> None:
    settings.MOTIA = {"MAY": "tests.admin.test_tallies.may"}
    for step in ("Work", "Secret", ""):
        count("wrok", step=step)
    with installed(make_step(), make_step(name="Secret")):
        client = client_of("view_overview", "view_run")
        overview = client.get(OVERVIEW)
        settings.MOTIA = {"MAY": "tests.admin.test_tallies.may_nothing"}
        nothing_of_it = client.get(OVERVIEW)
    assert [each.step for each in overview.context["unheard"]] == ["Work"]
    assert nothing_of_it.context["unheard"] == []
