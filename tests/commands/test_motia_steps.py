from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.http import Http404
from django.utils import timezone
from pydantic import BaseModel

from motia_django import enqueue, models
from motia_django.discovery import discover
from motia_django.management.commands.motia_steps import Command
from motia_django.payloads import MASK
from motia_django.registry import Registry
from motia_django.registry import installed as registry_installed
from motia_django.runs import Status
from tests.factories import deliver, installed, kept_run, make_step, nothing, rows
from tests.projects import Project

pytestmark = pytest.mark.django_db


class Amount(BaseModel):
    amount: int


def steps(*words: str) -> str:
    """Run `manage.py motia_steps ...` and return what it prints."""
    out = io.StringIO()
    call_command("motia_steps", *words, stdout=out)
    return out.getvalue()


class Passes:
    """Middleware, as a static method."""

    @staticmethod
    def through(request: Any, ctx: Any, next: Any) -> Any:
        return next()


def test_without_a_subcommand_the_steps_are_listed() -> None:
    assert steps() == steps("list")
    assert "CreateTodo           http POST /todos" in steps()


def test_a_program_gives_options_as_keywords() -> None:
    out = io.StringIO()
    runs = [kept_run(step="ProcessTodo", source=each, status=Status.DEAD) for each in "abcd"]
    give = partial(call_command, "motia_steps", stdout=out)
    give("discard", step="ProcessTodo", topic="a", yes=True)
    give("discard", ids=[runs[1].id, str(runs[2].id)], reason="seen")
    assert [each.status for each in rows()] == [*["cancelled"] * 3, "dead"]
    give("runs", status="dead", format="json")
    assert str(runs[3].id) in out.getvalue()
    for keywords in ({"status": "nonsense"}, {"step": "Nix"}):
        with pytest.raises(CommandError):
            give("rerun", yes=True, **keywords)


def test_no_argument_that_is_required_has_the_name_of_an_option() -> None:
    """Else `call_command` takes the option for it, and fails by an error of its own."""
    parser = Command().create_parser("", "motia_steps")
    [words] = [each for each in parser._actions if each.dest == "subcommand"]
    subcommands: Any = words.choices
    actions = [each for inner in subcommands.values() for each in inner._actions]
    options = {each.dest for each in actions if each.option_strings}
    required = {each.dest for each in actions if each.required and not each.option_strings}
    assert "step" in options
    assert "step_name" in required
    assert required & options == set()


def test_a_list_can_be_narrowed_to_a_flow_and_read_by_machines() -> None:
    listed = json.loads(steps("list", "--flow", "todos", "--format", "json"))
    assert [each["name"] for each in listed] == ["CreateTodo", "ListTodos", "ProcessTodo"]
    assert listed[2]["triggers"][0]["source"] == "todo.created"
    assert listed[2]["task"] == "motia.ProcessTodo"


def test_a_step_is_shown_with_its_schemas_and_next_time() -> None:
    shown = steps("show", "CreateTodo")
    assert "trigger      http POST /todos" in shown
    assert "minLength" in shown
    assert "responses" in shown
    assert "next: 20" in steps("show", "RemindUsers")


def test_the_next_time_of_a_schedule_is_told_in_its_own_zone() -> None:
    trigger = {"type": "cron", "schedule": "0 3 * * *", "timezone": "America/New_York"}
    with installed(make_step(lambda: None, trigger)):
        shown = steps("show", "Work")
    assert re.search(r"next: \d{4}-\d\d-\d\d 03:00:00 America/New_York", shown)


def test_what_people_should_read_and_look_for_is_shown() -> None:
    trigger = {"type": "queue", "topic": "work", "condition": lambda data: True}
    step = make_step(lambda: None, trigger, docs="https://wiki.example/work", index=["orderId"])
    with installed(step):
        shown = steps("show", "Work")
    assert "docs         https://wiki.example/work" in shown
    assert "index        orderId" in shown
    assert "conditional: True" in shown


def test_what_follows_from_a_death_is_shown() -> None:
    with installed(make_step(lambda input: None, onDead="payment.died")):
        assert "onDead       payment.died" in steps("show", "Work")
        assert json.loads(steps("list", "--format", "json"))[0]["onDead"] == "payment.died"
    assert "onDead" not in steps("show", "CreateTodo")


def test_what_is_undone_together_and_what_is_kept_are_shown() -> None:
    with installed(make_step(lambda input: None, atomic=True, record="failures")):
        shown = steps("show", "Work")
        [listed] = json.loads(steps("list", "--format", "json"))
    assert "atomic       True" in shown
    assert "record       failures" in shown
    assert (listed["atomic"], listed["record"]) == (True, "failures")
    shown = steps("show", "CreateTodo")
    assert "atomic" not in shown
    assert "record" not in shown


