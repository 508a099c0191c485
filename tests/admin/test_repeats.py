"""Trying again from a run's page: at once, or as a new run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from motia_django import batches, models
from tests.admin.conftest import MakeRun
from tests.catalogs import spoken
from tests.factories import installed, make_step, once, published

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/motia/run/"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
WORK = {"type": "queue", "topic": "work", "input": SCHEMA}
WORKED: dict[str, Any] = {"step": "Work", "trigger": "queue", "source": "work"}
NAMES = ("retry", "rerun", "rerun_edited")


@pytest.fixture(autouse=True)
def _steps() -> Iterator[None]:
    with installed(make_step(lambda input: None, WORK)):
        yield


def at(run: models.Run, what: str = "change") -> str:
    return f"{LIST}{run.pk}/{what}/"


def test_one_click_tries_a_run_now(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run(**WORKED, status="scheduled", attempt=2, finished_at=None)
    with published() as sent:
        response = admin_client.post(at(run, "retry"), {"reason": ""}, follow=True)
    assert sent == [str(run.id)]
    assert [str(each) for each in response.context["messages"]] == ["1 run is tried now."]
    run.refresh_from_db()
    assert (run.status, run.timeline[0]["by"]) == ("queued", "admin (admin)")
    assert LogEntry.objects.get().change_message == "Retry now"


def test_many_runs_are_tried_now_from_the_list(admin_client: Client, make_run: MakeRun) -> None:
    runs = [make_run(**WORKED, status="scheduled", finished_at=None) for _ in range(3)]
    chosen = {"action": "retry", "index": "0", "_selected_action": [str(each.id) for each in runs]}
    assert "3 runs" in admin_client.post(LIST, chosen).content.decode()
    with published() as sent:
        admin_client.post(LIST, {**chosen, "confirmed": "yes", "reason": "mended"})
    assert sorted(sent) == sorted(str(each.id) for each in runs)


def test_many_runs_are_run_again_from_the_list_and_each_once(
    admin_client: Client, make_run: MakeRun
) -> None:
    old = [make_run(**WORKED, input={"n": 1}) for _ in range(2)]
    masked = make_run(**WORKED, input={"n": 1, "token": "********"})
    every = [str(each.id) for each in (*old, masked)]
    chosen = {"action": "rerun", "index": "0", "_selected_action": every}
    html = admin_client.post(LIST, chosen).content.decode()
    assert "Of 3 runs that were checked, 1 would be refused" in html
    assert "masked when the run was over: token" in html
    for done, refused in ((2, 0), (0, 2)):
        go = {**chosen, "confirmed": "yes", "reason": "wrong"}
        told = admin_client.post(LIST, go, follow=True).context["messages"]
        assert any(f"{done} new runs were started." in str(each) for each in told) == bool(done)
        assert any("run again already" in str(each) for each in told) == bool(refused)
    assert [models.Run.objects.filter(parent_id=each.id).count() for each in old] == [1, 1]
    assert LogEntry.objects.filter(change_message="Run again: wrong").count() == 2


def test_of_many_those_that_succeeded_are_run_again_unless_others_are_asked_for(
    admin_client: Client, make_run: MakeRun
) -> None:
    for status in ("succeeded", "skipped", "cancelled", "dead", "queued"):
        make_run(**WORKED, status=status)
    preview = "/admin/motia/batch/preview/?deed=rerun&step=Work"
    for query, count in (("", 1), ("&status=skipped,cancelled", 2)):
        prospect = admin_client.get(preview + query).context["prospect"]
        assert prospect.count == count
    assert "is not understood" in admin_client.get(f"{preview}&status=dead").content.decode()
    choose = admin_client.get("/admin/motia/batch/choose/").content.decode()
    assert '<option value="rerun">Run again</option>' in choose


def test_a_batch_runs_them_again(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run(**WORKED, input={"n": 1})
    preview = "/admin/motia/batch/preview/?deed=rerun&step=Work"
    answer = admin_client.post(preview, {"confirmed": "yes", "per_second": "5"})
    batch = models.Batch.objects.get()
    assert answer.headers["Location"] == f"/admin/motia/batch/{batch.id}/change/"
    batches.work_off()
    assert models.Run.objects.filter(parent_id=run.id).count() == 1
    assert "Run again" in admin_client.get(answer.headers["Location"]).content.decode()


def test_whoever_may_not_run_a_run_again_may_not_run_many_again(
    client: Client, django_user_model: Any, make_run: MakeRun
) -> None:
    user = django_user_model.objects.create_user("bob", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_run", "retry_run"]))
    client.force_login(user)
    make_run(**WORKED)
    assert client.get("/admin/motia/batch/preview/?deed=rerun&step=Work").status_code == 403
    html = client.get(LIST).content.decode()
    assert ('value="retry"' in html, 'value="rerun"' in html) == (True, False)


def test_a_run_is_run_again_and_one_is_led_to_the_new_one(
    admin_client: Client, make_run: MakeRun
) -> None:
    run = make_run(**WORKED, input={"n": 1})
    answer = admin_client.post(at(run, "rerun"), {"reason": "the mail was lost", **once()})
    new = models.Run.objects.get(parent_id=run.id)
    assert answer.headers["Location"] == at(new)
    assert (new.status, new.input) == ("queued", {"n": 1})
    assert str(new.id) in LogEntry.objects.get().change_message
    html = admin_client.get(at(run)).content.decode()
    assert at(new) in html
    assert "the mail was lost" in html
    assert at(run) in admin_client.get(at(new)).content.decode()


def test_an_input_whose_secrets_were_masked_has_to_be_written_out(
    admin_client: Client, make_run: MakeRun
) -> None:
    run = make_run(**WORKED, input={"n": 1, "token": "********"})
    refused = admin_client.post(at(run, "rerun"), once()).content.decode()
    assert "masked when the run was over: token" in refused
    form = admin_client.get(at(run, "rerun_edited")).content.decode()
    assert "Write out what is missing" in form
    for content in ('{"n": 1, "token": "********"}', '{"n": 2, "token": "********"}', '{"n": "x"}'):
        answer = admin_client.post(at(run, "rerun_edited"), {"content": content, **once()})
        assert answer.status_code == 200
    assert models.Run.objects.count() == 1
    whole = '{"n": 1, "token": "t-1"}'
    admin_client.post(at(run, "rerun_edited"), {"content": whole, **once()})
    assert models.Run.objects.get(parent_id=run.id).input == {"n": 1, "token": "t-1"}


def test_secrets_that_are_still_there_stay_hidden_and_are_put_back(
    admin_client: Client, make_run: MakeRun
) -> None:
    run = make_run(**{**WORKED, "trigger": "invoke"}, status="dead", input={"n": 1, "token": "t-1"})
    form = admin_client.get(at(run, "rerun_edited")).content.decode()
    assert "t-1" not in form
    edited = '{"n": 7, "token": "********"}'
    admin_client.post(at(run, "rerun_edited"), {"content": edited, **once()})
    assert models.Run.objects.get(parent_id=run.id).input == {"n": 7, "token": "t-1"}


@pytest.mark.parametrize("content", ["", "{", "\x00", '{"n": NaN}', "[" * 100_000, "nonsense"])
def test_what_is_no_json_is_refused_in_the_form(
    admin_client: Client, make_run: MakeRun, content: str
) -> None:
    run = make_run(**WORKED, input={"n": 1})
    answer = admin_client.post(at(run, "rerun_edited"), {"content": content, **once()})
    assert answer.status_code == 200
    assert models.Run.objects.count() == 1


@pytest.mark.parametrize("what", NAMES)
def test_each_deed_has_its_own_permission(
    client_of: Callable[..., Client], make_run: MakeRun, what: str
) -> None:
    other = "rerun_run" if what == "retry" else "retry_run"
    client = client_of("view_run", other, "redrive_run", "cancel_run", "discard_run")
    run = make_run(**WORKED, status="queued" if what == "retry" else "succeeded", input={"n": 1})
    assert client.post(at(run, what), {"content": '{"n": 1}'}).status_code == 403
    assert f"../{what}/" not in client.get(at(run)).content.decode()
    assert models.Run.objects.count() == 1


def test_a_refusal_is_told_in_the_language_of_whoever_asks(
    admin_client: Client, make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run(**WORKED, input={"n": 1, "token": "********"})
    german = {
        "run %(id)s cannot be run again with the input that is stored: %(why)s. Give it whole,"
        " by --input or as edited input in the admin": "Lauf %(id)s geht so nicht: %(why)s",
        "masked when the run was over: %s (what is in later runs,"
        ' "redact" in the config of its Step can say)': "verdeckt ist %s",
    }
    with spoken(tmp_path, german):
        html = admin_client.post(at(run, "rerun"), once()).content.decode()
    assert f"Lauf {run.id} geht so nicht: verdeckt ist token" in html
    assert "cannot be run again" in admin_client.post(at(run, "rerun"), once()).content.decode()
