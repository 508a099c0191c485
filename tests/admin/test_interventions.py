"""What is done to runs from their pages and from the list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client, override_settings
from django.utils import timezone
from pydantic import BaseModel, field_validator

from motia_django import batches, ledger, models, operations
from motia_django.admin import choosing, many_runs
from motia_django.admin.interventions import ALL
from motia_django.admin.runs import DEEDS
from motia_django.runs import Status, new_run_id
from tests.admin.conftest import MakeRun
from tests.factories import installed, make_step, once, rows

pytestmark = pytest.mark.django_db

LIST = "/admin/motia/run/"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
WORK = {"type": "queue", "topic": "work", "input": SCHEMA}
ClientOf = Callable[..., Client]
Dead = Callable[..., models.Run]
EVERY = ("redrive", "edit", "move", "discard", "cancel", "retry", "rerun", "rerun_edited")
PERMISSIONS = {
    "redrive": "redrive_run",
    "edit": "redrive_run",
    "move": "redrive_run",
    "discard": "discard_run",
    "retry": "retry_run",
    "rerun": "rerun_run",
    "rerun_edited": "rerun_run",
    "cancel": "cancel_run",
}


STATUS = {
    "cancel": "queued", "retry": "queued", "rerun": "succeeded", "rerun_edited": "succeeded",
}  # fmt: skip
"""Of runs that it can be done to, if they are not dead."""


@pytest.fixture(autouse=True)
def _steps() -> Iterator[None]:
    """The Steps of these tests."""
    other = make_step(name="Other")
    web = make_step(lambda: None, {"type": "http", "method": "GET", "path": "/nowhere"}, name="Web")
    with installed(make_step(lambda input: None, WORK), other, web):
        yield


@pytest.fixture
def dead(make_run: MakeRun) -> Dead:
    """Return a function that inserts a dead run of the Step Work."""

    def dead(**values: Any) -> models.Run:
        usual = {"step": "Work", "trigger": "queue", "source": "work", "status": "dead"}
        return make_run(**{**usual, "input": {"n": 1}, "attempt": 4, **values})

    return dead


def at(run: models.Run, what: str = "change") -> str:
    return f"{LIST}{run.pk}/{what}/"


def now(run: models.Run) -> models.Run:
    return models.Run.objects.get(id=run.id)


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def offered(client: Client, run: models.Run) -> set[str]:
    """Return what the run's page offers to do."""
    return set(re.findall(r'(?:action|href)="\.\./(\w+)/"', text(client, at(run)))) - {"export"}


def said(response: Any) -> list[str]:
    return [str(each) for each in response.context["messages"]]


# -- on one run's page


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"redrive", "edit", "move", "discard"}),
        ({"step": "Gone"}, {"move", "discard"}),
        ({"trigger": "http"}, {"discard"}),
        ({"trigger": "cron"}, {"redrive", "edit", "discard"}),
        ({"status": "queued"}, {"cancel", "retry"}),
        ({"status": "scheduled"}, {"cancel", "retry"}),
        ({"status": "queued", "step": "Gone"}, {"cancel", "move"}),
        ({"status": "running"}, set()),
        ({"status": "succeeded"}, {"rerun", "rerun_edited"}),
        ({"status": "succeeded", "step": "Web", "trigger": "http"}, set()),
        ({"status": "cancelled"}, {"rerun", "rerun_edited"}),
        ({"trigger": "invoke"}, {"rerun", "rerun_edited", "discard"}),
    ],
)
def test_a_run_offers_what_its_status_allows(
    admin_client: Client, dead: Dead, values: dict[str, str], expected: set[str]
) -> None:
    assert offered(admin_client, dead(**values)) == expected


def test_all_that_may_be_done_to_a_run_has_its_address() -> None:
    assert [each.name for each in ALL] == list(DEEDS)


@pytest.mark.parametrize(
    ("permission", "of_dead", "of_waiting"),
    [
        ("redrive_run", {"redrive", "edit", "move"}, {"move"}),
        ("discard_run", {"discard"}, set()),
        ("cancel_run", set(), {"cancel"}),
        ("pause_step", set(), set()),
    ],
)
def test_a_run_offers_what_the_user_may_do(
    client_of: ClientOf, dead: Dead, permission: str, of_dead: set[str], of_waiting: set[str]
) -> None:
    client = client_of("view_run", permission)
    assert offered(client, dead()) == of_dead
    assert offered(client, dead(status="queued", step="Gone")) == of_waiting


@pytest.mark.parametrize("what", EVERY)
def test_what_the_user_may_not_do_is_forbidden(client_of: ClientOf, dead: Dead, what: str) -> None:
    others = set(PERMISSIONS.values()) - {PERMISSIONS[what]}
    client = client_of("view_run", *others)
    run = dead(status=STATUS.get(what, "dead"))
    for answer in (client.get(at(run, what)), client.post(at(run, what), {"step": "Other"})):
        assert answer.status_code == 403
    assert now(run).status == run.status