def test_what_is_asked_of_a_request_is_shown() -> None:
    trigger = {
        "type": "http",
        "path": "/x",
        "querySchema": dict[str, int],
        "permissions": ["rest_framework.permissions.IsAdminUser"],
        "middleware": [Passes.through],
        "etag": True,
    }
    with installed(make_step(lambda input: None, trigger)):
        shown = steps("show", "Work")
    assert "permissions: ['IsAdminUser']" in shown
    assert "middleware: ['Passes.through']" in shown
    assert "etag: True" in shown
    assert "query: {'additionalProperties': {'type': 'integer'}" in shown


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("show", "CreatTodo"), "CreateTodo"),
        (("run", "CreatTodo"), "CreateTodo"),
        (("runs", "--step", "CreatTodo"), "CreateTodo"),
        (("dead", "--step", "CreatTodo"), "CreateTodo"),
        (("dead", "--groups", "--step", "CreatTodo"), "CreateTodo"),
        (("list", "--flow", "todo"), "todos"),
        (("dead", "--topic", "todo.creatd"), "todo.created"),
    ],
)
def test_what_is_unknown_is_no_empty_list_but_names_the_nearest(
    words: tuple[str, ...], meant: str
) -> None:
    with pytest.raises(CommandError, match=rf"Did you mean '{meant}'\?") as error:
        steps(*words)
    assert error.value.returncode == 2


@pytest.mark.parametrize("word", ["runs", "dead"])
def test_the_name_of_no_index_key_is_unknown_too(word: str) -> None:
    with installed(make_step(index=["orderId"])):
        assert steps(word, "--key", "orderId=1").startswith("No run ")
        with pytest.raises(CommandError, match=r"Did you mean 'orderId'\?") as error:
            steps(word, "--key", "orderid=1")
    assert error.value.returncode == 2


def test_the_name_of_a_key_that_a_handler_gave_is_known() -> None:
    models.RunKey.objects.create(run_id=kept_run().id, name="invoiceId", value="17")
    with installed(make_step(index=["orderId"])):
        told = steps("runs", "--key", "invoiceId=18")
        assert told.endswith("The index keys of the Steps: invoiceId, orderId.\n")
        with pytest.raises(CommandError, match=r"Did you mean 'invoiceId'\?"):
            steps("runs", "--key", "invoiceid=18")


@pytest.mark.parametrize("words", [("runs",), ("dead",), ("trace", "orderId=17")])
def test_runs_are_told_to_machines_with_their_keys(words: tuple[str, ...]) -> None:
    run = kept_run(status=Status.DEAD)
    for name, value in (("orderId", "17"), ("orderId", "18"), ("shop", "A")):
        models.RunKey.objects.create(run_id=run.id, name=name, value=value)
    [told] = json.loads(steps(*words, "--format", "json"))
    assert told["keys"] == ["orderId=17", "orderId=18", "shop=A"]


def test_a_trace_tells_what_the_input_of_a_redriven_run_was() -> None:
    with installed(make_step()):
        run = kept_run(status=Status.DEAD, input={"id": 1, "password": "p-1"})
        steps("redrive", str(run.id), "--input", '{"id": 2}', "--reason", "mended")
    told = steps("trace", str(run.id))
    assert f'its input edited (it was {{"id":1,"password":"{MASK}"}}): mended' in told


def test_what_is_gone_is_still_found_by_its_runs() -> None:
    run = kept_run(step="Gone", source="gone.topic", status=Status.DEAD)
    models.RunKey.objects.create(run_id=run.id, name="goneId", value="17")
    for words in (
        ("runs", "--step", "Gone"),
        ("dead", "--topic", "gone.topic"),
        ("runs", "--key", "goneId=17"),
    ):
        assert "Gone" in steps(*words)


def test_run_prints_what_the_handler_returns() -> None:
    with installed(make_step(lambda input: {"doubled": input.amount * 2}, AMOUNTS)):
        printed = json.loads(steps("run", "Work", "--input", '{"amount": 4}'))
    assert printed == {"doubled": 8}
    assert rows()[0].trigger == "invoke"


AMOUNTS = {"type": "queue", "topic": "work", "input": Amount}


@pytest.mark.parametrize(
    ("given", "says", "code"),
    [
        ('{"amount": "x"}', "The input of Step 'Work' is invalid: amount:", 2),
        ("{amount", "--input: expected JSON", 2),
    ],
)
def test_run_says_what_is_wrong_with_the_input(given: str, says: str, code: int) -> None:
    with installed(make_step(lambda input: None, AMOUNTS)):
        with pytest.raises(CommandError) as error:
            steps("run", "Work", "--input", given)
    assert says in str(error.value)
    assert error.value.returncode == code
    assert not rows()


