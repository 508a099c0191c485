"""Batches in the admin: who sees them, how far they are, and stopping them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client, override_settings
from django.utils import timezone

from motia_django import batches, ledger, models, operations
from motia_django.ledger.selections import Selection
from tests.admin.conftest import MakeRun
from tests.factories import installed, make_step

PREVIEW = "/admin/motia/batch/preview/"

pytestmark = pytest.mark.django_db

LIST = "/admin/motia/batch/"
DEAD = Selection(wanted={"status__in": ["dead"]})
ClientOf = Callable[..., Client]


@pytest.fixture(autouse=True)
def _steps() -> Iterator[None]:
    """The Steps of these tests."""
    with installed(make_step(), make_step(name="Mail", flows=["mails"])):
        yield


def at(batch: models.Batch, what: str = "change") -> str:
    return f"{LIST}{batch.id}/{what}/"


def shown(client: Client, batch: models.Batch) -> Any:
    response = client.get(at(batch))
    assert response.status_code == 200
    return response.context["shown"]


def test_a_batch_shows_how_far_it_is_and_who_asked_for_it(
    admin_client: Client, make_run: MakeRun
) -> None:
    for _ in range(3):
        make_run(status="dead", step="Work")
    batch = batches.begin("discard", DEAD, by="ada (admin)", reason="tests", total=3)
    before = shown(admin_client, batch)
    assert (before.state, before.is_going_on, before.looked_at) == ("waits for a worker", True, 0)
    batches.work_off()
    after = shown(admin_client, batch)
    assert (after.state, after.is_going_on, after.looked_at) == ("done", False, 3)
    html = admin_client.get(at(batch)).content.decode()
    assert "ada (admin)" in html
    assert "tests" in html


def test_its_page_refreshes_itself_until_it_has_ended(admin_client: Client) -> None:
    batch = batches.begin("discard", DEAD, by="ada", total=1)
    html = admin_client.get(at(batch)).content.decode()
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in html
    assert 'data-motia-live="2"' in html
    batches.work_off()
    html = admin_client.get(at(batch)).content.decode()
    assert "refresh" not in html
    assert "data-motia-live" not in html


def test_it_says_when_no_worker_is_there_to_do_it(admin_client: Client) -> None:
    batch = batches.begin("discard", DEAD, by="ada")
    assert "No worker is alive" in admin_client.get(at(batch)).content.decode()
    ledger.see("w@here")
    assert "No worker is alive" not in admin_client.get(at(batch)).content.decode()


def test_it_says_why_runs_were_refused_and_how_long_it_will_take(admin_client: Client) -> None:
    batch = batches.begin("redrive", DEAD, by="ada", total=300)
    began = timezone.now() - timedelta(seconds=100)
    models.Batch.objects.filter(id=batch.id).update(
        started_at=began, done=90, refused=10, reasons={"no such <Step>": 10}
    )
    found = shown(admin_client, batch)
    assert (found.state, found.looked_at, found.total) == ("at work", 100, 300)
    assert found.left.startswith("3 min")
    html = admin_client.get(at(batch)).content.decode()
    assert "<strong>10</strong>: no such &lt;Step&gt;" in html


def test_it_says_how_many_runs_were_dealt_with_by_others(
    admin_client: Client, make_run: MakeRun
) -> None:
    first, _ = (make_run(status="dead", step="Work") for _ in range(2))
    batch = batches.begin("discard", DEAD, by="ada", total=2)
    operations.discard(first.id, by="bob")
    assert "dealt with" not in admin_client.get(at(batch)).content.decode()
    batches.work_off()
    html = admin_client.get(at(batch)).content.decode()
    assert "<strong>1</strong> done" in html
    assert "<strong>1</strong> dealt with meanwhile" in html


def test_it_is_stopped_by_a_button_and_both_logs_tell_who(admin_client: Client) -> None:
    batch = batches.begin("discard", DEAD, by="ada")
    assert shown(admin_client, batch).may_stop
    response = admin_client.post(at(batch, "stop"), follow=True)
    assert response.redirect_chain == [(at(batch), 302)]
    assert shown(admin_client, batch).state == "stopped by admin (admin)"
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(batch.id), "Stop")
    assert entry.get_admin_url() == at(batch)
    again = admin_client.post(at(batch, "stop"), follow=True)
    assert [str(each) for each in again.context["messages"]] == ["It had ended already."]
    assert LogEntry.objects.count() == 1


def test_to_look_does_not_stop_it(admin_client: Client) -> None:
    batch = batches.begin("discard", DEAD, by="ada")
    assert admin_client.get(at(batch, "stop")).status_code == 405
    assert models.Batch.objects.get().finished_at is None


@pytest.mark.parametrize("permission", ["redrive_run", "cancel_run", "pause_step"])
def test_to_stop_it_needs_the_permission_of_its_deed(client_of: ClientOf, permission: str) -> None:
    batch, client = batches.begin("discard", DEAD, by="ada"), client_of("view_run", permission)
    assert not shown(client, batch).may_stop
    assert client.post(at(batch, "stop")).status_code == 403
    assert models.Batch.objects.get().finished_at is None


def test_who_may_not_view_runs_sees_no_batch(client_of: ClientOf) -> None:
    batch, client = batches.begin("discard", DEAD, by="ada"), client_of("discard_run")
    assert [client.get(each).status_code for each in (LIST, at(batch))] == [403, 403]


def not_mails(user: Any, permission: str, step: str, flows: Any) -> bool:
    """Let nobody touch what is of the flow `mails`."""
    return "mails" not in flows


def test_batches_about_steps_that_are_kept_from_the_reader_are_kept_from_him(
    client_of: ClientOf,
) -> None:
    every = batches.begin("discard", DEAD, by="ada")
    mails = batches.begin("discard", DEAD.also(step="Mail"), by="ada")
    works = batches.begin("discard", DEAD.also(step__in=["Work"]), by="ada")
    client = client_of("view_run", "discard_run")
    with override_settings(MOTIA={"MAY": "tests.admin.test_batches.not_mails"}):
        listed = client.get(LIST).context["shown"]
        assert [each.batch.id for each in listed] == [works.id]
        for batch in (every, mails):
            assert client.get(at(batch)).status_code == 404
            assert client.post(at(batch, "stop")).status_code == 404
        assert client.post(at(works, "stop")).status_code == 302


@pytest.mark.parametrize("number", ["0", "x", "-1", "9" * 30, "%00", "٣", "1.5"])
def test_there_are_no_other_batches(admin_client: Client, number: str) -> None:
    assert admin_client.get(f"{LIST}{number}/change/").status_code == 404
    assert admin_client.post(f"{LIST}{number}/stop/").status_code == 404


def test_a_batch_that_cannot_be_read_has_a_page_all_the_same(admin_client: Client) -> None:
    batch = batches.begin("discard", DEAD, by="ada")
    models.Batch.objects.update(selection={"wanted": {"input": 1}}, deed="delete")
    assert admin_client.get(at(batch)).status_code == 200
    assert admin_client.get(LIST).status_code == 200
    batches.work_off()
    assert models.Batch.objects.get().done == 0


def test_the_list_takes_few_queries(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        batches.begin("discard", DEAD, by="ada")
    with django_assert_max_num_queries(6):
        assert len(admin_client.get(LIST).context["shown"]) == 30


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("/admin/motia/step/?step=Work", "is the address of no list of runs"),
        ("/admin/motia/schedule/?step=Work", "is the address of no list of runs"),
        ("/admin/motia/batch/preview/?deed=redrive&step=Work", "is the address of no list of runs"),
        ("nonsense", "is the address of no list of runs"),
        ("/admin/motia/run/", "is no address of a list that was narrowed"),
        ("/admin/motia/run/?p=2", "is no address of a list that was narrowed"),
        ("status=dead&step=Work&step=Other", "“step” is given more than once"),
        ("?status=dead&step=", "“step” is empty in the address"),
        ("/admin/motia/run/?error=&status=dead", "“error” is empty in the address"),
    ],
)
def test_an_address_that_does_not_say_which_runs_is_refused(
    admin_client: Client, address: str, problem: str
) -> None:
    response = admin_client.get(PREVIEW, {"deed": "redrive", "query": address})
    assert problem in unescape(response.content.decode())
    assert len(response.context["chosen"].problems) == 1


def test_the_address_of_an_errors_page_chooses_its_runs(
    admin_client: Client, make_run: MakeRun
) -> None:
    dead = {"step": "Work", "trigger": "queue", "source": "work", "status": "dead"}
    for mark in ("0123456789abcdef", "fedcba9876543210"):
        make_run(**dead, fingerprint=mark)
    page = "https://shop.example/admin/motia/deadletter/0123456789abcdef/change/"
    for address in (page, f"{page}?step=Work", f"{page}#top"):
        response = admin_client.get(PREVIEW, {"deed": "redrive", "query": address})
        assert (response.context["chosen"].problems, response.context["prospect"].count) == ([], 1)
    listed = "/admin/motia/run/?q=&status=dead"
    response = admin_client.get(PREVIEW, {"deed": "redrive", "query": listed})
    assert (response.context["chosen"].problems, response.context["prospect"].count) == ([], 2)
