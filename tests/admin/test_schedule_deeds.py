"""Pausing one schedule, and overriding when it is due, from the list of schedules."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.utils import timezone

from motia_django import ledger, models
from motia_django.admin.schedule_deeds import VIEWS
from motia_django.admin.schedules import DEEDS
from motia_django.beat import operators
from motia_django.exceptions import DedupeConflict
from tests.admin.conftest import MakeRun
from tests.factories import installed, make_step, once

PAGE = "/admin/motia/schedule/"
HOURLY = {"type": "cron", "schedule": "0 * * * *"}
DAILY = {"type": "cron", "schedule": "0 3 * * *", "timezone": "Europe/Berlin"}


def row_of(client: Client) -> Any:
    [row] = client.get(PAGE).context["rows"]
    return row


def log_of() -> list[str]:
    return [str(each.change_message) for each in LogEntry.objects.order_by("id")]


def test_all_that_may_be_done_to_a_schedule_has_its_address() -> None:
    assert list(VIEWS) == list(DEEDS)


def test_one_schedule_is_paused_and_resumed_and_the_list_says_who_and_why(
    admin_client: Client,
) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        asks = admin_client.get(f"{PAGE}Report/0/pause/").content.decode()
        page = admin_client.post(f"{PAGE}Report/0/pause/", {"reason": "<b>moving"}, follow=True)
        again = admin_client.post(f"{PAGE}Report/0/pause/", {}, follow=True)
        paused = row_of(admin_client)
        admin_client.post(f"{PAGE}Report/0/resume/")
        resumed = row_of(admin_client)
        twice = admin_client.post(f"{PAGE}Report/0/resume/", follow=True)
    html = page.content.decode()
    assert "what comes due meanwhile" in asks
    assert "&lt;b&gt;moving" in html
    assert "not while it is paused" in html
    assert paused.pause.endswith("by admin (admin): <b>moving")
    assert paused.deeds == ["run", "resume", "override"]
    assert "It was paused already" in again.content.decode()
    assert resumed.pause == ""
    assert "It was not paused" in twice.content.decode()
    assert len(log_of()) == 2
    assert "Pause the schedule: trigger 0: <b>moving" in log_of()[0]


def test_the_admins_log_leads_to_the_list(admin_client: Client) -> None:
    with installed(make_step(print, HOURLY, name="Report/1")):
        admin_client.post(f"{PAGE}Report_2F1/0/pause/", {})
        link = LogEntry.objects.get().get_admin_url()
        assert link
        assert link in admin_client.get("/admin/").content.decode()
        page = admin_client.get(link, follow=True)
    assert page.redirect_chain == [(PAGE, 302)]
    assert [row.step for row in page.context["rows"]] == ["Report/1"]


def test_a_paused_schedule_is_not_late_and_what_came_due_then_is_not_missed(
    admin_client: Client, make_run: MakeRun
) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        long_ago = timezone.now() - timedelta(hours=5)
        make_run(step="Report", trigger="cron", created_at=long_ago)
        assert row_of(admin_client).is_late
        admin_client.post(f"{PAGE}Report/0/pause/", {})
        assert not row_of(admin_client).is_late
        admin_client.post(f"{PAGE}Report/0/resume/", {})
        assert not row_of(admin_client).is_late


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OperationalError("server closed"), "just now: OperationalError: server closed"),
        (InterfaceError("gone"), "just now: InterfaceError: gone"),
        (KeyError("region"), "KeyError: 'region'"),
        (DedupeConflict("please begin anew"), "begin anew"),
    ],
)
@pytest.mark.parametrize("address", [f"{PAGE}Report/0/run/", "/admin/motia/step/Report/run/0/"])
def test_what_goes_wrong_when_a_schedule_is_run_now_is_told(
    admin_client: Client,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    error: Exception,
    told: str,
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    with installed(make_step(print, HOURLY, name="Report")):
        with monkeypatch.context() as patched:
            patched.setattr(ledger, "keep_once", fail)
            page = admin_client.post(address, once(), follow=True)
        assert page.status_code == 200
        assert told in page.content.decode().replace("&#x27;", "'")
        assert not LogEntry.objects.exists()
        assert not models.Start.objects.exists()


def test_a_paused_schedule_still_runs_if_it_is_asked_to(admin_client: Client) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        admin_client.post(f"{PAGE}Report/0/pause/", {})
        page = admin_client.post(f"{PAGE}Report/0/run/", {"reason": "once", **once()}, follow=True)
    run = models.Run.objects.get()
    assert run.status == "queued"
    assert run.timeline[0]["reason"] == "once"
    assert f"{run.id}/change/" in page.content.decode()


def test_an_override_stands_beside_what_the_file_says_until_it_is_dropped(
    admin_client: Client,
) -> None:
    typed = {"expression": "*/5  * * * *", "zone": "", "reason": "too slow"}
    with installed(make_step(print, DAILY, name="Report")):
        admin_client.post(f"{PAGE}Report/0/override/", typed)
        row = row_of(admin_client)
        html = admin_client.get(PAGE).content.decode()
        form = admin_client.get(f"{PAGE}Report/0/override/").context["form"]
        admin_client.post(f"{PAGE}Report/0/restore/")
        restored = row_of(admin_client)
        twice = admin_client.post(f"{PAGE}Report/0/restore/", follow=True)
    assert (row.expression, row.zone, row.told) == (
        "*/5 * * * *",
        "Europe/Berlin",
        "Every 5 minutes",
    )
    assert row.override.endswith("by admin (admin): too slow")
    assert row.declared == "0 3 * * * in Europe/Berlin"
    assert "overridden" in html
    assert form.initial["expression"] == "*/5 * * * *"
    assert (restored.expression, restored.override, restored.declared) == ("0 3 * * *", "", "")
    assert "Nobody had overridden it" in twice.content.decode()
    assert (
        "Override the schedule with */5 * * * * in Europe/Berlin: trigger 0: too slow"
        in log_of()[0]
    )
    assert "Drop the override" in log_of()[1]


def hidden(client: Client, address: str, field: str) -> dict[str, str]:
    """Return a hidden field of the page there, as its form would send it."""
    html = client.get(address).content.decode()
    [value] = re.findall(f'<input type="hidden" name="{field}" value="([^"]*)">', html)
    return {field: value}


def told_by(client: Client, deed: str, sent: dict[str, str]) -> str:
    page = client.post(f"{PAGE}Report/0/{deed}/", sent, follow=True)
    return html.unescape(page.content.decode())


@pytest.mark.parametrize(
    ("zone", "said"),
    [("", "Please correct the error below."), ("Mars", "Please correct the errors below.")],
)
def test_of_one_wrong_field_the_form_says_so_and_of_several_too(
    admin_client: Client, zone: str, said: str
) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        typed = {"expression": "61 * * * *", "zone": zone, "reason": ""}
        assert said in told_by(admin_client, "override", typed)


def test_a_pause_that_was_made_since_the_page_was_shown_is_not_lifted(admin_client: Client) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        report = operators.schedule("Report", 0)
        operators.pause(report, by="eve", reason="deploy")
        seen = hidden(admin_client, PAGE, "paused_at")
        operators.resume(report, by="bob")
        assert "It was not paused" in told_by(admin_client, "resume", seen)
        operators.pause(report, by="bob", reason="the bank is down")
        told = told_by(admin_client, "resume", seen)
        assert "Nothing was done: the schedule of Report was paused anew after this page" in told
        assert "by bob: the bank is down)" in told
        assert row_of(admin_client).pause
        assert log_of() == []
        assert "is resumed" in told_by(
            admin_client, "resume", hidden(admin_client, PAGE, "paused_at")
        )
        assert not row_of(admin_client).pause


def test_an_override_that_was_made_since_the_page_was_shown_is_not_dropped(
    admin_client: Client,
) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        report = operators.schedule("Report", 0)
        operators.retime(report, "@daily", "", by="eve", reason="too often")
        seen = hidden(admin_client, PAGE, "timed_at")
        operators.retime(report, "@weekly", "", by="bob", reason="still too often")
        told = told_by(admin_client, "restore", seen)
        assert (
            "Nothing was done: Report was overridden anew with @weekly in UTC after this page"
            in told
        )
        assert "by bob: still too often)" in told
        assert row_of(admin_client).expression == "@weekly"
        assert log_of() == []
        told_by(admin_client, "restore", hidden(admin_client, PAGE, "timed_at"))
        assert row_of(admin_client).expression == "0 * * * *"
        assert "Nobody had overridden it" in told_by(admin_client, "restore", seen)


def test_of_two_who_have_the_form_of_an_override_open_the_second_is_told_of_the_first(
    admin_client: Client,
) -> None:
    address = f"{PAGE}Report/0/override/"
    with installed(make_step(print, HOURLY, name="Report")):
        seen = hidden(admin_client, address, "timed_at")
        operators.retime(operators.schedule("Report", 0), "@daily", "", by="bob", reason="slow")
        wrong = admin_client.post(address, {"expression": "never", **seen})
        assert wrong.context["timed_at"] == seen["timed_at"], "he was not told of it yet"
        again = admin_client.post(address, {"expression": "@weekly", **seen})
        [told] = again.context["form"].non_field_errors()
        assert "Report was overridden anew with @daily in UTC after this page was shown" in told
        assert told.endswith("by bob: slow).")
        assert row_of(admin_client).expression == "@daily"
        assert log_of() == []
        seen = {"timed_at": again.context["timed_at"]}
        assert "is now due" in told_by(admin_client, "override", {"expression": "@weekly", **seen})
        assert row_of(admin_client).expression == "@weekly"


def test_whoever_overrides_is_told_that_the_override_he_saw_was_dropped(
    admin_client: Client,
) -> None:
    address = f"{PAGE}Report/0/override/"
    with installed(make_step(print, HOURLY, name="Report")):
        report = operators.schedule("Report", 0)
        operators.retime(report, "@daily", "", by="bob")
        seen = hidden(admin_client, address, "timed_at")
        operators.restore(report, by="bob")
        told = told_by(admin_client, "override", {"expression": "@weekly", **seen})
        assert "the override of Report was dropped after this page was shown" in told
        assert row_of(admin_client).expression == "0 * * * *"


def test_what_was_said_goes_with_its_trigger_when_another_is_put_before_it(
    admin_client: Client,
) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        admin_client.post(f"{PAGE}Report/0/pause/", {"reason": "moving"})
        admin_client.post(f"{PAGE}Report/0/override/", {"expression": "@weekly"})
    with installed(make_step(print, DAILY, HOURLY, name="Report")):
        page = admin_client.get(PAGE)
        first, second = page.context["rows"]
        admin_client.post(f"{PAGE}Report/1/resume/")
        assert not any(row.pause for row in admin_client.get(PAGE).context["rows"])
    assert (first.pause, first.override, first.expression) == ("", "", "0 3 * * *")
    assert second.pause.endswith("moving")
    assert (second.expression, second.declared) == ("@weekly", "0 * * * * in UTC")
    assert "What no longer applies" not in page.content.decode()


def lapsed(client: Client) -> list[Any]:
    return list(client.get(PAGE).context["lapsed"])


def test_what_no_longer_applies_is_shown_does_nothing_and_is_removed(admin_client: Client) -> None:
    with installed(make_step(print, DAILY, name="Report")):
        admin_client.post(f"{PAGE}Report/0/pause/", {"reason": "<b>moving"})
        admin_client.post(f"{PAGE}Report/0/override/", {"expression": "@hourly", "zone": "UTC"})
    with installed(make_step(print, {**DAILY, "schedule": "0 4 * * *"}, name="Report")):
        row, html = row_of(admin_client), admin_client.get(PAGE).content.decode()
        [shown] = lapsed(admin_client)
        admin_client.get(f"{PAGE}lapsed/{shown.number}/")
        assert lapsed(admin_client) == [shown], "looking at the address does nothing"
        removed = admin_client.post(f"{PAGE}lapsed/{shown.number}/", follow=True)
        twice = admin_client.post(f"{PAGE}lapsed/{shown.number}/", follow=True)
    assert (row.expression, row.pause, row.override) == ("0 4 * * *", "", "")
    assert (shown.declared, shown.expression) == ("0 3 * * * in Europe/Berlin", "@hourly in UTC")
    assert shown.pause.endswith("by admin (admin): <b>moving")
    assert "What no longer applies" in html
    assert "&lt;b&gt;moving" in html
    assert f'action="{PAGE}lapsed/{shown.number}/"' in html
    assert "It is removed" in removed.content.decode()
    assert "It is not there any more" in twice.content.decode()
    assert not models.Override.objects.exists()
    assert "0 3 * * * in Europe/Berlin" in log_of()[2]
    assert len(log_of()) == 3


def test_what_was_said_of_a_step_that_is_gone_is_shown_until_it_is_back(
    admin_client: Client,
) -> None:
    with installed(make_step(print, HOURLY, name="Report/1")):
        operators.pause(operators.schedule("Report/1", 0), by="me")
    with installed():
        html = admin_client.get(PAGE).content.decode()
        [shown] = lapsed(admin_client)
    with installed(make_step(print, HOURLY, name="Report/1")):
        page = admin_client.post(f"{PAGE}lapsed/{shown.number}/", follow=True)
        assert row_of(admin_client).pause
    assert ("No Step has a schedule" in html, "Report/1" in html) == (True, True)
    assert "its trigger is back" in page.content.decode()


@pytest.mark.parametrize("number", ["0", "99999999999999999999", "1"])
def test_there_is_nothing_else_to_remove(admin_client: Client, number: str) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        page = admin_client.post(f"{PAGE}lapsed/{number}/", follow=True)
    assert "It is not there any more" in page.content.decode()


def test_removing_needs_the_permission_for_all_that_it_removes(
    client_of: Callable[..., Client],
) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        operators.pause(operators.schedule("Report", 0), by="me")
        operators.retime(operators.schedule("Report", 0), "@daily", "", by="me")
    client = client_of("view_schedule", "pause_schedule")
    with installed():
        [shown] = lapsed(client)
        assert not shown.may_remove
        for method in (client.get, client.post):
            assert method(f"{PAGE}lapsed/{shown.number}/").status_code == 403
    assert models.Override.objects.exists()


def test_what_is_removed_is_no_more_than_one_may(client_of: Callable[..., Client]) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        operators.pause(operators.schedule("Report", 0), by="me")
    client = client_of("view_schedule", "pause_schedule")
    with installed():
        [shown] = lapsed(client)
        assert shown.may_remove
        client.post(f"{PAGE}lapsed/{shown.number}/")
    assert not models.Override.objects.exists()


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"expression": "every day"}, "expression"),
        ({"expression": ""}, "expression"),
        ({"expression": "0 0 0 1 1 * 2020"}, "expression"),
        ({"expression": "9" * 255}, "expression"),
        ({"expression": "\u0661 * * * *"}, "expression"),
        ({"expression": "* * * *\x00 *"}, "expression"),
        ({"expression": "@hourly", "zone": "Berlin"}, "zone"),
        ({"expression": "@hourly", "zone": "../../etc/passwd"}, "zone"),
        ({"expression": "@hourly", "zone": "Europe"}, "zone"),
        ({"expression": "@hourly", "zone": "x" * 255}, "zone"),
        ({"expression": "@hourly", "reason": "x" * 501}, "reason"),
    ],
)
def test_what_is_no_time_is_said_next_to_it(
    admin_client: Client, typed: dict[str, str], field: str
) -> None:
    with installed(make_step(print, DAILY, name="Report")):
        page = admin_client.post(f"{PAGE}Report/0/override/", typed)
        assert page.context["form"].errors[field]
        assert row_of(admin_client).override == ""
    assert not log_of()


def test_two_schedules_of_a_step_are_two(admin_client: Client) -> None:
    with installed(make_step(print, HOURLY, DAILY, name="Report")):
        admin_client.post(f"{PAGE}Report/1/pause/", {})
        first, second = admin_client.get(PAGE).context["rows"]
    assert (first.pause, bool(second.pause)) == ("", True)


def test_names_are_told_apart_by_their_case(admin_client: Client) -> None:
    steps = [make_step(print, HOURLY, name=name) for name in ("Report", "report")]
    with installed(*steps):
        admin_client.post(f"{PAGE}Report/0/pause/", {})
        assert ledger.override_of("report", 0) is None
        admin_client.post(f"{PAGE}report/0/pause/", {})
    assert models.Override.objects.count() == 2


@pytest.mark.parametrize("deed", ["pause", "resume", "override", "restore"])
def test_each_deed_needs_its_permission(client_of: Callable[..., Client], deed: str) -> None:
    client = client_of("view_schedule", "run_step")
    with installed(make_step(print, HOURLY, name="Report")):
        assert row_of(client).deeds == ["run"]
        assert client.get(f"{PAGE}Report/0/{deed}/").status_code == 403
        assert client.post(f"{PAGE}Report/0/{deed}/", {"expression": "@daily"}).status_code == 403
    assert not models.Override.objects.exists()


@pytest.mark.parametrize("deed", ["pause", "resume", "override", "restore"])
@pytest.mark.parametrize("place", ["Gone/0", "Report/7", "Report/99999999999999999999"])
def test_what_is_no_schedule_is_a_404(admin_client: Client, place: str, deed: str) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        assert admin_client.post(f"{PAGE}{place}/{deed}/", {}).status_code == 404


def test_looking_at_an_address_does_nothing(admin_client: Client) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        operators.pause(operators.schedule("Report", 0), by="me")
        for deed in ("run", "resume", "restore"):
            assert admin_client.get(f"{PAGE}Report/0/{deed}/").status_code == 302
        assert row_of(admin_client).pause
    assert not models.Run.objects.exists()


def test_the_list_asks_the_same_few_questions_however_many_schedules_there_are(
    admin_client: Client, django_assert_max_num_queries: Any, make_run: MakeRun
) -> None:
    steps = [make_step(print, HOURLY, DAILY, name=f"Step {number:02}") for number in range(40)]
    with installed(*steps):
        runs = [make_run(step=step.name, trigger="cron", index=1) for step in steps]
        with django_assert_max_num_queries(16):
            rows = admin_client.get(PAGE).context["rows"]
    assert len(rows) == 80
    assert [row.last_url.split("/")[-3] for row in rows if row.last_url] == [
        str(run.id) for run in runs
    ]