@pytest.mark.parametrize("what", EVERY)
def test_who_may_not_view_runs_may_do_nothing_to_them(
    client_of: ClientOf, dead: Dead, what: str
) -> None:
    client, run = client_of(PERMISSIONS[what]), dead()
    assert client.post(at(run, what)).status_code == 403
    assert now(run).status == "dead"


@pytest.mark.parametrize("what", EVERY)
def test_a_get_does_nothing(admin_client: Client, dead: Dead, what: str) -> None:
    run = dead(status=STATUS.get(what, "dead"))
    assert "No, take me back" in text(admin_client, at(run, what))
    assert (now(run).status, now(run).timeline) == (run.status, [])
    assert not LogEntry.objects.exists()


def test_a_post_needs_its_token(dead: Dead, django_user_model: Any) -> None:
    run, client = dead(), Client(enforce_csrf_checks=True)
    client.force_login(django_user_model.objects.create_superuser("root"))
    assert client.post(at(run, "redrive")).status_code == 403
    assert now(run).status == "dead"


def test_a_run_of_a_fifo_group_is_redriven_by_a_page_that_says_that_it_goes_to_the_end(
    admin_client: Client, dead: Dead
) -> None:
    run, click = dead(), '<form method="post" action="../redrive/'
    assert click in admin_client.get(at(run)).content.decode()
    in_order = {**WORK, "config": {"type": "fifo"}}
    with installed(make_step(lambda input: None, in_order)):
        html = admin_client.get(at(run)).content.decode()
        assert click not in html
        assert 'href="../redrive/"' in html
        for what, is_told in (("redrive", True), ("edit", True), ("discard", False)):
            page = admin_client.get(at(run, what)).content.decode()
            assert ("In a fifo group such a run goes to the end" in page) is is_told
            assert 'name="reason"' in page
        admin_client.post(at(run, "redrive"), {"reason": "mended"})
    run.refresh_from_db()
    assert (run.status, run.timeline[-1]["reason"]) == ("queued", "mended")


def test_a_redrive_of_a_run_whose_death_has_started_others_names_them_first(
    admin_client: Client, client_of: ClientOf, dead: Dead
) -> None:
    run = dead(id=new_run_id(), started_at=timezone.now() - timedelta(hours=1))
    models.Run.objects.filter(id=run.id).update(created_at=run.started_at)
    caused = {"trigger": "queue", "status": "succeeded", "parent_id": run.id}
    before = timezone.now() - timedelta(minutes=1)
    dead(**caused, step="Mailed", source="mail", created_at=before)
    click = '<form method="post" action="../redrive/'
    assert click in text(admin_client, at(run))
    dead(**caused, step="Undone", source="undo", created_at=before)
    dead(**caused, step="Told", source="tell", created_at=timezone.now())
    dead(**caused, step="Again", source="work", trace_id="b" * 32, created_at=timezone.now())
    with installed(make_step(lambda input: None, WORK, onDead="undo")):
        assert click not in text(admin_client, at(run))
        asked = admin_client.get(at(run, "redrive"))
        named = [(name, "succeeded" in status) for name, _, status in asked.context["follows"]]
        assert named == [("Undone", True), ("Told", True)]
        assert "Its death has started these already" in asked.content.decode()
        assert "Its death" not in text(admin_client, at(run, "discard"))
        admin_client.post(at(run, "redrive"), {"reason": "mended"})
    assert now(run).status == "queued"


def test_one_click_redrives_a_run_and_both_logs_tell_who(admin_client: Client, dead: Dead) -> None:
    run = dead()
    response = admin_client.post(at(run, "redrive"), {"reason": ""}, follow=True)
    assert response.redirect_chain == [(at(run), 302)]
    assert said(response) == ["1 run redriven."]
    assert (now(run).status, now(run).attempt) == ("queued", 0)
    assert now(run).timeline[-1]["by"] == "admin (admin)"
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.object_repr) == (str(run.id), str(run))
    assert entry.change_message == "Redrive"
    assert entry.get_admin_url() == at(run)


@pytest.mark.parametrize(
    ("what", "data", "status"),
    [
        ("discard", {}, "cancelled"),
        ("cancel", {}, "cancelled"),
        ("move", {"step": "Other"}, "queued"),
    ],
)
def test_the_reason_is_in_both_logs(
    admin_client: Client, dead: Dead, what: str, data: dict[str, str], status: str
) -> None:
    run = dead(status=STATUS.get(what, "dead"))
    admin_client.post(at(run, what), {"reason": "a test order", **data})
    assert now(run).status == status
    assert now(run).timeline[-1]["reason"] == "a test order"
    assert LogEntry.objects.get().change_message.endswith(": a test order")


