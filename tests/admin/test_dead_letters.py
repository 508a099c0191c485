"""Dead letters: errors instead of runs, and what is done to all runs of one, in three screens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django import batches, ledger, models, operations
from motia_django.admin import many_runs, prospects
from motia_django.ledger import errors
from motia_django.runs import new_run_id
from tests.admin.conftest import MakeRun
from tests.factories import installed, make_step, published

pytestmark = pytest.mark.django_db

PAGE = "/admin/motia/deadletter/"
PREVIEW = "/admin/motia/batch/preview/"
CHOOSE = "/admin/motia/batch/choose/"
ONE, OTHER = "a" * 16, "b" * 16
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
WORK = {"type": "queue", "topic": "work", "input": SCHEMA}
ClientOf = Callable[..., Client]
Dead = Callable[..., models.Run]


@pytest.fixture(autouse=True)
def _steps() -> Iterator[None]:
    """The Steps of these tests."""
    with installed(make_step(lambda input: None, WORK), make_step(name="Mail", flows=["mails"])):
        yield


@pytest.fixture
def dead(make_run: MakeRun) -> Dead:
    """Return a function that inserts a run of the Step Work that died so many minutes ago."""

    def dead(fingerprint: str | None = ONE, minutes: int = 0, **values: Any) -> models.Run:
        usual = {"step": "Work", "trigger": "queue", "source": "work", "status": "dead"}
        usual |= {"error": "Traceback (most recent call last):\n  x\nOSError: it is away"}
        ended = timezone.now() - timedelta(minutes=minutes)
        kept: dict[str, Any] = {"id": new_run_id(), "input": {"n": 1}, "finished_at": ended}
        return make_run(**{**usual, **kept, "fingerprint": fingerprint, **values})

    return dead


def now(run: models.Run) -> models.Run:
    return models.Run.objects.get(id=run.id)


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def groups(client: Client, query: str = "") -> list[tuple[str, str, str]]:
    """Return what the page shows: each error, its Step and the number of its runs."""
    shown = client.get(f"{PAGE}{query}").context["groups"]
    return [(each.error, each.step, each.count) for each in shown]


def said(response: Any) -> list[str]:
    return [str(each) for each in response.context["messages"]]


def go(client: Client, address: str, **data: str) -> Any:
    """Press the button on a preview's page, with what its form holds."""
    hidden = re.findall(r'type="hidden" name="([\w]+)" value="([^"]*)"', text(client, address))
    return client.post(address, {**dict(hidden), **data})


# -- the list of errors


def test_dead_runs_are_shown_by_error_with_ways_to_all_of_them(
    admin_client: Client, dead: Dead
) -> None:
    oldest, newest = dead(minutes=60), dead(minutes=10)
    alone = dead(OTHER, step="Mail", minutes=30, error="KeyError: 'to'")
    assert groups(admin_client) == [
        ("OSError: it is away", "Work", "2"),
        ("KeyError: 'to'", "Mail", "1"),
    ]
    first = admin_client.get(PAGE).context["groups"][0]
    assert first.last_url == f"/admin/motia/run/{newest.id}/change/"
    assert first.runs_url == f"/admin/motia/run/?status=dead&error={ONE}"
    listed = admin_client.get(first.runs_url).context["cl"].result_list
    assert {run.id for run in listed} == {oldest.id, newest.id}
    assert alone.id not in {run.id for run in listed}


def test_the_errors_may_be_arranged_and_narrowed(admin_client: Client, dead: Dead) -> None:
    dead(minutes=60), dead(minutes=10), dead(OTHER, step="Mail", minutes=30)
    assert [each[1] for each in groups(admin_client, "?order=runs")] == ["Work", "Mail"]
    assert [each[1] for each in groups(admin_client, "?order=first")] == ["Work", "Mail"]
    assert [each[1] for each in groups(admin_client, "?order=step")] == ["Mail", "Work"]
    assert [each[1] for each in groups(admin_client, "?step=Mail")] == ["Mail"]
    assert groups(admin_client, "?step=Nobody&order=nonsense") == []


