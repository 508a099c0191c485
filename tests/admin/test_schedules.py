"""Schedules in the admin: when they are due, when they ran, and running one now."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from motia_django import ledger, models
from motia_django.triggers.cron import CronExpression
from tests.admin.conftest import MakeRun
from tests.factories import installed, make_step, once

PAGE = "/admin/motia/schedule/"
DAILY = {"type": "cron", "schedule": "0 3 * * 1-5", "timezone": "Europe/Berlin"}
QUEUE = {"type": "queue", "topic": "t"}


def rows(client: Client) -> list[Any]:
    return list(client.get(PAGE).context["rows"])


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("0 3 * * 1-5", "At 03:00 on Monday through Friday"),
        ("*/10 * * * * *", "Every 10 seconds"),
        ("@hourly", "At the start of every hour"),
        ("0 0 12 24 12 * 2027,2028", "At 12:00 on December 24 in 2027, 2028"),
    ],
)
def test_an_expression_is_told_in_plain_language(expression: str, told: str) -> None:
    assert CronExpression.parse(expression).words.startswith(told)


def test_each_schedule_says_when_it_is_due_and_when_it_last_ran(
    admin_client: Client, make_run: MakeRun
) -> None:
    never = {"type": "cron", "schedule": "0 0 0 1 1 * 2020", "overlap": "skip", "catchUp": True}
    with installed(
        make_step(print, QUEUE, DAILY, name="Report"), make_step(print, never, name="A")
    ):
        run = make_run(step="Report", trigger="cron", index=1, status="dead")
        first, second = rows(admin_client)
        html = admin_client.get(PAGE).content.decode()
    assert (first.step, first.next, first.last) == ("A", [], "")
    assert len(first.notes) == 2
    assert (second.step, second.index, second.zone) == ("Report", 1, "Europe/Berlin")
    assert len(second.next) == 3
    assert all(own.endswith("03:00:00 in Europe/Berlin") for _here, own in second.next)
    assert all(here[11:] in ("01:00:00", "02:00:00") for here, _own in second.next)
    assert second.last_url.endswith(f"{run.id}/change/")
    assert "never again" in html
    assert "At 03:00 on Monday through Friday" in html


def test_times_are_of_one_zone_which_is_named_where_a_schedule_has_another(
    admin_client: Client,
) -> None:
    ours = {"type": "cron", "schedule": "0 3 * * *", "timezone": "Etc/UTC"}
    with installed(make_step(print, ours, name="Report")):
        [row] = rows(admin_client)
        html = admin_client.get(PAGE).content.decode()
    assert [(here[11:], own) for here, own in row.next] == [("03:00:00", "")] * 3
    assert "Times are in" not in html
    theirs = {"type": "cron", "schedule": "30 23 * * *", "timezone": "Asia/Kathmandu"}
    with installed(make_step(print, theirs, name="Report")):
        [row] = rows(admin_client)
        html = admin_client.get(PAGE).content.decode()
    assert [(here[11:], own) for here, own in row.next] == [
        ("17:45:00", "23:30:00 in Asia/Kathmandu")
    ] * 3
    assert "Times are in UTC" in html


def test_late_and_paused_ones_are_marked(admin_client: Client, make_run: MakeRun) -> None:
    hourly = {"type": "cron", "schedule": "0 * * * *"}
    with installed(make_step(print, hourly, name="Report")):
        long_ago = timezone.now() - timedelta(hours=5)
        make_run(step="Report", trigger="cron", created_at=long_ago)
        ledger.pause("Report", by="me")
        [row] = rows(admin_client)
    assert row.is_late
    assert row.notes[0].startswith("late: 5 ticks did not come") or "4 ticks" in row.notes[0]
    assert row.notes[1] == "its Step is paused"


def test_a_schedule_is_run_now_and_the_deed_is_logged(admin_client: Client) -> None:
    with installed(make_step(print, QUEUE, DAILY, name="Send: the/report")):
        [row] = rows(admin_client)
        html = admin_client.get(PAGE).content.decode()
        [address] = [each for each in re.findall('action="([^"]+)"', html) if "/run/" in each]
        assert admin_client.post(address, once()).url == PAGE  # type: ignore[attr-defined]
        run = models.Run.objects.get()
    assert (run.step, run.trigger, run.index) == (row.step, "cron", 1)
    assert run.status in ("queued", "running", "succeeded")
    assert "Run now: trigger 1" in str(LogEntry.objects.get().change_message)


def test_a_paused_one_is_skipped_and_says_so(admin_client: Client) -> None:
    with installed(make_step(print, DAILY, name="Report")):
        ledger.pause("Report", by="me")
        page = admin_client.post(f"{PAGE}Report/0/run/", once(), follow=True)
    assert "was not run" in page.content.decode()
    assert models.Run.objects.get().status == "skipped"


@pytest.mark.parametrize("address", ["Report/0/run/", "Report/9/run/", "Gone/0/run/"])
def test_what_is_no_schedule_is_a_404(admin_client: Client, address: str) -> None:
    with installed(make_step(print, QUEUE, name="Report")):
        assert admin_client.post(PAGE + address).status_code == 404
    assert not models.Run.objects.exists()


def test_running_one_needs_a_permission_and_a_post(client_of: Callable[..., Client]) -> None:
    client = client_of("view_schedule")
    with installed(make_step(print, DAILY, name="Report")):
        assert "Run now" not in client.get(PAGE).content.decode()
        assert client.post(f"{PAGE}Report/0/run/").status_code == 403
    assert not models.Run.objects.exists()


def test_looking_at_the_address_runs_nothing(admin_client: Client) -> None:
    with installed(make_step(print, DAILY, name="Report")):
        assert admin_client.get(f"{PAGE}Report/0/run/").status_code == 302
    assert not models.Run.objects.exists()


def test_where_there_is_none_the_page_says_so(admin_client: Client) -> None:
    with installed(make_step(print, QUEUE)):
        assert "No Step has a schedule" in admin_client.get(PAGE).content.decode()