def test_an_input_that_breaks_the_schema_leads_to_the_form(
    admin_client: Client, dead: Dead
) -> None:
    run = dead(input={})
    response = admin_client.post(at(run, "redrive"), {"reason": ""})
    assert response.status_code == 200
    assert "is invalid" in response.content.decode()
    assert now(run).status == "dead"
    response = admin_client.post(at(run, "edit"), {"content": '{"n": "x"}'})
    assert "is invalid: n:" in str(response.context["form"].errors["content"])
    response = admin_client.post(at(run, "edit"), {"content": "{n"})
    assert "This is not JSON" in str(response.context["form"].errors["content"])
    assert "{n" in response.content.decode()
    assert now(run).status == "dead"
    assert admin_client.post(at(run, "edit"), {"content": '{"n": 7}'}).status_code == 302
    assert (now(run).status, now(run).input) == ("queued", {"n": 7})


def test_secrets_are_masked_in_the_form_and_kept_in_the_input(
    admin_client: Client, dead: Dead
) -> None:
    run = dead(input={"n": "x", "token": "s3cret"})
    html = text(admin_client, at(run, "edit"))
    assert "s3cret" not in html
    assert "********" in html
    admin_client.post(at(run, "edit"), {"content": '{"n": 7, "token": "********"}'})
    assert now(run).input == {"n": 7, "token": "s3cret"}


def test_a_run_is_redriven_to_a_step_that_listens_to_such_triggers(
    admin_client: Client, dead: Dead
) -> None:
    run = dead(step="Gone", status="queued")
    html = text(admin_client, at(run, "move"))
    assert re.findall(r'<option value="(\w+)"', html) == ["Other", "Work"]
    response = admin_client.post(at(run, "move"), {"step": "Web"})
    assert "step" in response.context["form"].errors
    admin_client.post(at(run, "move"), {"step": "Other"})
    assert (now(run).status, now(run).step) == ("queued", "Other")
    assert "from Gone to Other" in text(admin_client, at(run))


def test_what_no_longer_applies_is_said_so(admin_client: Client, dead: Dead) -> None:
    run = dead(status="succeeded")
    response = admin_client.post(at(run, "redrive"), follow=True)
    assert said(response) == ["That cannot be done to this run now: it is succeeded."]
    assert admin_client.get(f"{LIST}{uuid4()}/redrive/").status_code == 404