def test_they_are_narrowed_to_a_step_or_a_flow_from_page_to_page(
    admin_client: Client, dead: Dead
) -> None:
    dead(), dead(), dead(OTHER, step="Mail")
    for query in ("?step=Mail", "?flow=mails", "?step=Mail&flow=mails&order=runs"):
        page = admin_client.get(f"{PAGE}{query}")
        [group] = page.context["groups"]
        assert (group.step, page.context["total"]) == ("Mail", "1")
        assert group.url == f"{PAGE}{OTHER}/change/{query}"
        assert admin_client.get(group.url).context["errors_url"] == f"{PAGE}{query}"
        narrow = query[1:].removesuffix("&order=runs")
        assert page.context["dead_url"] == f"/admin/motia/run/?status=dead&{narrow}"
        deed = group.deeds[0]
        assert narrow in deed.url
        assert admin_client.get(deed.url).context["prospect"].count == 1
        assert f'href="{PAGE}?{narrow}"'.replace("&", "&amp;") in text(admin_client, deed.url)
        gone = admin_client.get(f"{PAGE}{'c' * 16}/change/{query}")
        assert gone.context["errors_url"] == f"{PAGE}{query}"
    assert groups(admin_client, "?step=Work&flow=mails") == []


def test_a_steps_page_leads_to_its_dead_letters(admin_client: Client, dead: Dead) -> None:
    dead(), dead(OTHER, step="Mail")
    html = text(admin_client, "/admin/motia/step/Mail/change/")
    [address] = re.findall(r'href="([^"]*)">Its dead letters', html)
    assert [each[1] for each in groups(admin_client, address.removeprefix(PAGE))] == ["Mail"]


def test_a_step_that_is_gone_or_has_no_dead_run_may_be_asked_for(
    admin_client: Client, dead: Dead
) -> None:
    dead(step="Gone")
    assert [each[1] for each in groups(admin_client, "?step=Gone")] == ["Gone"]
    page = admin_client.get(f"{PAGE}?step=Mail")
    assert page.context["wanted"].problems == []
    assert "No such run is dead." in page.content.decode()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("step=Mial", "no Step named “Mial”, nor a run of one. Did you mean 'Mail'?"),
        ("step=%00", "no Step named"),
        ("step=None", "no Step named “None”"),
        (f"step={'x' * 5000}", "no Step named “xxx"),
        ("flow=mail", "no flow “mail”. There are: mails."),
        ("flow=%00&step=Work", "no flow"),
        ("order=best", "no order “best”. There are: last, first, runs, step."),
    ],
)
def test_what_is_not_there_to_narrow_by_is_said_so(
    admin_client: Client, dead: Dead, query: str, told: str
) -> None:
    dead()
    page = admin_client.get(f"{PAGE}?{query}")
    assert told in unescape(page.content.decode())
    assert len(page.context["groups"]) == ("order" in query)
    assert "No run is dead." not in page.content.decode()


def test_a_flow_of_hidden_steps_is_no_flow(client_of: ClientOf, dead: Dead) -> None:
    dead(OTHER, step="Mail")
    client = client_of("view_deadletter", "view_run")
    with override_settings(MOTIA={"MAY": "tests.admin.test_dead_letters.not_mails"}):
        for query in ("?flow=mails", "?step=Mail"):
            page = client.get(f"{PAGE}{query}")
            assert page.context["groups"] == []
            assert len(page.context["wanted"].problems) == 1


def test_without_a_dead_run_all_is_well(admin_client: Client) -> None:
    assert "No run is dead." in text(admin_client, PAGE)


def test_one_dead_run_is_told_of_as_one(admin_client: Client, dead: Dead) -> None:
    dead()
    for query in ("", "?step=Work"):
        page = text(admin_client, f"{PAGE}{query}")
        assert "1 dead run, by the error that killed it." in page
    dead()
    for query in ("", "?step=Work"):
        page = text(admin_client, f"{PAGE}{query}")
        assert "2 dead runs, by the error that killed them." in page