def test_run_refuses_what_is_no_change_of_state() -> None:
    with installed(make_step(nothing, {"type": "state"})):
        with pytest.raises(CommandError, match="expected eventType, groupId") as error:
            steps("run", "Work", "--input", "{}")
    assert error.value.returncode == 2
    assert not rows()


def test_run_tells_an_answer_that_was_raised_from_a_failure() -> None:
    def handler(request: Any) -> None:
        raise Http404("no such order")

    with installed(make_step(handler, {"type": "http", "path": "/orders"})):
        with pytest.raises(CommandError, match="Step 'Work' answered 404: Http404: no such order"):
            steps("run", "Work")
    [run] = rows()
    assert (run.status, run.output) == ("succeeded", {"status": 404})


def test_run_says_what_the_handler_raised() -> None:
    with installed(make_step(lambda: 1 / 0)), pytest.raises(CommandError) as error:
        steps("run", "Work")
    assert str(error.value) == "Step 'Work' failed: ZeroDivisionError: division by zero"


def test_enqueue_prints_the_ids_of_the_runs() -> None:
    with installed(make_step(name="A"), make_step(name="B")):
        printed = steps("enqueue", "work", "--data", '{"n": 1}').split()
    assert printed == [str(run.id) for run in rows()]
    assert {run.status for run in rows()} == {"queued"}


def test_enqueue_sends_nothing_that_a_listener_would_refuse() -> None:
    with installed(make_step(name="A"), make_step(nothing, AMOUNTS, name="B")):
        with pytest.raises(
            CommandError, match=r"is invalid: B: amount: Field required\. Not"
        ) as no:
            steps("enqueue", "work", "--data", "{}")
        assert no.value.returncode == 2
        assert not rows()
        assert len(steps("enqueue", "work", "--data", "{}", "--anyway").split()) == 2


def test_masks_that_were_copied_start_nothing() -> None:
    masked = '{"to": [{"token": "********"}]}'
    with installed(make_step()):
        for words in (("enqueue", "work", masked), ("run", "Work", "--input", masked)):
            with pytest.raises(CommandError, match=r"to\.0\.token: \*{8} stands") as error:
                steps(*words)
            assert error.value.returncode == 2
        assert not models.Run.objects.exists()
        assert len(steps("enqueue", "work", masked, "--anyway").split()) == 1


def test_enqueue_can_wait() -> None:
    with installed(make_step()):
        steps("enqueue", "work", "--delay", "60")
    assert rows()[0].status == "scheduled"


def test_enqueue_has_a_group_and_a_key() -> None:
    fifo = {"type": "queue", "topic": "work", "config": {"type": "fifo"}}
    with installed(make_step(nothing, fifo)):
        words = ("enqueue", "work", "--group", "größe 17", "--dedupe-key", "once")
        assert steps(*words) == steps(*words)
        [listed] = json.loads(steps("runs", "--format", "json"))
    assert listed["messageGroup"] == "größe 17"
    for option, value, told in (("--group", "", "messageGroupId"), ("--delay", "-3", "got -3.0")):
        with installed(make_step()), pytest.raises(CommandError, match=told) as error:
            steps("enqueue", "work", option, value)
        assert error.value.returncode == 2


def test_what_a_trigger_says_of_its_runs_is_shown() -> None:
    said = {
        "type": "fifo",
        "maxRetries": 5,
        "backoffDelayMs": 500,
        "concurrency": {"limit": 2, "key": "customer.id"},
        "visibilityTimeout": 40,
    }
    trigger = {"type": "queue", "topic": "work", "config": said}
    with installed(make_step(nothing, trigger), make_step(name="Plain")):
        [shown] = json.loads(steps("show", "Work", "--format", "json"))["triggers"]
        [plain] = json.loads(steps("show", "Plain", "--format", "json"))["triggers"]
        assert "'key': 'customer.id'" in steps("show", "Work")
    assert shown["config"] == said
    assert "config" not in plain


def test_a_later_attempt_that_goes_on_has_taken_no_negative_time() -> None:
    now = timezone.now()
    run = kept_run(status=Status.RUNNING)
    models.Run.objects.filter(id=run.id).update(
        attempt=2, started_at=now, finished_at=now - timedelta(seconds=10)
    )
    with installed(make_step()):
        assert re.search(r"  \d+\.\d{3} s so far", steps("runs"))
        assert re.search(r"running for \d+\.\d{3} s", steps("trace", str(run.id)))