def test_whoever_is_second_is_told_so(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = dead()
    monkeypatch.setattr(ledger, "redrive", lambda *args: False)
    response = admin_client.post(at(run, "redrive"))
    assert "changed by somebody else" in response.content.decode()
    assert not LogEntry.objects.exists()


def dies_again(*runs: models.Run, error: str = "CardDeclined: no") -> None:
    """Have somebody else redrive these runs, and each die of something else."""
    for run in runs:
        operations.redrive(run.id, by="somebody else")
        died = {"status": "dead", "error": error, "finished_at": timezone.now(), "attempt": 1}
        models.Run.objects.filter(id=run.id).update(**died)


def hidden(response: Any) -> dict[str, str]:
    """Return the hidden fields of a page's forms."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html_of(response))
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


def html_of(response: Any) -> str:
    return str(response.content.decode())


@pytest.mark.parametrize("page", ["the run", "the form"])
@pytest.mark.parametrize("what", ["redrive", "edit", "move", "discard"])
def test_a_death_that_the_page_did_not_show_is_left_until_it_is_shown(
    admin_client: Client, dead: Dead, what: str, page: str
) -> None:
    run = dead()
    shown = hidden(admin_client.get(at(run) if page == "the run" else at(run, what)))
    assert shown["died_at"] == f"{run.finished_at:%Y-%m-%dT%H:%M:%S.%f+00:00}"
    dies_again(run)
    data = {"content": '{"n": 1}', "step": "Other", "reason": "seen"}
    refused = admin_client.post(at(run, what), {**shown, **data})
    assert "has died again since it was looked at" in html_of(refused)
    assert (now(run).status, LogEntry.objects.count()) == ("dead", 0)
    admin_client.post(at(run, what), {**hidden(refused), **data})
    assert now(run).status == ("cancelled" if what == "discard" else "queued")


def test_what_was_not_shown_from_any_page_is_done_as_it_is(
    admin_client: Client, dead: Dead
) -> None:
    for died_at in ("", "yesterday", "2026-99-99T00:00"):
        run = dead()
        admin_client.post(at(run, "discard"), {"died_at": died_at})
        assert now(run).status == "cancelled"


# -- on the list


def posted(client: Client, what: str, *runs: models.Run, query: str = "", **data: Any) -> Any:
    form = {"action": what, "index": "0", "select_across": "0", **data}
    selected = {"_selected_action": [str(run.pk) for run in runs]}
    return client.post(f"{LIST}{query}", {**form, **selected})


def test_the_list_offers_what_the_user_may_do(client_of: ClientOf, dead: Dead) -> None:
    dead()
    html = text(client_of("view_run", "discard_run"), LIST)
    assert 'value="discard"' in html
    assert 'value="redrive"' not in html
    assert 'value="cancel"' not in html


def test_who_may_only_look_has_no_actions(client_of: ClientOf, dead: Dead) -> None:
    run, client = dead(), client_of("view_run")
    assert "action-checkbox" not in text(client, LIST)
    posted(client, "redrive", run, confirmed="yes")
    assert now(run).status == "dead"


@pytest.mark.parametrize("what", ["redrive", "discard", "cancel"])
def test_a_user_without_the_permission_changes_nothing(
    client_of: ClientOf, dead: Dead, what: str
) -> None:
    others = set(PERMISSIONS.values()) - {PERMISSIONS[what]}
    client = client_of("view_run", *others)
    run = dead(status=STATUS.get(what, "dead"))
    posted(client, what, run, confirmed="yes")
    assert now(run).status == run.status


@pytest.mark.parametrize("what", ["redrive", "discard"])
def test_the_list_asks_first_and_says_what_would_be_refused(
    admin_client: Client, dead: Dead, what: str
) -> None:
    runs = [dead(), dead(), dead(input={}), dead(status="queued")]
    response = posted(admin_client, what, *runs)
    html = response.content.decode()
    assert response.context["prospect"].count == 3
    assert ("The input of this run is invalid: n:" in html) is (what == "redrive")
    assert [now(run).status for run in runs] == ["dead", "dead", "dead", "queued"]
    assert not LogEntry.objects.exists()


def test_the_list_asks_first_and_says_what_the_deaths_have_started(
    admin_client: Client, dead: Dead
) -> None:
    runs = [dead(id=new_run_id()) for _ in range(3)]
    for cause, status in zip(runs, ("succeeded", "succeeded", "queued"), strict=True):
        dead(step="Undone", source="undo", status=status, parent_id=cause.id)
    dead(step="Mailed", parent_id=runs[0].id, created_at=timezone.now() - timedelta(hours=1))
    with installed(make_step(lambda input: None, WORK, onDead="undo")):
        asked = [posted(admin_client, "redrive", *some) for some in (runs, runs[:1])]
        notes = [each.context["prospect"].notes for each in asked]
        assert "started runs" not in posted(admin_client, "discard", *runs).content.decode()
    assert [note[-1] for note in notes] == [
        "3 of these 3 deaths have started runs, and nothing of that is undone: Undone"
        " (3: 2 succeeded, 1 queued).",
        "This death has started runs, and nothing of that is undone: Undone (1 succeeded).",
    ]


def test_what_is_confirmed_is_done_and_logged_for_each_run(
    admin_client: Client, dead: Dead
) -> None:
    good, bad, other = dead(), dead(input={}), dead()
    response = posted(admin_client, "redrive", good, bad, confirmed="yes", reason="mended")
    assert response.status_code == 302
    assert [now(run).status for run in (good, bad, other)] == ["queued", "dead", "dead"]
    assert now(good).timeline[-1]["reason"] == "mended"
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(good.id), "Redrive: mended")
    told = said(admin_client.get(LIST))
    assert told[0] == "1 run redriven."
    assert told[1].startswith("1 refused: The input of this run is invalid: n:")


class Unlucky(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def _known(cls, value: int) -> int:
        if value == 13:
            raise KeyError("unlucky")
        return value


def test_a_schema_that_raises_refuses_its_run_and_the_others_are_done_and_logged(
    admin_client: Client, dead: Dead
) -> None:
    runs = [dead(), dead(input={"n": 13}), dead()]
    with installed(make_step(lambda input: None, {**WORK, "input": Unlucky})):
        posted(admin_client, "redrive", *runs, confirmed="yes")
        assert [now(run).status for run in runs] == ["queued", "dead", "queued"]
        assert LogEntry.objects.count() == 2
        assert said(admin_client.get(LIST))[1] == "1 refused: KeyError: 'unlucky'"


@pytest.mark.parametrize("what", ["redrive", "edit", "rerun_edited"])
def test_a_schema_that_raises_is_an_error_of_the_form(
    admin_client: Client, dead: Dead, what: str
) -> None:
    run = dead(input={"n": 13}, status="succeeded" if what == "rerun_edited" else "dead")
    with installed(make_step(lambda input: None, {**WORK, "input": Unlucky})):
        response = admin_client.post(at(run, what), {"content": '{"n": 13}', **once()})
        assert "KeyError: &#x27;unlucky&#x27;" in response.content.decode()
    assert response.status_code == 200
    assert not LogEntry.objects.exists()
    assert models.Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_was_done_before_the_database_went_away_is_logged(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [dead(), dead()]

    def renew(run_id: Any) -> Any:
        if run_id == runs[1].id:
            raise OperationalError("gone")
        return found(run_id)

    found = operations.row_of
    monkeypatch.setattr(operations, "row_of", renew)
    with pytest.raises(OperationalError):
        posted(admin_client, "redrive", *runs, confirmed="yes")
    assert [now(run).status for run in runs] == ["queued", "dead"]
    assert LogEntry.objects.get().object_id == str(runs[0].id)


@pytest.mark.parametrize("what", ["redrive", "discard"])
@pytest.mark.parametrize("across", ["0", "1"])
def test_a_death_that_the_question_did_not_show_is_left(
    admin_client: Client, dead: Dead, what: str, across: str
) -> None:
    runs = [dead(id=new_run_id()) for _ in range(4)]
    form: dict[str, Any] = {"query": "?step=Work", "select_across": across}
    shown = hidden(posted(admin_client, what, *runs, **form))
    assert shown["shown"] == "4"
    dies_again(*runs[:3])
    posted(admin_client, what, *runs, **{**form, **shown})
    ended = "queued" if what == "redrive" else "cancelled"
    assert [now(run).status for run in runs] == ["dead", "dead", "dead", ended]
    told = said(admin_client.get(LIST))
    assert told[1] == "3 runs that were shown are left as they are: they have changed since."
    posted(admin_client, what, *runs, **{**form, **shown})
    assert said(admin_client.get(LIST)) == ["Nothing to do: none of these runs allows it now."]


@pytest.mark.parametrize("what", ["redrive", "discard"])
def test_a_death_that_the_list_did_not_show_is_left_out_and_that_is_said(
    admin_client: Client, dead: Dead, what: str
) -> None:
    runs = [dead(id=new_run_id()) for _ in range(4)]
    listed = html_of(admin_client.get(f"{LIST}?status=dead"))
    deaths = re.findall(r'<input type="hidden" name="died_at" value="([^"]*)"', listed)
    assert len(deaths) == 4
    dies_again(runs[0])
    operations.discard(runs[1].id, by="somebody else")
    data: dict[str, Any] = {"query": "?status=dead", "died_at": deaths}
    preview = posted(admin_client, what, *runs[:3], **data)
    assert "2 runs that you ticked are left out" in html_of(preview)
    assert preview.context["prospect"].count == 1
    dies_again(runs[2])
    again = [value for name, value in preview.context["hidden"] if name == "died_at"]
    assert len(again) == 3
    posted(admin_client, what, *runs[:3], **data | hidden(preview) | {"died_at": again})
    assert [now(run).status for run in runs] == ["dead", "cancelled", "dead", "dead"]
    assert "left out" not in html_of(posted(admin_client, what, runs[3], **data))


def test_a_run_that_ended_after_the_question_is_not_run_again(
    admin_client: Client, dead: Dead
) -> None:
    over, running = dead(status="succeeded"), dead(status="running", finished_at=None)
    query = "/admin/motia/batch/preview/?deed=rerun&step=Work"
    shown = hidden(admin_client.get(query))
    models.Run.objects.filter(id=running.id).update(status="succeeded", finished_at=timezone.now())
    admin_client.post(query, shown)
    assert [len(rows(parent_id=run.id)) for run in (over, running)] == [1, 0]


def test_a_batch_that_is_asked_for_twice_leaves_what_has_died_again(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_runs, "AT_ONCE", 1)
    runs = [dead(id=new_run_id()) for _ in range(3)]
    query = "/admin/motia/batch/preview/?deed=redrive&step=Work"
    shown = hidden(admin_client.get(query))
    for _ in range(2):
        admin_client.post(query, shown)
    dies_again(*runs[:2])
    batches.work_off()
    assert [now(run).status for run in runs] == ["dead", "dead", "queued"]
    assert [len(now(run).timeline) for run in runs] == [1, 1, 1]
    done = models.Batch.objects.order_by("id").values_list("done", "refused")
    assert list(done) == [(1, 0), (0, 0)]


def test_all_that_match_are_a_batch_if_they_are_many(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_runs, "AT_ONCE", 4)
    runs = [dead() for _ in range(5)]
    other = dead(step="Other")
    across = {"select_across": "1", "confirmed": "yes", "reason": "tests"}
    response = posted(admin_client, "discard", runs[0], query="?step=Work", **across)
    batch = models.Batch.objects.get()
    assert response["Location"] == f"/admin/motia/batch/{batch.id}/change/"
    assert (batch.deed, batch.total, batch.reason) == ("discard", 5, "tests")
    assert {now(run).status for run in runs} == {"dead"}
    batches.work_off()
    assert {now(run).status for run in runs} == {"cancelled"}
    assert now(other).status == "dead"
    [entry] = LogEntry.objects.all()
    assert (entry.object_id, entry.change_message) == (str(batch.id), "Discard: tests")


def test_a_list_that_cannot_be_told_to_the_workers_is_taken_by_its_ids(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_runs, "AT_ONCE", 0)
    runs = [dead(), dead()]
    monkeypatch.setattr(choosing, "_READERS", {})
    across = {"select_across": "1", "confirmed": "yes"}
    posted(admin_client, "discard", runs[0], query="?step=Work", **across)
    assert len(models.Batch.objects.get().selection["ids"]) == 2


def test_of_a_list_that_is_too_long_the_newest_are_taken_and_that_is_said(
    admin_client: Client, dead: Dead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_runs, "MOST_IDS", 2)
    monkeypatch.setattr(choosing, "MOST_IDS", 2)
    runs = [dead(id=new_run_id()) for _ in range(3)]
    for run in runs:
        models.RunKey.objects.create(run_id=run.id, name="room", value="hall")
    across, query = {"select_across": "1"}, "?q=room%3Dhall"
    preview = posted(admin_client, "discard", runs[2], query=query, **across)
    assert "these are the newest of it" in preview.content.decode()
    assert preview.context["prospect"].count == 2
    up_to = dict(preview.context["hidden"])["up_to"]
    newer = dead(id=new_run_id())
    models.RunKey.objects.create(run_id=newer.id, name="room", value="hall")
    across |= {"confirmed": "yes", "up_to": up_to}
    posted(admin_client, "discard", runs[2], query=query, **across)
    assert [now(run).status for run in (*runs, newer)] == ["dead", "cancelled", "cancelled", "dead"]
    whole = posted(admin_client, "discard", runs[0], query=query, select_across="1")
    assert "these are the newest of it" not in whole.content.decode()


@pytest.mark.parametrize("also", [False, True])
def test_all_that_an_index_key_finds_are_meant_even_if_it_looks_like_an_id(
    admin_client: Client, dead: Dead, also: bool
) -> None:
    found, other, key = dead(), dead(), str(uuid4())
    key = str(other.id) if also else key
    models.RunKey.objects.create(run_id=found.id, name="orderId", value=key)
    across = {"select_across": "1", "confirmed": "yes"}
    posted(admin_client, "discard", found, query=f"?q={key}", **across)
    assert now(found).status == "cancelled"
    assert now(other).status == ("cancelled" if also else "dead")


@pytest.mark.parametrize("across", ["0", "1"])
@pytest.mark.parametrize("id", ["nope", "\x00", "", "9" * 5000])
def test_what_is_no_id_is_not_among_the_runs_that_were_ticked(
    admin_client: Client, dead: Dead, id: str, across: str
) -> None:
    run = dead()
    form = {"action": "redrive", "index": "0", "select_across": across}
    alone = admin_client.post(LIST, {**form, "_selected_action": [id]})
    assert alone.status_code == 302
    assert said(admin_client.get(LIST))[0].startswith("Items must be selected")
    both = admin_client.post(LIST, {**form, "_selected_action": [id, str(run.pk)]})
    assert both.context["prospect"].count == 1
    assert now(run).status == "dead"


def test_runs_of_other_statuses_are_left_alone(admin_client: Client, dead: Dead) -> None:
    run = dead(status="succeeded")
    posted(admin_client, "cancel", run, confirmed="yes")
    assert said(admin_client.get(LIST)) == ["Nothing to do: none of these runs allows it now."]
    assert now(run).status == "succeeded"


def test_get_parameters_do_nothing(admin_client: Client, dead: Dead) -> None:
    run = dead()
    text(admin_client, f"{LIST}?action=redrive&index=0&confirmed=yes&select_across=1&e=1")
    assert now(run).status == "dead"


# -- without a Step, and the way to the dead


def test_a_run_whose_step_is_gone_is_marked_and_found(admin_client: Client, dead: Dead) -> None:
    run = dead(step="Gone")
    dead()
    assert text(admin_client, LIST).count("not known here</span>") == 1
    listed = admin_client.get(f"{LIST}?gone=yes").context["cl"].result_list
    assert [each.id for each in listed] == [run.id]
    assert "gone, or newer than this process)" in text(admin_client, at(run))


def test_the_dead_are_a_click_away(admin_client: Client, client_of: ClientOf, dead: Dead) -> None:
    dead()
    link = 'href="/admin/motia/deadletter/">Dead letters</a>'
    assert link in text(admin_client, "/admin/motia/")
    assert link in text(admin_client, LIST)
    assert link not in text(client_of("view_step"), "/admin/motia/")


@pytest.mark.parametrize("what", EVERY)
def test_the_pages_need_no_inline_script_or_style(
    admin_client: Client, dead: Dead, what: str
) -> None:
    run = dead(status=STATUS.get(what, "dead"), input={})
    pages = [text(admin_client, at(run)), text(admin_client, at(run, what))]
    if what in ("redrive", "discard", "cancel", "retry"):
        pages.append(posted(admin_client, what, run).content.decode())
    for html in pages:
        assert "<style" not in html
        assert " style=" not in html
        assert "<script>" not in html
        assert "onclick" not in html


def test_the_pages_escape_what_the_run_holds(admin_client: Client, dead: Dead) -> None:
    evil = "<script>alert(1)</script>"
    run = dead(step=evil, input={evil: evil}, source=evil)
    note = {"at": None, "kind": "redriven", "by": evil, "time": evil, "reason": evil}
    models.Run.objects.filter(id=run.id).update(timeline=[note, {**note, "kind": "moved"}])
    pages = [text(admin_client, at(run)), text(admin_client, at(run, "move"))]
    pages.append(posted(admin_client, "redrive", run).content.decode())
    assert not any("<script>alert" in html for html in pages)


# -- the timeline, and why it waits


def test_the_timeline_tells_what_operators_did_and_each_attempts_error(
    admin_client: Client, dead: Dead
) -> None:
    time = "2026-11-22T19:00:00+00:00"
    run = dead(
        timeline=[
            {"at": 1, "kind": "error", "message": "E: no", "traceback": "Trace\n x", "attempt": 1},
            {"at": None, "kind": "note", "message": "missed"},
            {"at": None, "kind": "redriven", "by": "ada", "time": time, "attempts": 2},
            {"at": None, "kind": "moved", "by": "bob", "time": time, "from": "A", "to": "B",
             "input": "edited", "reason": "why not"},
            {"at": None, "kind": "discarded", "time": "nonsense"},
        ]
    )  # fmt: skip
    lines = admin_client.get(at(run)).context["timeline"]
    assert [(line.kind, line.text, line.level) for line in lines] == [
        ("error", "E: no", "error"),
        ("note", "missed", ""),
        ("redriven", "by ada, after 2 attempts", ""),
        ("moved", "by bob, from A to B, its input edited: why not", ""),
        ("discarded", "by somebody", ""),
    ]
    assert lines[0].document == "Trace\n x"
    assert lines[2].at == "2026-11-22 19:00:00"


def test_a_run_that_was_redriven_with_another_input_shows_the_one_before(
    admin_client: Client, dead: Dead
) -> None:
    changed = {"eventType": "state:updated", "itemId": "api_key", "oldValue": "s-1", "newValue": 1}
    note = {"at": None, "kind": "redriven", "by": "ada", "time": "x", "input": "edited"}
    run = dead(timeline=[{**note, "old": each} for each in ({"id": 1}, None, changed)])
    first, null, second = admin_client.get(at(run)).context["timeline"]
    assert (first.text, first.facts) == ("by ada, its input edited", '{"old":{"id":1}}')
    assert null.facts == '{"old":null}'
    assert "s-1" not in text(admin_client, at(run)) + text(admin_client, at(run, "export"))
    assert "state:updated" in second.facts + second.document


def reasons(client: Client, run: models.Run) -> list[str]:
    return [each.text for each in client.get(at(run)).context["waits"]]


def test_a_run_that_waits_says_for_what(admin_client: Client, dead: Dead) -> None:
    [worker] = reasons(admin_client, dead(status="queued", publishes=2))
    asked = "It waits for a worker of the queue celery"
    assert worker == f"{asked}. Its message was sent 2 times."
    ledger.see("w@here", ["celery"])
    assert reasons(admin_client, dead(status="queued", publishes=1))[0].startswith(f"{asked}. ")
    ledger.see("w@here", ["shop"])
    [worker] = reasons(admin_client, dead(status="queued", publishes=1))
    assert worker == f"{asked}; no worker consumes it. Its message was sent 1 time."
    assert (
        "does not know the Step Gone"
        in reasons(admin_client, dead(status="queued", step="Gone"))[0]
    )
    run = dead(status="scheduled", attempt=0)
    assert reasons(admin_client, run)[0].startswith("It is scheduled for")
    run = dead(status="scheduled", attempt=2)
    assert reasons(admin_client, run)[0].startswith("Attempt 3 begins after the backoff")
    now = timezone.now()
    run = dead(status="scheduled", attempt=2, tried_since=now, started_at=None, wake_at=now)
    assert reasons(admin_client, run)[0].startswith("It was snoozed, and goes on at 20")
    assert reasons(admin_client, dead()) == []
    ledger.pause("Work", by="ada", reason="lunch")
    [paused] = reasons(admin_client, dead(status="queued"))
    assert paused.startswith("Its Step is paused since 20")
    assert paused.endswith("by ada: lunch")


def test_a_run_behind_another_names_it(admin_client: Client, dead: Dead) -> None:
    first, second = dead(status="running"), dead(status="queued")
    for run, holds in ((first, "lane"), (second, None)):
        models.Turn.objects.create(run_id=run.id, lane="lane", holds=holds)
    [reason] = admin_client.get(at(second)).context["waits"]
    assert reason.text == "It waits its turn: another run without a message group is before it."
    assert 'value="Retry now" title' in text(admin_client, at(second))
    models.Run.objects.filter(id=second.id).update(message_group="order 17")
    html = text(admin_client, at(second))
    assert "another run of its message group, order 17, is before it." in html
    assert "<dt>Message group</dt><dd><code>order 17</code></dd>" in html
    models.Run.objects.filter(id=second.id).update(status="dead")
    assert "order 17</code> (stays the same, whatever" in text(admin_client, at(second, "edit"))
    assert reason.links == [(f"Work, run {first.id}", at(first))]


@override_settings(MOTIA={"MAY": "tests.admin.test_interventions.may_see_work"})
def test_a_run_behind_one_that_the_hook_hides_does_not_name_its_step(
    client_of: Callable[..., Client], dead: Dead
) -> None:
    first, second = dead(status="running", step="Hidden"), dead(status="queued")
    for run, holds in ((first, "lane"), (second, None)):
        models.Turn.objects.create(run_id=run.id, lane="lane", holds=holds)
    with installed(make_step(), make_step(name="Hidden")):
        [reason] = client_of("view_run").get(at(second)).context["waits"]
    assert [name for name, _url in reason.links] == [f"run {first.id}"]


def may_see_work(user: User, permission: str, step: str, flows: tuple[str, ...]) -> bool:
    return step == "Work"


@pytest.mark.parametrize(("status", "slot"), [("running", "pool.0"), ("queued", None)])
def test_a_run_without_a_place_names_who_has_them(
    admin_client: Client, dead: Dead, status: str, slot: str | None
) -> None:
    config = {"config": {"concurrency": 1}}
    with installed(make_step(lambda input: None, {**WORK, **config})):
        first, second = dead(status=status), dead(status="queued")
        models.Turn.objects.create(run_id=first.id, pool="pool", slot=slot, called=True)
        models.Turn.objects.create(run_id=second.id, pool="pool")
        [reason] = admin_client.get(at(second)).context["waits"]
        assert reason.text.startswith("It waits its turn: 1 run at once")
        assert reason.links == [(f"Work, run {first.id}", at(first))]
        if status == "queued":
            assert "waits for a worker" in reasons(admin_client, first)[0]
        models.Turn.objects.filter(run_id=first.id).delete()
        assert "waits for a worker" in reasons(admin_client, second)[0]


# -- Steps


def test_a_step_is_paused_with_a_reason_and_resumed(admin_client: Client) -> None:
    page = "/admin/motia/step/Work/"
    assert "paused" not in text(admin_client, f"{page}change/")
    assert "No, take me back" in text(admin_client, f"{page}pause/")
    assert not ledger.paused()
    response = admin_client.post(f"{page}pause/", {"reason": "lunch"}, follow=True)
    assert said(response) == ["Work is paused."]
    assert (ledger.paused()["Work"].by, ledger.paused()["Work"].reason) == (
        "admin (admin)",
        "lunch",
    )
    for address in ("/admin/motia/step/", f"{page}change/"):
        html = text(admin_client, address)
        assert 'motia-paused">paused</span>' in html
        assert "by admin (admin): lunch" in html
    assert said(admin_client.post(f"{page}pause/", follow=True)) == ["Work was paused already."]
    assert admin_client.get(f"{page}resume/").status_code == 405
    assert ledger.paused()
    assert said(admin_client.post(f"{page}resume/", follow=True)) == ["Work is resumed."]
    assert said(admin_client.post(f"{page}resume/", follow=True)) == ["Work was not paused."]
    messages = LogEntry.objects.order_by("id").values_list("object_id", "change_message")
    assert list(messages) == [("Work", "Pause: lunch"), ("Work", "Resume")]


def test_a_paused_step_that_is_gone_is_shown_and_can_be_resumed(admin_client: Client) -> None:
    ledger.pause("Gone/Step", reason="<b>")
    html = text(admin_client, "/admin/motia/step/")
    assert "Paused, but not there" in html
    assert "<b>" not in html
    address = re.findall(r'action="([^"]+/resume/)"', html)[0]
    response = admin_client.post(address, follow=True)
    assert response.redirect_chain[-1][0] == "/admin/motia/step/"
    assert not ledger.paused()


@pytest.mark.parametrize("permissions", [("view_step",), ("pause_step",), ("view_run",)])
def test_who_may_not_pause_does_not(client_of: ClientOf, permissions: tuple[str, ...]) -> None:
    client = client_of(*permissions)
    ledger.pause("Other")
    page = "/admin/motia/step"
    for address in (f"{page}/Work/pause/", f"{page}/Other/resume/"):
        assert client.post(address).status_code == 403
    assert client.get(f"{page}/Work/pause/").status_code == 403
    assert set(ledger.paused()) == {"Other"}
    if permissions == ("view_step",):
        assert "../pause/" not in text(client, f"{page}/Work/change/")


def test_a_step_that_is_not_there_cannot_be_paused(admin_client: Client) -> None:
    assert admin_client.post("/admin/motia/step/Gone/pause/").status_code == 404
    assert not ledger.paused()


def test_a_run_that_was_cancelled_has_not_worked(admin_client: Client, dead: Dead) -> None:
    times = dict(admin_client.get(at(dead(status=Status.CANCELLED))).context["times"])
    assert times["Worked"] == "–"