def test_dead_runs_of_before_are_counted_apart(admin_client: Client, dead: Dead) -> None:
    dead(), dead(None), dead(None)
    assert admin_client.get(PAGE).context["unknown"] == 2
    assert "2 more dead runs died before" in text(admin_client, PAGE)


def test_what_is_cut_is_said_so(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "MOST_ERRORS", 1)
    monkeypatch.setattr(errors, "MOST_RUNS", 2)
    monkeypatch.setattr("motia_django.admin.dead_letter_pages.MOST_RUNS", 2)
    dead(OTHER, minutes=9), dead(), dead(), dead()
    assert [each[2] for each in groups(admin_client)] == ["2+"]
    assert "There are more errors" in text(admin_client, PAGE)


def test_an_error_is_found_by_its_flow_though_others_took_its_place(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "MOST_ERRORS", 1)
    dead(OTHER, step="Mail", minutes=9), dead()
    assert [each[1] for each in groups(admin_client)] == ["Work"]
    assert [each[1] for each in groups(admin_client, "?flow=mails")] == ["Mail"]


@pytest.mark.parametrize(("number", "told"), [(1, "1"), (2, "2+"), (5, "2+")])
def test_what_is_narrowed_is_counted_as_far_as_its_errors_are(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    monkeypatch.setattr(errors, "MOST_RUNS", 2)
    monkeypatch.setattr("motia_django.admin.dead_letter_pages.MOST_RUNS", 2)
    for _ in range(number):
        dead(OTHER, step="Mail")
    dead()
    assert admin_client.get(f"{PAGE}?flow=mails").context["total"] == told


def test_to_narrow_the_errors_asks_no_more_of_the_database(
    admin_client: Client, dead: Dead, django_assert_max_num_queries: Any
) -> None:
    dead(), dead(OTHER, step="Mail")
    with CaptureQueriesContext(connection) as whole:
        admin_client.get(PAGE)
    with django_assert_max_num_queries(len(whole) - 1):
        assert len(groups(admin_client, "?flow=mails")) == 1


def test_many_errors_take_few_queries(
    admin_client: Client, dead: Dead, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        dead(f"{number:016x}")
    with django_assert_max_num_queries(12):
        assert len(groups(admin_client)) == 40


def test_only_errors_of_steps_that_the_reader_may_see_are_shown(
    client_of: ClientOf, dead: Dead
) -> None:
    dead(), dead(OTHER, step="Mail")
    client = client_of("view_deadletter", "view_run", "redrive_run")
    with override_settings(MOTIA={"MAY": "tests.admin.test_dead_letters.not_mails"}):
        assert [each[1] for each in groups(client)] == ["Work"]
        assert client.get(PAGE).context["total"] == "1"
        assert client.get(f"{PAGE}{OTHER}/change/").status_code == 404
        assert client.get(f"{PAGE}{ONE}/change/").status_code == 200


def not_mails(user: Any, permission: str, step: str, flows: Any) -> bool:
    """Let nobody touch what is of the flow `mails`."""
    return "mails" not in flows


def test_who_may_do_nothing_is_offered_nothing(client_of: ClientOf, dead: Dead) -> None:
    dead()
    html = text(client_of("view_deadletter", "view_run", "discard_run"), PAGE)
    assert "deed=discard" in html
    assert "deed=redrive" not in html


def test_what_somebody_waited_for_cannot_be_redriven_and_that_is_said(
    admin_client: Client, dead: Dead
) -> None:
    dead(trigger="invoke")
    html = text(admin_client, PAGE)
    assert "deed=redrive" not in html
    assert "deed=discard" in html
    assert "whoever called it was told" in html


def test_who_may_not_see_runs_has_no_links_to_them(client_of: ClientOf, dead: Dead) -> None:
    dead()
    client = client_of("view_deadletter")
    for address in (PAGE, f"{PAGE}{ONE}/change/"):
        assert "/admin/motia/run/" not in text(client, address)
        assert "/admin/motia/batch/" not in text(client, address)


# -- one error


def test_an_error_shows_an_example_and_its_newest_runs(admin_client: Client, dead: Dead) -> None:
    runs = [dead(minutes=number) for number in range(55)]
    response = admin_client.get(f"{PAGE}{ONE}/change/")
    shown = [run.id for run, *_ in response.context["runs"]]
    assert shown == [run.id for run in runs[:50]]
    assert response.context["more"]
    assert "Traceback (most recent call last)" in response.content.decode()


def test_the_runs_of_an_error_say_what_they_are_found_by(admin_client: Client, dead: Dead) -> None:
    address, stack = f"{PAGE}{ONE}/change/", '<span class="motia-stack">{}</span>'
    dead(minutes=5)
    run = dead()
    assert stack.format("orderId=17") not in text(admin_client, address)
    models.RunKey.objects.create(run_id=run.id, name="orderId", value="17")
    assert text(admin_client, address).count(stack.format("orderId=17")) == 1


@pytest.mark.parametrize("mark", ["x", "A" * 16, "a" * 17, "%00", "é" * 16, "../x", "1" * 500])
def test_there_are_no_other_errors(admin_client: Client, mark: str) -> None:
    assert admin_client.get(f"{PAGE}{mark}/change/").status_code == 404


def test_an_error_of_which_no_run_is_dead_any_more_says_so(
    admin_client: Client, dead: Dead
) -> None:
    operations.discard(dead().id, by="ada")
    assert "No dead run has the error" in text(admin_client, f"{PAGE}{ONE}/change/")


def test_the_pages_escape_what_a_run_holds(admin_client: Client, dead: Dead) -> None:
    evil = "<script>alert(1)</script>"
    dead(step=evil, error=evil, source=evil)
    for address in (PAGE, f"{PAGE}{ONE}/change/", f"{PREVIEW}?deed=redrive&error={ONE}"):
        assert "<script>alert" not in text(admin_client, address)


def test_the_pages_need_no_inline_script_or_style(admin_client: Client, dead: Dead) -> None:
    dead()
    batch = batches.begin("redrive", ledger.selections.Selection(), by="ada")
    for address in (
        PAGE, f"{PAGE}{ONE}/change/", f"{PAGE}{OTHER}/change/", f"{PREVIEW}?deed=redrive", CHOOSE,
        "/admin/motia/batch/", f"/admin/motia/batch/{batch.id}/change/",
    ):  # fmt: skip
        html = text(admin_client, address)
        assert "<style" not in html
        assert " style=" not in html
        assert "<script>" not in html


# -- choose


def test_the_form_asks_which_runs_and_leads_to_the_preview(
    admin_client: Client, dead: Dead
) -> None:
    html = text(admin_client, CHOOSE)
    assert 'action="../preview/"' in html
    names = set(re.findall(r'name="(\w+)"', html[html.index('action="../preview/"') :]))
    assert names == {"deed", "step", "error", "topic", "since", "before", "query"}
    dead(), dead(step="Mail")
    query = "deed=redrive&step=Work&error=&topic=&since=&before=&query="
    assert admin_client.get(f"{PREVIEW}?{query}").context["prospect"].count == 1


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 4),
        ("status=dead", 4),
        ("step=Mail", 1),
        (f"error={ONE}", 2),
        (f"status=dead&error={OTHER}", 2),
        ("trigger=queue", 3),
        ("topic=other", 1),
        ("flow=mails", 1),
        ("gone=yes", 1),
        ("created=hour", 4),
        ("step=Work&gone=no", 2),
        ("query=%3Fstatus%3Ddead%26step%3DMail", 1),
        ("query=http://x/admin/motia/run/%3Fstep%3DMail%26p%3D2", 1),
        ("query=step%3DMail&step=Mail&error=", 1),
        ("step=Nobody", 0),
        ("error=nonsense", 0),
    ],
)
def test_runs_are_chosen_by_what_the_list_has(
    admin_client: Client, dead: Dead, query: str, count: int
) -> None:
    dead(), dead(minutes=50)
    dead(OTHER, step="Mail", source="other"), dead(OTHER, step="Gone", trigger="cron")
    dead(ONE, status="scheduled")
    response = admin_client.get(f"{PREVIEW}?deed=redrive&{query}")
    assert response.context["chosen"].problems == []
    assert response.context["prospect"].count == count