def test_a_run_that_was_cancelled_later_took_no_time_until_then() -> None:
    now = timezone.now()
    run = kept_run(status=Status.CANCELLED)
    models.Run.objects.filter(id=run.id).update(
        attempt=1, started_at=now - timedelta(hours=2), finished_at=now, error="ValueError: no"
    )
    with installed(make_step()):
        assert "7200" not in steps("runs")
        assert "took" not in steps("trace", str(run.id))


def test_runs_of_several_statuses_are_asked_for_as_in_the_admin() -> None:
    for status in ("scheduled", "queued", "dead"):
        kept_run(status=Status(status))
    with installed(make_step()):
        listed = json.loads(steps("runs", "--status", "scheduled, queued", "--format", "json"))
        with pytest.raises(CommandError, match="expected some of scheduled, queued, .*got 'late'"):
            steps("runs", "--status", "dead,late")
    assert sorted(each["status"] for each in listed) == ["queued", "scheduled"]


def test_enqueue_to_nobody_fails(caplog: pytest.LogCaptureFixture) -> None:
    with (
        installed(make_step()),
        pytest.raises(CommandError, match="Nobody listens on the topic") as error,
    ):
        steps("enqueue", "wrok")
    assert str(error.value).endswith("nothing was sent. Did you mean 'work'?")
    assert caplog.records == []


def test_runs_are_listed_newest_first_and_filtered() -> None:
    with installed(make_step(lambda: 1 / 0, name="Fails"), make_step(name="Works")):
        deliver(enqueue("work", {"password": "p"}))
        listed = json.loads(steps("runs", "--format", "json"))
        failed = json.loads(steps("runs", "--status", "scheduled", "--format", "json"))
        table = steps("runs", "--step", "Fails")
    assert [each["step"] for each in listed] == ["Works", "Fails"]
    assert [each["step"] for each in failed] == ["Fails"]
    assert failed[0]["input"] == {"password": "********"}
    assert "ZeroDivisionError: division by zero" in table
    assert "Works" not in table


def test_what_a_request_was_answered_with_stands_beside_its_status() -> None:
    kept_run(trigger="http", status=Status.SUCCEEDED)
    run = kept_run(trigger="http", status=Status.SUCCEEDED)
    models.Run.objects.filter(id=run.id).update(output={"status": 409, "body": "sold"})
    assert "succeeded 409  http work" in steps("trace", str(run.id))
    assert re.findall(r"succeeded( \d+)? ", steps("runs")) == [" 409", ""]


@pytest.mark.parametrize(
    "option", ["-v=2", "--verbosity=0", "--settings=tests.settings", "--traceback", "--no-color"]
)
def test_djangos_own_options_may_stand_behind_the_subcommand(option: str) -> None:
    assert "19 Steps, no errors" in steps("check", option)


def test_check_is_content_with_the_sample_project() -> None:
    assert "19 Steps, no errors" in steps("check")


def test_check_lists_every_problem_and_fails(project: Project) -> None:
    project.step("bad_step.py", 'config = {"nam": "X", "triggers": []}\n')
    with registry_installed(discover()):
        out = io.StringIO()
        with pytest.raises(CommandError, match="4 errors"):
            call_command("motia_steps", "check", "--format", "json", stdout=out)
        found = json.loads(out.getvalue())
        with pytest.raises(CommandError, match="4 errors"):
            call_command("motia_steps", "check", stdout=(told := io.StringIO()))
    assert "\n\tHINT: Did you mean 'name'?" in told.getvalue()
    assert {each["id"] for each in found} >= {
        "motia.E004",
        "motia.E005",
        "motia.E006",
        "motia.E007",
    }
    assert all("bad_step.py:1" in each["where"] for each in found if each["level"] == "error")


def test_other_subcommands_stop_on_problems(project: Project) -> None:
    project.step("bad_step.py", "config = 7\n")
    with registry_installed(discover()), pytest.raises(CommandError, match=r"motia\.E003"):
        steps("list")


def test_new_asks_which_app_when_there_are_several() -> None:
    with pytest.raises(CommandError, match="Say which app it goes into with --app: .*todo"):
        steps("new", "MakeThing")


def test_new_refuses_a_name_that_is_taken_or_is_none() -> None:
    with pytest.raises(CommandError, match="already"):
        steps("new", "CreateTodo", "--app", "todo")
    with pytest.raises(CommandError, match="expected a name such as"):
        steps("new", "::", "--app", "todo")


def test_an_empty_project_is_told_how_to_begin() -> None:
    with registry_installed(Registry()):
        assert "There is no Step in any installed app" in steps("check")
