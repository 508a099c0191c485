"""What every subcommand shares: lines that no data can forge, usage, times, warnings."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.management import call_command
from django.test import override_settings

import motia_django.commands
from motia_django import batches, ledger, models
from motia_django.ledger.selections import Selection
from motia_django.management.commands.motia_steps import Command
from motia_django.runs import Status
from motia_django.stores.face import state
from tests.commands.conftest import Fails, Steps
from tests.factories import installed, kept_run, make_step

pytestmark = pytest.mark.django_db

EVIL = "x\n[FAKE] line \x1b[31m\x9b\u202e\u2028."
SHOWN = r"x\n[FAKE] line \x1b[31m\x9b\u202e\u2028."


@pytest.fixture
def evil_run() -> Iterator[str]:
    """The id of a dead run all of whose texts are somebody's who means no good."""
    with installed(make_step()):
        run = kept_run(step=EVIL, source=EVIL, status=Status.DEAD, attempt=1)
        error = f"Traceback (most recent call last):\n  here\nValueError: {EVIL}"
        timeline = [
            {"at": 0.1, "kind": "log", "level": "info", "message": EVIL, "attempt": 1},
            {"at": 0.2, "kind": "error", "message": EVIL, "traceback": error, "attempt": 1},
        ]
        models.Run.objects.filter(id=run.id).update(error=error, timeline=timeline)
        models.RunKey.objects.create(run_id=run.id, name="customer", value=EVIL)
        yield str(run.id)


def lines_of(printed: str) -> list[str]:
    """Return the lines of what was printed, none of which is steered or forged by data."""
    assert not set("\x1b\x9b\u202e\u2028") & set(printed)
    lines = printed.split("\n")
    assert not any(line.startswith("[FAKE]") for line in lines)
    return lines


@pytest.mark.parametrize("words", [("dead",), ("runs",), ("dead", "--groups")])
def test_no_data_forges_a_row_of_a_table(evil_run: str, steps: Steps, words: tuple[str]) -> None:
    models.Run.objects.update(fingerprint="a" * 16)
    _head, row, *rest = lines_of(steps(*words))
    assert SHOWN in row
    assert len([line for line in rest if line]) <= 1  # how to give them to another Step


def test_no_data_steers_the_terminal_that_json_is_shown_on(evil_run: str, steps: Steps) -> None:
    printed = steps("runs", "--format", "json")
    lines_of(printed)
    assert json.loads(printed)[0]["step"] == EVIL


def test_no_data_forges_a_line_of_a_trace_but_a_traceback_keeps_its_lines(
    evil_run: str, steps: Steps
) -> None:
    assert f"info: {SHOWN}" in steps("trace", evil_run)
    lines = [line.strip() for line in steps("trace", evil_run, "--traceback").split("\n")]
    at = lines.index("Traceback (most recent call last):")
    assert lines[at + 1 : at + 4] == ["here", "ValueError: x", SHOWN.partition(r"\n")[2]]


def test_no_data_forges_a_line_of_what_else_is_shown(steps: Steps) -> None:
    with installed(make_step(description=EVIL)):
        ledger.pause("Work", by=EVIL, reason=EVIL)
        state.set("g", "k", EVIL)
        batches.begin("redrive", Selection(wanted={}), by=EVIL, reason=EVIL)
        for words in (("show", "Work"), ("list",), ("batches",), ("state", "list", "g")):
            lines_of(steps(*words))
        assert SHOWN in steps("show", "Work")


def test_json_holds_what_there_is(evil_run: str, steps: Steps) -> None:
    [run] = json.loads(steps("dead", "--format", "json"))
    assert run["step"] == EVIL
    [run] = json.loads(steps("trace", evil_run, "--format", "json"))
    assert run["timeline"][0]["message"] == EVIL


@pytest.mark.parametrize(
    "words",
    [("trace", EVIL), ("runs", "--step", EVIL), ("state", "get", "g", EVIL), ("list", EVIL)],
)
def test_no_data_forges_a_line_of_an_error(fails: Fails, words: tuple[str, ...]) -> None:
    _, error, _ = fails(*words)
    assert len(lines_of(error)) == 1
    assert "[FAKE]" in error


def test_only_what_is_text_for_other_programs_is_written_past_this() -> None:
    folder = Path(motia_django.commands.__file__).parent
    writing = {each.stem for each in folder.glob("*.py") if "out.write(" in each.read_text("utf-8")}
    assert writing == {"base", "dev", "embedded_redis", "graph", "openapi", "startproject"}


def test_a_slip_is_told_with_the_usage_of_its_subcommand(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words, usage in (
        (["runs", "--limt", "1"], "runs"),
        (["state", "get", "g", "k", "x"], "get"),
    ):
        with pytest.raises(SystemExit) as end:
            Command().run_from_argv(["manage.py", "motia_steps", *words])
        said = capsys.readouterr().err
        assert end.value.code == 2
        assert said.startswith("usage: ") and f" {usage} [-h]" in said.partition("\n")[0]
        assert "unrecognized arguments: " in said


def test_a_message_may_stand_behind_its_topic(steps: Steps, fails: Fails) -> None:
    with installed(make_step()):
        steps("enqueue", "work", '{"id":1}')
        call_command("motia_steps", "enqueue", "work", data='{"id":2}', stdout=io.StringIO())
        steps("enqueue", "work")
        inputs: list[Any] = list(models.Run.objects.order_by("id").values_list("input", flat=True))
        assert inputs == [{"id": 1}, {"id": 2}, None]
        _, error, code = fails("enqueue", "work", "1", "--data", "2")
        assert (error, code) == ("Give the message once: behind the topic, or as --data", 2)
        assert fails("enqueue", "work", "{id:1}")[1].startswith("message: expected JSON")


@override_settings(TIME_ZONE="America/Chicago")
def test_times_are_of_one_zone_which_is_told_once(steps: Steps) -> None:
    with installed(make_step()):
        run = kept_run(status=Status.DEAD)
        born = "2026-11-29T19:42:00+00:00"
        note = {"at": None, "kind": "redriven", "by": "ada", "time": born}
        attempt = {"at": 1.0, "kind": "attempt", "attempt": 1, "began": born, "error": "no"}
        models.Run.objects.update(created_at=born, finished_at=born, timeline=[attempt, note])
        for words in (("runs",), ("dead",)):
            head, row = steps(*words).splitlines()
            assert head.count("(America/Chicago)") == 1
            assert "  2026-11-29 13:42:00  " in row
        head, *told = steps("trace", str(run.id)).splitlines()
        assert head.endswith("  1 run  times in America/Chicago")
        assert [line.strip() for line in told if "2026" in line] == [
            "attempt 1  2026-11-29 13:42:00  failed after 1.000 s: no",
            "redriven by ada at 2026-11-29 13:42:00",
        ]


def test_warnings_are_told_by_dev_alone_and_errors_stop_all_but_who_only_looks(
    steps: Steps, fails: Fails, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[checks.CheckMessage] = [checks.Warning("the queue has no worker", id="motia.W001")]
    monkeypatch.setattr(checks, "run_checks", lambda **kwargs: found)
    steps("list")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("motia_django.commands.dev.Dev.run", lambda self, options: None)
    steps("dev")
    assert "the queue has no worker" in capsys.readouterr().err
    found.append(checks.Error("no table", id="motia.E001"))
    for word in ("list", "dev"):
        _, error, code = fails(word)
        assert "no table" in error and "\n" in error and code == 1
    run = kept_run(status=Status.DEAD)
    for words in (["runs"], ["dead"], ["trace", str(run.id)]):
        assert run.step in steps(*words)