def test_runs_are_chosen_by_when_they_died(admin_client: Client, dead: Dead) -> None:
    dead(minutes=90), dead(minutes=10)
    hour_ago = f"{timezone.now() - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    for name in ("since", "before"):
        response = admin_client.get(f"{PREVIEW}?deed=redrive&{name}={hour_ago}")
        assert response.context["prospect"].count == 1


@pytest.mark.parametrize("name", ["since", "before"])
@pytest.mark.parametrize("offset", ["+01:00", "%2B01:00"])
def test_a_time_may_name_its_zone_with_a_bare_plus(
    admin_client: Client, name: str, offset: str
) -> None:
    address = f"{PREVIEW}?deed=redrive&{name}=2026-11-28T03:00{offset}"
    chosen = admin_client.get(address).context["chosen"]
    assert chosen.problems == []
    wanted = chosen.selection.wanted
    moment = wanted["finished_at__gte" if name == "since" else "finished_at__lt"]
    assert moment == datetime(2026, 11, 28, 2, tzinfo=UTC)


@pytest.mark.parametrize("time", ["0001-01-01T00:00%2B23:00", "9999-12-31T23:59-23:00"])
def test_times_at_the_ends_of_the_calendar_are_times(
    admin_client: Client, dead: Dead, time: str
) -> None:
    dead()
    is_early = time.startswith("0001")
    for name, is_wanted in (("since", is_early), ("before", not is_early)):
        response = admin_client.get(f"{PREVIEW}?deed=redrive&{name}={time}")
        assert response.context["chosen"].problems == []
        assert response.context["prospect"].count == is_wanted


