"""The overview: six numbers, what fails, the last hour, and how each part is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django import dispatch, ledger, models
from motia_django.beat import operators
from motia_django.ledger import errors, pulse
from motia_django.runs import lowest_id_at
from motia_django.standings import late_schedules
from motia_django.tasks import TICK
from tests.admin.conftest import MakeRun
from tests.factories import installed, make_step, nothing

PAGE = "/admin/motia/overview/"
MARK = "f" * 16
HOURLY = {"type": "cron", "schedule": "0 * * * *"}
_numbers = count()
NOON = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


def numbers(client: Client) -> dict[str, tuple[str, bool]]:
    """Return each number and whether it is shown as bad."""
    context = client.get(PAGE).context
    return {each.name: (each.value, each.is_bad) for each in context["numbers"]}


def test_all_is_well_where_nothing_is_wrong(admin_client: Client, make_run: MakeRun) -> None:
    make_run()
    found = numbers(admin_client)
    assert found == {
        "failing Steps": ("0", False),
        "dead letters": ("0", False),
        "longest wait for a worker": ("–", False),
        "runs late to be sent": ("0", False),
        "silent workers": ("0", False),
        "late schedules": ("0", False),
    }


def test_each_number_tells_of_what_is_wrong_and_leads_there(
    admin_client: Client, make_run: MakeRun
) -> None:
    now = timezone.now()
    make_run(step="Pay", status="dead", fingerprint=MARK)
    make_run(step="Pay", status="scheduled", attempt=2, wake_at=now + timedelta(hours=1))
    make_run(step="Mail", status="scheduled", attempt=0, wake_at=now - timedelta(minutes=1))
    old = make_run(step="Mail", status="queued", wake_at=now + timedelta(hours=1),
                   created_at=now - timedelta(hours=3))  # fmt: skip
    models.Worker.objects.create(name="w@dead", seen_at=now - timedelta(minutes=1))
    models.Worker.objects.create(name="w@alive", seen_at=now)
    with installed(make_step(print, HOURLY, name="Report")):
        make_run(step="Report", trigger="cron", created_at=now - timedelta(hours=5))
        page = admin_client.get(PAGE)
    found = {each.name: (each.value, each.is_bad) for each in page.context["numbers"]}
    assert found == {
        "failing Steps": ("1", True),
        "dead letters": ("1", True),
        "longest wait for a worker": ("3 h 0 min", True),
        "runs late to be sent": ("1", True),
        "silent workers": ("1", True),
        "late schedules": ("1", True),
    }
    html = page.content.decode()
    for part in (
        "w@dead",
        "w@alive",
        "Report (0 * * * *)",
        str(old.id),
        "?status=dead%2Cscheduled&amp;step=Pay",
    ):
        assert part in html
    [failing] = page.context["failing"]
    assert (failing.step, failing.failures) == ("Pay", 2)
    with installed(make_step(name="Pay")):
        assert admin_client.get(failing.runs_url).context["cl"].result_count == 2


def findings(client: Client) -> list[str]:
    """Return the sentences on top."""
    return [each.text for each in client.get(PAGE).context["findings"]]


@pytest.fixture
def _well(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    """A worker and a broker that are there."""
    monkeypatch.setattr("motia_django.admin.parts._reach", lambda: None)
    models.Worker.objects.create(name="w@alive", seen_at=timezone.now())


@pytest.mark.usefixtures("_well")
def test_the_first_line_says_that_all_is_well(admin_client: Client, make_run: MakeRun) -> None:
    make_run()
    assert findings(admin_client) == []
    assert "All is well." in admin_client.get(PAGE).content.decode()


def test_the_apps_index_leads_to_it_first(
    admin_client: Client, client_of: Callable[..., Client]
) -> None:
    link = f'href="{PAGE}">Overview: is anything wrong?</a>'
    page = admin_client.get("/admin/motia/").content.decode().partition('id="content-start"')[2]
    assert 0 < page.index(link) < page.index("/admin/motia/run/")
    assert link not in client_of("view_run").get("/admin/motia/").content.decode()


@pytest.mark.usefixtures("_well")
def test_runs_whose_step_is_gone_wait_for_no_worker(
    admin_client: Client, make_run: MakeRun
) -> None:
    ago = timezone.now() - timedelta(hours=3)
    for _ in range(2):
        make_run(step="Label", trigger="queue", source="label", status="queued", created_at=ago,
                 wake_at=timezone.now())  # fmt: skip
    [finding] = admin_client.get(PAGE).context["findings"]
    assert finding.text == (
        "2 runs wait for Steps that this process does not know, gone or newer than the process:"
        " Label (2×). If they are gone, redrive the runs to another Step, or cancel them."
    )
    assert admin_client.get(finding.url).context["cl"].result_count == 2


@pytest.mark.usefixtures("_well")
def test_runs_whose_trigger_is_gone_are_told_of(admin_client: Client, make_run: MakeRun) -> None:
    for source in ("old", "old", "pay"):
        make_run(step="Pay", trigger="queue", source=source, status="scheduled", attempt=0)
    with installed(make_step(print, {"type": "queue", "topic": "pay"}, name="Pay")):
        [finding] = admin_client.get(PAGE).context["findings"]
    assert finding.text == (
        "2 runs of Pay wait for its queue trigger old, which this process does not know: it is"
        " gone, or newer than the process. If it is gone, redrive the runs to the Step that takes"
        " them now, or cancel them."
    )
    assert admin_client.get(finding.url).context["cl"].result_count == 3


@pytest.mark.usefixtures("_well")
def test_the_first_lines_say_what_is_wrong_and_lead_there(
    admin_client: Client, make_run: MakeRun
) -> None:
    now = timezone.now()
    for name in ("Pay", "Pay", "Mail", "Print", "Post"):
        make_run(step=name, status="dead", fingerprint=MARK, trigger="queue")
    old = make_run(step="Mail", status="queued", created_at=now - timedelta(hours=3),
                   wake_at=now + timedelta(hours=1))  # fmt: skip
    page = admin_client.get(PAGE)
    assert [each.text for each in page.context["findings"]] == [
        "4 Steps failed in the last hour: Pay (2×), Mail (1×), Post (1×) and 1 more.",
        "A run of Mail has waited for a worker for 3 h 0 min.",
        "5 runs are dead: redrive them, or discard them.",
    ]
    html = page.content.decode()
    for address in ("#failing", f"/admin/motia/run/{old.id}/change/", "/run/?status=dead"):
        assert f'href="{address}' in html or address in html
    assert "All is well." not in html


@pytest.mark.usefixtures("_well")
@pytest.mark.parametrize("deed", ["redrive", "retry"])
def test_a_run_that_an_operator_queued_just_now_has_not_waited_since_its_birth(
    admin_client: Client, make_run: MakeRun, deed: str
) -> None:
    ago = timezone.now() - timedelta(hours=8)
    status = "dead" if deed == "redrive" else "scheduled"
    later = None if deed == "redrive" else timezone.now() + timedelta(hours=1)
    with installed(make_step(name="Pay")):
        row = make_run(step="Pay", trigger="queue", source="work", status=status, fence=1,
                       created_at=ago, finished_at=ago, wake_at=later)  # fmt: skip
        admin_client.post(f"/admin/motia/run/{row.pk}/{deed}/", {"reason": ""})
    row.refresh_from_db()
    assert row.status == "queued"
    with installed(make_step(name="Pay")):
        assert findings(admin_client) == []
        value, is_bad = numbers(admin_client)["longest wait for a worker"]
    assert not is_bad
    assert value.endswith(" ms") or value.endswith(" s")


def test_a_run_that_was_published_again_and_again_has_waited_since_the_first_time(
    make_run: MakeRun,
) -> None:
    now = timezone.now()
    waits = sum((ledger.patience(times) for times in range(3)), timedelta())
    row = make_run(status="queued", fence=2, publishes=3, created_at=now - timedelta(days=1),
                   wake_at=now)  # fmt: skip
    assert pulse.longest_queued().for_worker == (row, now - waits)


@pytest.mark.usefixtures("_well")
@pytest.mark.parametrize("config", [{"type": "fifo"}, {"concurrency": 1}], ids=["fifo", "limit"])
def test_what_waits_its_turn_is_no_worry_and_told_apart_from_what_waits_for_a_worker(
    admin_client: Client, config: dict[str, Any], django_capture_on_commit_callbacks: Any
) -> None:
    trigger = {"type": "queue", "topic": "work", "config": config}
    with installed(make_step(nothing, trigger)), django_capture_on_commit_callbacks(execute=True):
        first, second, _third = dispatch.enqueue([{"topic": "work", "data": n} for n in range(3)])
    later = timezone.now() + timedelta(minutes=1)
    models.Run.objects.update(created_at=timezone.now() - timedelta(hours=3))
    models.Run.objects.exclude(id=first).update(publishes=5, wake_at=later)
    waits = pulse.longest_queued()
    assert waits.for_worker is not None and str(waits.for_worker[0].id) == first
    assert waits.for_turn is not None and str(waits.for_turn[0].id) == second
    with installed(make_step(nothing, trigger)):
        found = numbers(admin_client)
        assert not found["longest wait for a worker"][1]
        value, is_bad = found["longest wait for a turn"]
        assert "min" in value and not is_bad
        assert findings(admin_client) == []


@pytest.mark.usefixtures("_well")
def test_a_run_of_a_group_that_nobody_holds_up_and_no_worker_takes_is_a_worry(
    admin_client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    trigger = {"type": "queue", "topic": "work", "config": {"type": "fifo"}}
    with installed(make_step(nothing, trigger)), django_capture_on_commit_callbacks(execute=True):
        dispatch.enqueue("work")
    ago = timedelta(minutes=5)
    models.Run.objects.update(created_at=F("created_at") - ago, wake_at=F("wake_at") - ago)
    with installed(make_step(nothing, trigger)):
        told = findings(admin_client)[-1]
        value, is_bad = numbers(admin_client)["longest wait for a worker"]
    assert told.startswith("A run of Work has waited for a worker for 5 min")
    assert value.startswith("5 min") and is_bad


@pytest.mark.usefixtures("_well")
def test_a_queue_that_no_worker_consumes_is_a_finding(admin_client: Client) -> None:
    trigger = {"type": "queue", "topic": "work", "config": {"queue": "hooks"}}
    with installed(*(make_step(nothing, trigger, name=name) for name in "ABCDE")):
        ledger.workers().update(queues=["shop"])
        told = "No worker consumes the queue hooks, which runs of A, B, C and 2 more go to."
        assert findings(admin_client) == [told]
        ledger.workers().update(queues=None)
        assert findings(admin_client) == []


def hold_up(make_run: MakeRun, step: str) -> None:
    """Pause a Step that a run has waited for since an hour ago."""
    models.Pause.objects.create(step=step)
    now, hour = timezone.now(), timedelta(hours=1)
    make_run(step=step, trigger="queue", source="work", status="queued",
             created_at=now - hour, wake_at=now + hour)  # fmt: skip


@pytest.mark.usefixtures("_well")
def test_what_waits_since_its_step_is_paused_is_no_worry_but_the_pause_is_told_of(
    admin_client: Client, make_run: MakeRun
) -> None:
    hold_up(make_run, "Mail")
    with installed(make_step(name="Mail")):
        assert findings(admin_client) == ["1 Step is paused: Mail."]
        assert numbers(admin_client)["longest wait for a worker"] == ("–", False)


@pytest.mark.usefixtures("_well")
def test_what_waits_for_a_step_that_is_gone_is_told_of_though_that_is_paused_too(
    admin_client: Client, make_run: MakeRun
) -> None:
    hold_up(make_run, "Dispatch")
    gone, paused = findings(admin_client)
    assert gone.startswith("1 run waits for a Step that this process does not know")
    assert paused == "1 Step is paused: Dispatch."
    assert numbers(admin_client)["longest wait for a worker"] == ("–", False)


@pytest.mark.django_db
def test_without_a_worker_the_first_line_says_so(admin_client: Client) -> None:
    assert any("nothing runs in the background" in each for each in findings(admin_client))


@pytest.mark.usefixtures("_well")
def test_it_names_the_errors_that_runs_died_of_last_and_leads_to_each(
    admin_client: Client, make_run: MakeRun
) -> None:
    for mark, error in (("a" * 16, "KeyError: 'old'"), ("b" * 16, "TimeoutError: no answer")):
        make_run(step="Pay", status="dead", fingerprint=mark, error=error)
    make_run(step="Pay", status="dead", fingerprint="b" * 16, error="TimeoutError: no answer")
    page = admin_client.get(PAGE)
    assert [(each.error, each.dead) for each in page.context["killers"]] == [
        ("TimeoutError: no answer", "2"),
        ("KeyError: 'old'", "1"),
    ]
    assert f'href="/admin/motia/deadletter/{"b" * 16}/change/"' in page.content.decode()
    assert "other error" not in page.content.decode()


def test_of_many_errors_it_names_the_last_and_the_worst_and_says_how_many_others_there_are(
    admin_client: Client,
    client_of: Callable[..., Client],
    make_run: MakeRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(9):
        for _ in range(5 if number in (0, 2) else 3 if number == 1 else 1):
            ago = timezone.now() - timedelta(hours=10 - number)
            mark, error = f"{number}" * 16, f"KeyError: {number}"
            make_run(status="dead", fingerprint=mark, error=error, finished_at=ago)
    page = admin_client.get(PAGE)
    named = [each.error[-1] for each in page.context["killers"]]
    assert named == ["8", "7", "6", "2", "1", "0"]
    others = '<a href="/admin/motia/deadletter/">and 3 other errors</a>'
    assert others in page.content.decode()
    monkeypatch.setattr(errors, "MOST_ERRORS", 8)
    assert "and more than 2 other errors" in admin_client.get(PAGE).content.decode()
    html = client_of("view_overview").get(PAGE).content.decode()
    assert "<p>and more than 2 other errors</p>" in html


@pytest.mark.usefixtures("_well")
def test_each_minute_leads_to_its_runs(admin_client: Client, make_run: MakeRun) -> None:
    born = timezone.now() - timedelta(minutes=5)
    make_run(id=_id_at(born), created_at=born, status="dead")
    runs, dead = admin_client.get(PAGE).context["charts"]
    [bar] = [each for each in runs.bars if each.url]
    assert f"from={born:%Y-%m-%dT%H}%3A{born:%M}" in bar.url
    [bar] = [each for each in dead.bars if each.url]
    assert "status=dead" in bar.url


def test_what_failed_long_ago_is_not_failing(admin_client: Client, make_run: MakeRun) -> None:
    long_ago = timezone.now() - timedelta(hours=2)
    make_run(status="dead", finished_at=long_ago)
    make_run(status="scheduled", attempt=3, finished_at=long_ago)
    assert numbers(admin_client)["failing Steps"] == ("0", False)
    assert numbers(admin_client)["dead letters"] == ("1", True)


def test_what_was_born_long_ago_and_died_again_just_now_is_failing(make_run: MakeRun) -> None:
    just_now = timezone.now() - timedelta(minutes=5)
    born = timezone.now() - timedelta(days=9)
    make_run(
        id=_id_at(born),
        created_at=born,
        status="dead",
        fingerprint=MARK,
        finished_at=just_now,
    )
    assert pulse.failing() == {"CreateTodo": 1}


def test_the_last_tick_of_a_schedule_is_the_newest(make_run: MakeRun) -> None:
    for index in (0, 0, 1):
        newest = make_run(step="Report", trigger="cron", index=index)
    make_run(step="Report", trigger="queue")
    found = pulse.last_ticks([("Report", 0), ("Report", 1), ("Report", 2)])
    last = models.Run.objects.filter(index=0, trigger="cron").order_by("-id")[0]
    assert found == {("Report", 0): last, ("Report", 1): newest}


@pytest.mark.usefixtures("_well")
@pytest.mark.parametrize(
    ("messages", "answered", "told"),
    [
        (1, 0, "1 run is dead: redrive it, or discard it."),
        (0, 1, "1 run is dead, and whoever called it was told: discard it."),
        (0, 2, "2 runs are dead, and whoever called them was told: discard them."),
        (
            2,
            4,
            "6 runs are dead: redrive or discard 2 of them; whoever called the other 4 was told, so"
            " these can only be discarded.",
        ),
    ],
)
def test_the_dead_that_cannot_be_redriven_are_told_apart(
    admin_client: Client, make_run: MakeRun, messages: int, answered: int, told: str
) -> None:
    kinds = [*["queue"] * messages, *["http", "invoke", "http", "http"][:answered]]
    long_ago = timezone.now() - timedelta(hours=2)
    for kind in kinds:
        make_run(step="Pay", status="dead", trigger=kind, finished_at=long_ago)
    assert findings(admin_client) == [told]


def test_each_failure_is_counted_once_and_only_for_whom_is_asked(make_run: MakeRun) -> None:
    later = timezone.now() + timedelta(hours=1)
    make_run(step="Pay", status="dead", fingerprint=MARK)
    make_run(step="Mail", status="scheduled", attempt=2, wake_at=later, fingerprint=MARK)
    make_run(step="Mail", status="scheduled", attempt=0, wake_at=later)
    make_run(step="Mail", status="queued", wake_at=timezone.now() - timedelta(minutes=1))
    make_run(step="Mail", status="queued", wake_at=timezone.now())
    assert pulse.failing() == {"Mail": 1, "Pay": 1}
    assert pulse.failing(["Pay"]) == {"Pay": 1}
    assert (pulse.dead(), pulse.dead(["Mail"])) == (1, 0)
    assert (pulse.late(), pulse.late(["Pay"])) == (1, 0)
    assert pulse.longest_queued(["Pay"]).for_worker is None
    assert [sum(each.runs for each in pulse.last_hour(among)) for among in (None, ["Pay"])] == [
        5,
        1,
    ]


def test_of_many_dead_of_very_many_errors_the_newest_are_looked_at(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "_MOST_SAMPLED", 2)
    for _ in range(4):
        make_run(status="dead", fingerprint=MARK)
    assert pulse.failing() == {"CreateTodo": 4}
    monkeypatch.setattr(pulse, "_MOST_ERRORS", 1)
    assert pulse.failing() == {"CreateTodo": 2}


def test_a_schedule_is_late_if_its_last_tick_did_not_come(make_run: MakeRun) -> None:
    with installed(make_step(print, HOURLY, name="Report")) as steps:
        [schedule] = steps.schedules
        assert late_schedules(NOON) == [], "it never ran, so it may be new"
        tick = make_run(step="Report", trigger="cron", created_at=NOON.replace(hour=11, minute=0))
        [late] = late_schedules(NOON)
        assert late.listener == schedule
        assert late_schedules(NOON.replace(minute=0, second=30)) == [], "it may still come"
        tick.created_at = NOON.replace(minute=0, second=2)
        tick.save()
        assert late_schedules(NOON) == []


@pytest.mark.usefixtures("_well")
def test_a_late_schedule_is_told_of_with_the_expression_that_counts(
    admin_client: Client, make_run: MakeRun
) -> None:
    now = timezone.now()
    with installed(make_step(print, HOURLY, name="Report")):
        ledger.retime(("Report", 0), expression="* * * * *", zone="", by="me", reason="")
        models.Override.objects.update(timed_at=now - timedelta(hours=4))
        make_run(step="Report", trigger="cron", created_at=now - timedelta(hours=5))
        html = admin_client.get(PAGE).content.decode()
    assert "Its last tick did not come: Report (* * * * *)." in html


def test_a_schedule_that_an_operator_paused_is_not_late(make_run: MakeRun) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        make_run(step="Report", trigger="cron", created_at=NOON - timedelta(hours=5))
        beat = pytest.importorskip("django_celery_beat.models")
        row = beat.PeriodicTask.objects.create(
            name="motia:Report:0",
            task=TICK,
            crontab=beat.CrontabSchedule.objects.create(),
            enabled=False,
        )
        assert late_schedules(NOON) == []
        row.enabled = True
        row.save()
        assert len(late_schedules(NOON)) == 1


@pytest.mark.usefixtures("_well")
def test_a_pause_that_a_release_has_ended_is_told_of(admin_client: Client) -> None:
    with installed(make_step(print, HOURLY, name="Report")):
        operators.pause(operators.schedule("Report", 0), by="ada")
        assert admin_client.get(PAGE).context["findings"] == []
    with installed(make_step(print, {**HOURLY, "schedule": "30 * * * *"}, name="Report")):
        [finding] = admin_client.get(PAGE).context["findings"]
    assert finding.text.startswith("What was said of 1 schedule no longer applies, since its")
    assert finding.text.endswith("Report (0 * * * *).")
    assert finding.url == "/admin/motia/schedule/"


def test_the_last_hour_is_counted_by_minutes(make_run: MakeRun) -> None:
    begins = timezone.now().replace(second=30, microsecond=0)
    for ago, status in ((0, "succeeded"), (0, "dead"), (5, "dead"), (61, "dead")):
        born = begins - timedelta(minutes=ago)
        make_run(id=_id_at(born), created_at=born, status=status)
    minutes = pulse.last_hour()
    assert len(minutes) == 60
    assert sum(each.runs for each in minutes) >= 2
    told = {each.begins: (each.runs, each.dead) for each in minutes if each.runs}
    assert told[begins.replace(second=0) - timedelta(minutes=5)] == (1, 1)
    assert max(told) - min(told) <= timedelta(minutes=6)


def test_where_there_were_very_many_only_the_last_minutes_are_told_of(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "_MOST_SAMPLED", 10)
    now = timezone.now()
    for number in range(12):
        born = now - timedelta(minutes=number)
        make_run(id=_id_at(born), created_at=born)
    assert len(pulse.last_hour()) in (8, 9)


def test_a_great_many_dead_are_not_counted_to_the_end(
    admin_client: Client, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "MOST", 3)
    for _ in range(5):
        make_run(status="dead")
    assert numbers(admin_client)["dead letters"] == ("3+", True)


def test_a_broker_that_is_away_is_told_of_and_not_waited_for(
    admin_client: Client, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise ConnectionRefusedError

    monkeypatch.setattr("motia_django.admin.parts._reach", away)
    with installed(make_step(print, HOURLY, name="Report")):
        make_run(step="Report", trigger="cron", created_at=timezone.now() - timedelta(hours=5))
        [broker, *_, beat] = admin_client.get(PAGE).context["parts"]
        assert broker.is_bad
        assert "ConnectionRefusedError" in broker.told
        assert beat.told.endswith("did not come: Report (0 * * * *).")
        monkeypatch.setattr("motia_django.admin.parts._reach", lambda: None)
        [*_, beat] = admin_client.get(PAGE).context["parts"]
        assert beat.told.endswith(" Is beat running?")


def test_it_asks_few_questions_and_only_of_who_may_look(
    client_of: Callable[..., Client], make_run: MakeRun
) -> None:
    for _ in range(30):
        make_run(status="dead")
    client = client_of("view_overview")
    client.get(PAGE)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        page = client.get(PAGE)
    assert page.status_code == 200
    assert len(asked) <= 20
    assert "?status=dead" not in page.content.decode(), "it leads nowhere he may not go"
    assert client.post(PAGE).status_code == 405


def test_without_the_permission_there_is_no_overview(client_of: Callable[..., Client]) -> None:
    assert client_of("view_run").get(PAGE).status_code == 403


def _id_at(moment: datetime) -> UUID:
    """Return a new id of a run that was born then."""
    return UUID(int=lowest_id_at(moment).int + next(_numbers))
