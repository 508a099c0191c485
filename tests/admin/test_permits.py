"""The project's hook: who may do what to which Step, on every page that shows Steps or runs."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Generator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pydantic import BaseModel

from motia_django import models
from motia_django.admin import permits
from motia_django.declarations import Problem
from motia_django.registry import Registry, registry
from motia_django.registry import installed as installed_registry
from motia_django.runs import new_run_id
from tests.admin.conftest import MakeRun
from tests.factories import installed, make_step, once

ClientOf = Callable[..., Client]
HOOK = {"MAY": f"{__name__}.only_shop_may_be_touched"}
EVERYTHING = (
    "view_run", "view_step", "view_flow", "view_schedule", "view_overview", "redrive_run",
    "discard_run", "cancel_run", "pause_step", "run_step",
)  # fmt: skip
TRACEBACK = "Traceback (most recent call last):\n  line of code\nE: no"
HOURLY = {"type": "cron", "schedule": "0 * * * *"}
QUEUE = {"type": "queue", "topic": "work"}


class Pay(BaseModel):
    salary: int


def only_shop_may_be_touched(
    user: User, permission: str, step: str, flows: tuple[str, ...]
) -> bool:
    """Show `shop` and `desk`, let only `shop` be touched, and hide the rest."""
    return "shop" in flows or ("desk" in flows and permission.startswith("motia.view_"))


def no_runs_of_desk(user: User, permission: str, step: str, flows: tuple[str, ...]) -> bool:
    """Show every Step, but not the runs of `desk`."""
    return permission != "motia.view_run" or "desk" not in flows


def nothing_of_desk_is_seen(user: User, permission: str, step: str, flows: tuple[str, ...]) -> bool:
    """Let everything be done, but not be seen of `desk`."""
    return "desk" not in flows or not permission.startswith("motia.view_")


async def in_a_while(user: User, permission: str, step: str, flows: tuple[str, ...]) -> bool:
    """Refuse, when somebody waits for it."""
    return False


def one_by_one(
    user: User, permission: str, step: str, flows: tuple[str, ...]
) -> Generator[bool, None, None]:
    """Refuse, when somebody goes through it."""
    yield False


class Answer:
    """Is an answer no more than its instances are."""

    def __init__(self, *asked: object) -> None:
        pass


def a_text(*asked: object) -> str:
    """Refuse in words."""
    return "no"


def one(*asked: object) -> int:
    """Return what equals `True`."""
    return 1


def a_class(*asked: object) -> type:
    """Return a class."""
    return Answer


def nothing_at_all(*asked: object) -> None:
    """Forget to return anything."""


@pytest.fixture(autouse=True)
def _hook(settings: Any) -> Iterator[None]:
    settings.MOTIA = HOOK
    shop = make_step(lambda: None, QUEUE, HOURLY, name="Shop", flows=["shop"])
    desk = make_step(lambda: None, QUEUE, HOURLY, name="Desk", flows=["desk"])
    pay = make_step(lambda: None, {**QUEUE, "input": Pay}, HOURLY, name="Payroll", flows=["pay"])
    with installed(shop, desk, pay):
        yield


@pytest.fixture
def dead(make_run: MakeRun) -> dict[str, models.Run]:
    """A dead run of each Step, and of one that is gone."""
    names = ("Shop", "Desk", "Payroll", "Gone")
    usual = {"trigger": "queue", "source": "work", "status": "dead", "error": "E: no"}
    known = {"fingerprint": "0" * 16, "finished_at": timezone.now()}
    return {name: make_run(step=name, **usual, **known) for name in names}


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(
    "address",
    ["/admin/motia/run/", "/admin/motia/step/", "/admin/motia/schedule/", "/admin/motia/overview/"],
)
def test_a_page_shows_only_the_steps_that_the_hook_lets_through(
    client_of: ClientOf, dead: dict[str, models.Run], address: str
) -> None:
    html = page(client_of(*EVERYTHING), address)
    assert "Shop" in html
    assert "Desk" in html
    assert "Payroll" not in html


def test_the_numbers_count_only_those_too(client_of: ClientOf, dead: dict[str, models.Run]) -> None:
    numbers = client_of(*EVERYTHING).get("/admin/motia/overview/").context["numbers"]
    assert {each.name: each.value for each in numbers}["dead letters"] == "2"


def test_runs_of_steps_that_are_gone_are_hidden_with_them(
    client_of: ClientOf, admin_client: Client, dead: dict[str, models.Run]
) -> None:
    address = f"/admin/motia/run/{dead['Gone'].pk}/change/"
    assert client_of(*EVERYTHING).get(address).status_code == 404
    assert admin_client.get(address).status_code == 200


@pytest.mark.parametrize(
    "address", ["/admin/motia/run/{run}/change/", "/admin/motia/step/Payroll/change/"]
)
def test_a_hidden_page_is_not_found(
    client_of: ClientOf, dead: dict[str, models.Run], address: str
) -> None:
    found = client_of(*EVERYTHING).get(address.format(run=dead["Payroll"].pk))
    assert found.status_code == 404


@pytest.mark.parametrize(("step", "status"), [("Shop", 302), ("Desk", 403), ("Payroll", 404)])
def test_a_run_is_redriven_if_the_hook_lets_its_step(
    client_of: ClientOf, dead: dict[str, models.Run], step: str, status: int
) -> None:
    run = dead[step]
    client = client_of(*EVERYTHING)
    assert client.post(f"/admin/motia/run/{run.pk}/redrive/", {"reason": ""}).status_code == status
    assert models.Run.objects.get(id=run.pk).status == ("queued" if status == 302 else "dead")


def test_of_a_run_that_was_a_hidden_steps_the_input_of_then_is_not_shown(
    client_of: ClientOf, make_run: MakeRun
) -> None:
    client = client_of("view_run")
    note = {"at": None, "kind": "moved", "by": "ada", "to": "Shop", "input": "edited"}
    for step, shown in (("Desk", True), ("Payroll", False)):
        moved = {**note, "from": step, "old": {"salary": 70_000}}
        before = [{**note, "kind": "redriven", "old": {"salary": 70_000}}, {**note, "from": step}]
        for timeline in ([moved], before):
            run = make_run(step="Shop", trigger="queue", source="work", timeline=timeline)
            for what in ("change", "export"):
                page = client.get(f"/admin/motia/run/{run.id}/{what}/")
                assert ("70000" in page.content.decode()) == shown, (step, what, timeline)


@pytest.mark.parametrize("step", ["Payroll", "Desk"])
def test_a_run_goes_to_no_step_that_the_hook_keeps_nor_is_its_schema_asked(
    client_of: ClientOf, dead: dict[str, models.Run], step: str
) -> None:
    address = f"/admin/motia/run/{dead['Shop'].pk}/move/"
    client = client_of(*EVERYTHING)
    assert "Payroll" not in page(client, address)
    refused = client.post(address, {"step": step, "reason": ""})
    assert "salary" not in refused.content.decode()
    assert refused.context["form"].fields["step"].choices == [("", "---------")]
    assert models.Run.objects.get(id=dead["Shop"].pk).step == "Shop"


@pytest.mark.parametrize(
    "query", ["step=Payrol", "step=Payrolls", "flow=pa", "flow=shop", "trigger=queue", "status=x"]
)
def test_no_filter_names_what_the_hook_hides(
    client_of: ClientOf, admin_client: Client, dead: dict[str, models.Run], query: str
) -> None:
    html = page(client_of(*EVERYTHING), f"/admin/motia/run/?{query}")
    assert "Payroll" not in html.replace("Payrolls", "")
    assert ">pay<" not in html
    assert "desk, pay" not in html
    assert ">pay<" in page(admin_client, "/admin/motia/run/?flow=shop")


@pytest.mark.parametrize(("asked", "hidden"), [("step", "Payroll"), ("flow", "pay")])
def test_what_is_hidden_is_told_like_what_is_not_there(
    client_of: ClientOf, dead: dict[str, models.Run], asked: str, hidden: str
) -> None:
    client = client_of(*EVERYTHING)
    there = page(client, f"/admin/motia/run/?{asked}={hidden}")
    assert f"“{hidden}”" in there
    assert f"“{hidden}x”" in page(client, f"/admin/motia/run/?{asked}={hidden}x")


def test_problems_of_step_files_are_shown_to_whom_the_hook_hides_nothing(
    client_of: ClientOf, admin_client: Client
) -> None:
    problem = Problem(id="motia_django.E001", message="payroll_step.py is wrong")
    with installed_registry(Registry(list(registry()), [problem])):
        assert "payroll_step.py" in page(admin_client, "/admin/motia/step/")
        assert "payroll_step.py" not in page(client_of(*EVERYTHING), "/admin/motia/step/")


def test_of_many_runs_only_those_are_done_that_the_hook_lets(
    client_of: ClientOf, dead: dict[str, models.Run]
) -> None:
    chosen = [str(run.pk) for run in dead.values()]
    form = {"action": "discard", "_selected_action": chosen, "confirmed": "yes", "reason": ""}
    client_of(*EVERYTHING).post("/admin/motia/run/", form)
    left = models.Run.objects.filter(status="dead").values_list("step", flat=True)
    assert set(left) == {"Desk", "Payroll", "Gone"}


@pytest.mark.parametrize(("step", "status"), [("Shop", 302), ("Desk", 403), ("Payroll", 404)])
def test_a_step_is_paused_if_the_hook_lets_it(client_of: ClientOf, step: str, status: int) -> None:
    client = client_of(*EVERYTHING)
    assert client.post(f"/admin/motia/step/{step}/pause/", {"reason": ""}).status_code == status
    assert models.Pause.objects.filter(step=step).exists() == (status == 302)


@pytest.mark.parametrize(("step", "status"), [("Shop", 302), ("Desk", 403), ("Payroll", 403)])
def test_a_schedule_runs_now_if_the_hook_lets_it(
    client_of: ClientOf, step: str, status: int
) -> None:
    address = f"/admin/motia/schedule/{step}/1/run/"
    assert client_of(*EVERYTHING).post(address, once()).status_code == status
    assert models.Run.objects.filter(step=step).exists() == (status == 302)


@pytest.mark.parametrize("deed", ["run", "pause", "resume", "override", "restore"])
def test_nothing_is_done_to_a_schedule_that_may_not_be_seen(
    client_of: ClientOf, settings: Any, deed: str
) -> None:
    settings.MOTIA = {"MAY": f"{__name__}.nothing_of_desk_is_seen"}
    client = client_of("view_schedule", "run_step", "pause_schedule", "override_schedule")
    typed = {**once(), "expression": "1 1 * * *"}
    for step, status in (("Desk", 403), ("Shop", 302)):
        found = client.post(f"/admin/motia/schedule/{step}/1/{deed}/", typed)
        assert found.status_code == status
    touched = {*models.Run.objects.values_list("step", flat=True)}
    touched |= {*models.Override.objects.values_list("step", flat=True)}
    assert "Desk" not in touched


@pytest.mark.parametrize(("step", "status"), [("Desk", 404), ("Shop", 302), ("Gone", 302)])
def test_a_step_that_may_not_be_seen_is_not_resumed(
    client_of: ClientOf, settings: Any, step: str, status: int
) -> None:
    settings.MOTIA = {"MAY": f"{__name__}.nothing_of_desk_is_seen"}
    models.Pause.objects.create(step=step)
    client = client_of("view_step", "pause_step")
    found = client.post(f"/admin/motia/step/{step}/resume/")
    assert found.status_code == status
    assert models.Pause.objects.filter(step=step).exists() == (status == 404)
    if status == 302:
        assert client.get(found.headers["Location"]).status_code == 200


@pytest.mark.parametrize("shows_some", [True, False])
def test_what_a_death_has_started_is_told_of_though_it_may_not_be_seen(
    client_of: ClientOf, dead: dict[str, models.Run], make_run: MakeRun, shows_some: bool
) -> None:
    run = dead["Shop"]
    now = {"parent_id": run.pk, "trigger": "queue", "created_at": timezone.now()}
    for step in ("Payroll", "Payroll", *["Desk"] * shows_some):
        make_run(**now, step=step)
    client, address = client_of(*EVERYTHING), f"/admin/motia/run/{run.pk}"
    hidden = "2 runs that you may not see"
    assert '<form method="post" action="../redrive/' not in page(client, f"{address}/change/")
    asked = page(client, f"{address}/redrive/")
    assert "Its death has started these already" in asked
    assert hidden in asked
    chosen = {"action": "redrive", "_selected_action": [run.pk]}
    shown = client.post("/admin/motia/run/", chosen)
    told = "Desk (1 succeeded), " if shows_some else ""
    assert shown.context["prospect"].notes[-1] == (
        f"This death has started runs, and nothing of that is undone: {told}{hidden}."
    )
    assert ("Desk" in asked) == shows_some
    assert "Payroll" not in asked + shown.content.decode()


def test_of_a_death_that_started_nothing_hidden_no_more_is_told(
    client_of: ClientOf, dead: dict[str, models.Run], make_run: MakeRun
) -> None:
    run, client = dead["Shop"].pk, client_of(*EVERYTHING)
    click = '<form method="post" action="../redrive/'
    assert click in page(client, f"/admin/motia/run/{run}/change/")
    make_run(parent_id=run, trigger="queue", step="Desk")
    assert "that you may not see" not in page(client, f"/admin/motia/run/{run}/redrive/")


def test_a_cause_that_is_hidden_is_told_of_as_one_that_is_gone(
    client_of: ClientOf, admin_client: Client, dead: dict[str, models.Run], make_run: MakeRun
) -> None:
    client, told = client_of(*EVERYTHING), "not to be seen, or not in the history any more"
    for cause in (dead["Payroll"].pk, new_run_id()):
        html = page(client, f"/admin/motia/run/{make_run(step='Shop', parent_id=cause).pk}/change/")
        assert f"<code>{cause}</code> ({told})" in html
    run = make_run(step="Shop", parent_id=new_run_id()).pk
    assert "(not in the history)" in page(admin_client, f"/admin/motia/run/{run}/change/")
    run = make_run(step="Shop", parent_id=dead["Desk"].pk).pk
    assert told not in page(client, f"/admin/motia/run/{run}/change/")


@pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::pytest.PytestUnraisableExceptionWarning"
)
@pytest.mark.parametrize(
    ("hook", "got"),
    [
        ("in_a_while", "<coroutine object in_a_while"),
        ("one_by_one", "<generator object one_by_one"),
        ("Answer", "<tests.admin.test_permits.Answer object"),
        ("a_class", "<class 'tests.admin.test_permits.Answer'>"),
        ("a_text", "'no'"),
        ("one", "1"),
        ("nothing_at_all", ""),
    ],
)
def test_only_true_lets_through_and_what_is_no_answer_is_an_error_in_the_log_once(
    client_of: ClientOf,
    dead: dict[str, models.Run],
    settings: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    hook: str,
    got: str,
) -> None:
    monkeypatch.setattr(permits, "_told", set())
    settings.MOTIA = {"MAY": f"{__name__}.{hook}"}
    client = client_of(*EVERYTHING)
    for address in ("/admin/motia/step/", "/admin/motia/run/"):
        html = page(client, address)
        assert not any(f">{name}</a>" in html for name in ("Shop", "Desk", "Payroll"))
    run = dead["Shop"].pk
    assert client.get(f"/admin/motia/run/{run}/change/").status_code == 404
    assert client.post(f"/admin/motia/run/{run}/redrive/", {"reason": ""}).status_code == 404
    gc.collect()
    errors = [each.message for each in caplog.records if each.levelno == logging.ERROR]
    expected = f"MOTIA['MAY']: expected True or False from {__name__}.{hook}, got {got}"
    assert [each[: len(expected)] for each in errors] == ([expected] if got else [])


def test_superusers_are_not_asked_about(admin_client: Client, dead: dict[str, models.Run]) -> None:
    assert "Payroll" in page(admin_client, "/admin/motia/step/")
    assert admin_client.post(f"/admin/motia/run/{dead['Gone'].pk}/discard/").status_code == 302


def test_the_hook_gives_nothing_that_django_does_not(
    client_of: ClientOf, dead: dict[str, models.Run]
) -> None:
    client = client_of("view_run")
    assert client.post(f"/admin/motia/run/{dead['Shop'].pk}/redrive/").status_code == 403


@pytest.mark.parametrize(("step", "is_seen"), [("Shop", True), ("Desk", False)])
def test_runs_that_the_hook_hides_are_on_no_page_of_their_step_error_or_schedule(
    client_of: ClientOf, make_run: MakeRun, settings: Any, step: str, is_seen: bool
) -> None:
    settings.MOTIA = {"MAY": f"{__name__}.no_runs_of_desk"}
    usual = {"step": step, "status": "dead", "fingerprint": "a" * 16}
    make_run(**usual, trigger="cron", source="0 * * * *", index=1, error=TRACEBACK)
    client = client_of("view_run", "view_step", "view_deadletter", "view_schedule")
    assert bool(client.get(f"/admin/motia/step/{step}/change/").context["runs"]) == is_seen
    error = client.get(f"/admin/motia/deadletter/{'a' * 16}/change/")
    assert bool(error.context["runs"]) == is_seen
    assert ("line of code" in error.content.decode()) == is_seen
    rows = client.get("/admin/motia/schedule/").context["rows"]
    assert {row.step: bool(row.last) for row in rows}[step] == is_seen


def test_the_errors_of_other_steps_crowd_none_out(
    client_of: ClientOf, admin_client: Client, make_run: MakeRun
) -> None:
    usual = {"trigger": "queue", "source": "work", "status": "dead", "error": "E: no"}
    long_ago = timezone.now() - timedelta(hours=2)
    make_run(**usual, step="Shop", fingerprint="f" * 16, finished_at=long_ago)
    for number in range(101):
        make_run(**usual, step="Payroll", fingerprint=f"{number:016x}")
    by_hook = client_of("view_deadletter").get("/admin/motia/deadletter/")
    by_step = admin_client.get("/admin/motia/deadletter/?step=Shop")
    for response in (by_hook, by_step):
        assert [group.step for group in response.context["groups"]] == ["Shop"]
        assert "No run is dead" not in response.content.decode()
    assert "Payroll" not in by_hook.content.decode()


def test_a_hidden_steps_errors_are_not_found_by_its_name(
    client_of: ClientOf, dead: dict[str, models.Run]
) -> None:
    models.Run.objects.update(fingerprint="a" * 16)
    response = client_of("view_deadletter").get("/admin/motia/deadletter/?step=Payroll")
    assert response.context["groups"] == []


@pytest.mark.parametrize(
    ("hidden", "absent"),
    [
        ("flow=pay", "flow=absent"),
        ("q={run}", "q=0c7fae07-24ae-4cec-8fb1-e561a4116444"),
        ("q={key}", "q=0c7fae07-24ae-4cec-8fb1-e561a4116444"),
        ("step=Payroll", "step=Absent"),
    ],
)
def test_a_preview_tells_of_what_is_hidden_as_of_what_is_not_there(
    client_of: ClientOf, dead: dict[str, models.Run], hidden: str, absent: str
) -> None:
    run, key = dead["Payroll"].pk, "5f0c1c52-3a0e-4f0c-9a54-6b0f0b8f1a11"
    models.RunKey.objects.create(run_id=run, name="orderId", value=key)
    client = client_of(*EVERYTHING)
    told = []
    for query in (hidden.format(run=run, key=key), absent):
        shown = client.get(f"/admin/motia/batch/preview/?deed=redrive&{query}").context
        value = query.partition("=")[2]
        texts = [*shown["chosen"].problems, *shown["chosen"].told, str(shown["prospect"])]
        told.append(
            [each.replace(value.replace("-", ""), "?").replace(value, "?") for each in texts]
        )
    assert told[0] == told[1]
    if hidden.startswith("flow"):
        assert told[0][0] == "There is no flow named ?."