def test_runs_are_chosen_by_their_id_or_their_trace(admin_client: Client, dead: Dead) -> None:
    run, _other, trace = dead(), dead(), uuid4()
    dead(trace_id=trace.hex), dead(trace_id=trace.hex)
    for given, count in ((run.id, 1), (trace.hex, 2)):
        response = admin_client.get(f"{PREVIEW}?deed=redrive&q={given}")
        assert response.context["prospect"].count == count


@pytest.mark.parametrize(
    "query",
    [
        "status=succeeded",
        "status=nonsense",
        "q=order-17",
        "flow=nonsense",
        "created=yesterday",
        "since=soon",
        "since=2026-99-99T00:00",
        "step=%00",
        f"step={'x' * 5000}",
        "input__contains=x",
        "query=input__contains%3Dx",
        "query=http%3A%2F%2F%5B",
        "query=garbage",
        "query=/admin/motia/run/",
        "id__gte=1",
    ],
)
def test_what_is_not_understood_is_said_so_and_nothing_is_done(
    admin_client: Client, dead: Dead, query: str
) -> None:
    run = dead()
    address = f"{PREVIEW}?deed=discard&{query}"
    for response in (admin_client.get(address), admin_client.post(address, {"confirmed": "yes"})):
        assert response.status_code == 200
        assert "is not understood" in response.content.decode()
        assert 'type="submit" value="Discard' not in response.content.decode()
    assert now(run).status == "dead"


@pytest.mark.parametrize("deed", ["", "edit", "move", "delete", "rerun_edited", "%00"])
def test_there_are_no_other_deeds_for_many(admin_client: Client, deed: str) -> None:
    assert admin_client.get(f"{PREVIEW}?deed={deed}").status_code == 404


# -- preview


def test_the_preview_says_what_would_be_refused_with_examples(
    admin_client: Client, dead: Dead
) -> None:
    bad = [dead(input={}) for _ in range(5)]
    dead(), dead(OTHER, step="Gone")
    prospect = admin_client.get(f"{PREVIEW}?deed=redrive").context["prospect"]
    assert (prospect.count, prospect.checked, prospect.refused) == (7, 7, 6)
    first, second = prospect.refusals
    assert first.reason.startswith("The input of this run is invalid: n")
    assert (first.runs, len(first.examples)) == (5, 3)
    assert first.examples[0] == (str(bad[0].id), f"/admin/motia/run/{bad[0].id}/change/")
    assert "no Step 'Gone'" in second.reason
    assert {name: number for name, _, number in prospect.steps} == {"Work": 6, "Gone": 1}


def test_the_preview_names_the_error_and_not_its_fingerprint(
    admin_client: Client, dead: Dead
) -> None:
    dead(error="Traceback (most recent call last):\n  x\nKeyError: 'n'")
    chosen = admin_client.get(f"{PREVIEW}?deed=redrive&error={ONE}").context["chosen"]
    assert chosen.told == ["dead", "with the error KeyError: 'n'"]


def test_the_preview_says_which_steps_are_paused_and_that_no_worker_is_alive(
    admin_client: Client, dead: Dead
) -> None:
    dead()
    ledger.pause("Work", by="ada")
    html = unescape(text(admin_client, f"{PREVIEW}?deed=redrive"))
    assert "The Step Work is paused" in html
    assert "No worker is alive" in html
    ledger.see("w@here")
    assert "No worker is alive" not in text(admin_client, f"{PREVIEW}?deed=redrive")


def test_the_preview_says_that_a_fifo_group_has_gone_on(admin_client: Client, dead: Dead) -> None:
    dead()
    address = f"{PREVIEW}?deed=redrive"
    assert "fifo" not in text(admin_client, address)
    in_order = {**WORK, "config": {"type": "fifo"}}
    with installed(make_step(lambda input: None, in_order)):
        assert "In a fifo group such a run goes to the end" in text(admin_client, address)
        assert "fifo" not in text(admin_client, f"{PREVIEW}?deed=discard")


def test_the_preview_checks_no_more_than_it_says(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prospects, "_READ", 2)
    monkeypatch.setattr(prospects, "CHECKED", 4)
    monkeypatch.setattr(prospects, "COUNTED", 5)
    for _ in range(7):
        dead()
    response = admin_client.get(f"{PREVIEW}?deed=redrive")
    prospect = response.context["prospect"]
    assert (prospect.checked, prospect.count, prospect.is_more) == (4, 5, True)
    html = response.content.decode()
    assert "More than 5 runs" in html
    assert "The others are checked when it is their turn" in html
    monkeypatch.setattr(prospects, "SECONDS", -1)
    assert admin_client.get(f"{PREVIEW}?deed=redrive").context["prospect"].checked == 0


def test_a_schema_that_breaks_the_check_is_told_as_a_reason(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise TypeError("the schema is broken")

    monkeypatch.setattr(operations, "redriven", broken)
    dead()
    [refusal] = admin_client.get(f"{PREVIEW}?deed=redrive").context["prospect"].refusals
    assert refusal.reason == "TypeError: the schema is broken"


def test_a_preview_of_many_runs_takes_few_queries(
    admin_client: Client, dead: Dead, django_assert_max_num_queries: Any
) -> None:
    models.Run.objects.bulk_create(
        [models.Run(**{**values(dead()), "id": new_run_id()}) for _ in range(300)]
    )
    with django_assert_max_num_queries(15):
        admin_client.get(f"{PREVIEW}?deed=redrive")


def values(run: models.Run) -> dict[str, Any]:
    """Return a run's columns."""
    return {field.name: getattr(run, field.name) for field in run._meta.concrete_fields}


# -- go


def test_few_runs_are_redriven_at_once(
    admin_client: Client, dead: Dead, django_capture_on_commit_callbacks: Any
) -> None:
    runs, other, bad = [dead(), dead()], dead(OTHER), dead(input={})
    address = f"{PREVIEW}?deed=redrive&status=dead&error={ONE}"
    with published() as sent, django_capture_on_commit_callbacks(execute=True):
        response = go(admin_client, address, reason="it is back")
    assert response["Location"] == PAGE
    assert sorted(sent) == sorted(str(run.id) for run in runs)
    assert {now(run).status for run in runs} == {"queued"}
    assert [now(other).status, now(bad).status] == ["dead", "dead"]
    [note] = now(runs[0]).timeline
    assert (note["by"], note["reason"]) == ("admin (admin)", "it is back")
    assert said(admin_client.get(PAGE))[0] == "2 runs redriven."
    assert LogEntry.objects.count() == 2
    assert not models.Batch.objects.exists()


def test_many_runs_are_a_batch(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_runs, "AT_ONCE", 1)
    dead(), dead()
    response = go(admin_client, f"{PREVIEW}?deed=redrive&error={ONE}", reason="it is back")
    batch = models.Batch.objects.get()
    assert response["Location"] == f"/admin/motia/batch/{batch.id}/change/"
    assert (batch.by, batch.reason, batch.total) == ("admin (admin)", "it is back", 2)
    batches.work_off()
    assert {run.status for run in models.Run.objects.all()} == {"queued"}


def test_a_limit_per_second_makes_a_batch_of_few_as_well(admin_client: Client, dead: Dead) -> None:
    dead()
    go(admin_client, f"{PREVIEW}?deed=redrive", per_second="5")
    assert models.Batch.objects.get().per_second == 5


@pytest.mark.parametrize("per_second", ["0", "-1", "x", "1e9", "99999999999"])
def test_a_wrong_limit_is_asked_for_again(
    admin_client: Client, dead: Dead, per_second: str
) -> None:
    run = dead()
    response = go(admin_client, f"{PREVIEW}?deed=redrive", per_second=per_second)
    assert response.status_code == 200
    assert response.context["form"].errors
    assert now(run).status == "dead"


def test_runs_that_were_born_after_the_preview_are_left_alone(
    admin_client: Client, dead: Dead
) -> None:
    shown = dead()
    html = text(admin_client, f"{PREVIEW}?deed=discard")
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html))
    later = dead()
    admin_client.post(f"{PREVIEW}?deed=discard", hidden)
    assert (now(shown).status, now(later).status) == ("cancelled", "dead")


def test_nobody_reaches_the_runs_of_steps_that_are_kept_from_him(
    client_of: ClientOf, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs, gone = dead(), dead(step="Mail"), dead(step="Gone")
    client = client_of("view_deadletter", "view_run", "discard_run")
    with override_settings(MOTIA={"MAY": "tests.admin.test_dead_letters.not_mails"}):
        for query in ("", "&step=Mail", "&flow=mails", "&gone=yes"):
            client.post(f"{PREVIEW}?deed=discard{query}", {"confirmed": "yes"})
        assert [now(run).status for run in (mine, theirs, gone)] == ["cancelled", "dead", "dead"]
        monkeypatch.setattr(many_runs, "AT_ONCE", 0)
        dead(), dead(step="Mail")
        client.post(f"{PREVIEW}?deed=discard", {"confirmed": "yes"})
    batches.work_off()
    statuses = models.Run.objects.values_list("step", "status")
    assert {status for step, status in statuses if step == "Mail"} == {"dead"}


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("permissions", [("view_run",), ("redrive_run",), ("view_deadletter",)])
def test_a_preview_needs_the_deeds_permission(
    client_of: ClientOf, dead: Dead, method: str, permissions: tuple[str, ...]
) -> None:
    run = dead()
    answer = getattr(client_of(*permissions), method)(f"{PREVIEW}?deed=redrive", {"confirmed": "y"})
    assert answer.status_code in (403, 404)
    assert now(run).status == "dead"


def test_a_post_needs_its_token(dead: Dead, django_user_model: Any) -> None:
    run, client = dead(), Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create_superuser("root"))
    assert client.post(f"{PREVIEW}?deed=discard", {"confirmed": "yes"}).status_code == 403
    assert now(run).status == "dead"
