"""Who may do what: the table in docs/operating.md, each of its cells tried by HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from motia_django import batches, models
from motia_django.ledger.selections import Selection
from tests.admin.conftest import MakeRun
from tests.docs.pages import DOCS, section
from tests.factories import installed, make_step, once

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

HEADING = "Who may do what"
OPERATOR = ("redrive_run", "cancel_run", "pause_step")
CRON = {"type": "cron", "schedule": "0 * * * *"}
WORK = {"type": "queue", "topic": "work"}
REASON = {"reason": "because"}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What there is to look at and to do something to."""

    dead: models.Run
    batch: models.Batch
    queued: models.Run
    over: models.Run
    item: models.StateItem
    told: models.StreamItem
    lapsed: models.Override


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One row of the table: a page to look at, or something to do."""

    view: str
    """The name of its URL."""
    on: Callable[[World], list[Any]] = lambda world: []
    """The arguments of the URL."""
    query: str = ""
    post: Callable[[World], dict[str, Any]] | None = None
    """What is posted; None for a page that is only looked at."""
    done: Callable[[World], bool] = lambda world: False
    """Whether it was done."""


def now(row: Any) -> Any:
    """Return a row as it is now; None if it is gone."""
    return type(row).objects.filter(pk=row.pk).first()


def is_overridden(step: str, **facts: Any) -> bool:
    """Return whether this is on record of a Step's schedule."""
    return models.Override.objects.filter(step=step, **facts).exists()


def item_form(world: World) -> dict[str, Any]:
    return {"content": "2", "seen_version": world.item.version, **REASON}


DEEDS = {
    "see the overview": Deed(view="overview_changelist"),
    "see the runs": Deed(view="run_changelist"),
    "see one run": Deed(view="run_change", on=lambda world: [world.dead.pk]),
    "download a run": Deed(view="run_export", on=lambda world: [world.dead.pk]),
    "see the dead letters": Deed(view="deadletter_changelist"),
    "see one error of dead runs": Deed(
        view="deadletter_change", on=lambda world: [world.dead.fingerprint]
    ),
    "see the batches": Deed(view="batch_changelist"),
    "see one batch": Deed(view="batch_change", on=lambda world: [world.batch.pk]),
    "choose many runs": Deed(view="batch_choose"),
    "see what a deed would do to many": Deed(view="batch_preview", query="?deed=redrive"),
    "redrive many runs": Deed(
        view="batch_preview",
        query="?deed=redrive",
        post=lambda world: {"confirmed": "yes", **REASON},
        done=lambda world: now(world.dead).status == "queued",
    ),
    "stop a batch": Deed(
        view="batch_stop",
        on=lambda world: [world.batch.pk],
        post=lambda world: {},
        done=lambda world: bool(now(world.batch).stopped_by),
    ),
    "see the Steps": Deed(view="step_changelist"),
    "see one Step": Deed(view="step_change", on=lambda world: ["Work"]),
    "see the flows": Deed(view="flow_changelist"),
    "download the flows": Deed(view="flow_export", on=lambda world: ["svg"]),
    "see the schedules": Deed(view="schedule_changelist"),
    "see the state": Deed(view="stateitem_changelist"),
    "see one item of state": Deed(view="stateitem_change", on=lambda world: [world.item.pk]),
    "see an item's history": Deed(view="stateitem_history", on=lambda world: [world.item.pk]),
    "see the groups of state": Deed(view="stateitem_groups"),
    "see the groups of streams": Deed(view="streamitem_groups"),
    "see the tail of a stream": Deed(view="streamitem_tail", on=lambda world: ["s", "g"]),
    "see a stream's events as JSON": Deed(view="streamitem_events", on=lambda world: ["s", "g"]),
    "see the streams": Deed(view="streamitem_changelist"),
    "see one item of a stream": Deed(view="streamitem_change", on=lambda world: [world.told.pk]),
    "see a stream item's history": Deed(
        view="streamitem_history", on=lambda world: [world.told.pk]
    ),
    "redrive a run": Deed(
        view="run_redrive",
        on=lambda world: [world.dead.pk],
        post=lambda world: REASON,
        done=lambda world: now(world.dead).status == "queued",
    ),
    "redrive a run with edited input": Deed(
        view="run_edit",
        on=lambda world: [world.dead.pk],
        post=lambda world: {"content": '{"n": 2}', **REASON},
        done=lambda world: now(world.dead).input == {"n": 2},
    ),
    "redrive a run to another Step": Deed(
        view="run_move",
        on=lambda world: [world.dead.pk],
        post=lambda world: {"step": "Other", **REASON},
        done=lambda world: now(world.dead).step == "Other",
    ),
    "retry a run now": Deed(
        view="run_retry",
        on=lambda world: [world.queued.pk],
        post=lambda world: REASON,
        done=lambda world: [each["kind"] for each in now(world.queued).timeline] == ["retried"],
    ),
    "run a run again": Deed(
        view="run_rerun",
        on=lambda world: [world.over.pk],
        post=lambda world: {**REASON, **once()},
        done=lambda world: models.Run.objects.filter(parent_id=world.over.pk).exists(),
    ),
    "run a run again with edited input": Deed(
        view="run_rerun_edited",
        on=lambda world: [world.over.pk],
        post=lambda world: {"content": '{"n": 2}', **REASON, **once()},
        done=lambda world: models.Run.objects.filter(parent_id=world.over.pk).exists(),
    ),
    "discard a run": Deed(
        view="run_discard",
        on=lambda world: [world.dead.pk],
        post=lambda world: REASON,
        done=lambda world: now(world.dead).status == "cancelled",
    ),
    "cancel a run": Deed(
        view="run_cancel",
        on=lambda world: [world.queued.pk],
        post=lambda world: REASON,
        done=lambda world: now(world.queued).status == "cancelled",
    ),
    "pause a Step": Deed(
        view="step_pause",
        on=lambda world: ["Work"],
        post=lambda world: REASON,
        done=lambda world: models.Pause.objects.filter(step="Work").exists(),
    ),
    "resume a Step": Deed(
        view="step_resume",
        on=lambda world: ["Resting"],
        post=lambda world: REASON,
        done=lambda world: not models.Pause.objects.filter(step="Resting").exists(),
    ),
    "run a Step now": Deed(
        view="step_run",
        on=lambda world: ["Other", 0],
        post=lambda world: {"content": "1", **REASON, **once()},
        done=lambda world: models.Run.objects.filter(step="Other").exists(),
    ),
    "see the topics to send to": Deed(view="step_topics"),
    "enqueue a message": Deed(
        view="step_enqueue",
        on=lambda world: ["own"],
        post=lambda world: {"content": "1", **REASON, **once()},
        done=lambda world: models.Run.objects.filter(source="own").exists(),
    ),
    "run a schedule now": Deed(
        view="schedule_run",
        on=lambda world: ["Hourly", 0],
        post=lambda world: {**REASON, **once()},
        done=lambda world: models.Run.objects.filter(step="Hourly").exists(),
    ),
    "pause a schedule": Deed(
        view="schedule_pause",
        on=lambda world: ["Hourly", 0],
        post=lambda world: REASON,
        done=lambda world: is_overridden("Hourly", paused_at__isnull=False),
    ),
    "resume a schedule": Deed(
        view="schedule_resume",
        on=lambda world: ["Nightly", 0],
        post=lambda world: REASON,
        done=lambda world: is_overridden("Nightly", resumed_at__isnull=False),
    ),
    "override when a schedule is due": Deed(
        view="schedule_override",
        on=lambda world: ["Hourly", 0],
        post=lambda world: {"expression": "@daily", **REASON},
        done=lambda world: is_overridden("Hourly", expression="@daily"),
    ),
    "drop an override": Deed(
        view="schedule_restore",
        on=lambda world: ["Nightly", 0],
        post=lambda world: REASON,
        done=lambda world: is_overridden("Nightly", expression=""),
    ),
    "remove what no longer applies": Deed(
        view="schedule_lapsed",
        on=lambda world: [world.lapsed.pk],
        post=lambda world: {},
        done=lambda world: now(world.lapsed) is None,
    ),
    "add an item of state": Deed(
        view="stateitem_add",
        post=lambda world: {"group": "new", "key": "k", "content": "1", **REASON},
        done=lambda world: models.StateItem.objects.filter(group="new").exists(),
    ),
    "change an item of state": Deed(
        view="stateitem_change",
        on=lambda world: [world.item.pk],
        post=item_form,
        done=lambda world: now(world.item).value == 2,
    ),
    "delete an item of state": Deed(
        view="stateitem_delete",
        on=lambda world: [world.item.pk],
        post=lambda world: {"post": "yes"},
        done=lambda world: now(world.item) is None,
    ),
    "delete an item of a stream": Deed(
        view="streamitem_delete",
        on=lambda world: [world.told.pk],
        post=lambda world: {"post": "yes"},
        done=lambda world: now(world.told) is None,
    ),
}
LEADS_ELSEWHERE = {
    "overview_change", "schedule_change", "flow_change", "streamitem_add",
}  # fmt: skip
"""Addresses that Django's admin must have a name for, behind which there is no page."""


@pytest.fixture
def world(make_run: MakeRun) -> Iterator[World]:
    """Runs, Steps and items that something can be done to."""
    usual = {"step": "Work", "trigger": "queue", "source": "work", "input": {"n": 1}}
    models.Pause.objects.create(step="Resting")
    there = World(
        dead=make_run(**usual, status="dead", error="ValueError: no", fingerprint="a" * 16),
        batch=batches.begin("redrive", Selection(ids=()), by="somebody"),
        queued=make_run(**usual, status="queued", finished_at=None),
        over=make_run(**usual),
        item=models.StateItem.objects.create(group="g", key="k", value="1"),
        told=models.StreamItem.objects.create(stream="s", group="g", item="i", value="1", event=1),
        lapsed=models.Override.objects.create(
            step="Gone", index=0, declared="@hourly", paused_at=timezone.now(), expression="@daily"
        ),
    )
    steps = [make_step(name=name) for name in ("Work", "Other", "Resting")]
    own = {"Hourly": [{"type": "queue", "topic": "own"}], "Nightly": []}
    steps += [
        make_step(lambda: None, CRON, *own[name], name=name) for name in ("Hourly", "Nightly")
    ]
    models.Override.objects.create(
        step="Nightly",
        index=0,
        declared=CRON["schedule"],
        paused_at=timezone.now(),
        expression="@daily",
    )
    with installed(*steps):
        yield there


def test_every_permission_that_can_be_given_is_asked_for_somewhere() -> None:
    told = section(DOCS / "operating.md", HEADING)
    ours = Permission.objects.filter(content_type__app_label="motia")
    assert [each.codename for each in ours if f"`{each.codename}`" not in told] == []


def readable() -> set[str]:
    """Return the permissions to look at each of our pages."""
    ours = Permission.objects.filter(content_type__app_label="motia")
    names = {name for name in ours.values_list("codename", flat=True) if name.startswith("view_")}
    return names - {"view_source"}


def client_of(kind: str) -> Client:
    """Return a logged-in user of one of the table's kinds."""
    user = User.objects.create_user(kind, is_staff=True, is_superuser=kind == "superuser")
    extra = {"operator": {*readable(), *OPERATOR}, "read-only": readable()}.get(kind, set())
    ours = Permission.objects.filter(content_type__app_label="motia")
    user.user_permissions.set(ours.filter(codename__in=extra))
    client = Client()
    client.force_login(user)
    return client


def table() -> tuple[list[str], dict[str, list[str]]]:
    """Return the kinds of users, and what each of them may, by what it is."""
    lines = [line for line in section(DOCS / "operating.md", HEADING).splitlines() if "|" in line]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, _rule, *body = cells
    return head[1:-1], {row[0]: row[1:-1] for row in body}


KINDS, TABLE = table()
CELLS = [
    (kind, what, said) for what, row in TABLE.items() for kind, said in zip(KINDS, row, strict=True)
]


def address(deed: Deed, world: World) -> str:
    args = [each if isinstance(each, int) else quote(str(each)) for each in deed.on(world)]
    return reverse(f"admin:motia_{deed.view}", args=args) + deed.query


def snapshot() -> dict[str, list[Any]]:
    """Return every row of our tables, and the admin's log."""
    tables = [each for each in apps.get_app_config("motia").get_models() if each._meta.managed]
    return {
        each.__name__: list(each.objects.order_by("pk").values_list())  # type: ignore[attr-defined]
        for each in (*tables, LogEntry)
    }


def test_the_table_tells_of_everything_there_is() -> None:
    assert set(TABLE) == set(DEEDS)
    assert KINDS == ["superuser", "operator", "read-only", "other staff"]
    assert {said for _, _, said in CELLS} == {"yes", "no"}


def test_the_table_leaves_no_address_of_the_admin_out() -> None:
    ours = [each for each in admin.site._registry.values() if each.opts.app_label == "motia"]
    names = {url.name for each in ours for url in each.urls if url.name}
    told = {f"motia_{deed.view}" for deed in DEEDS.values()}
    assert names - told == {f"motia_{name}" for name in LEADS_ELSEWHERE}


@pytest.mark.parametrize(("kind", "what", "said"), CELLS)
def test_each_cell_of_the_table_is_true(world: World, kind: str, what: str, said: str) -> None:
    deed, client = DEEDS[what], client_of(kind)
    place, before = address(deed, world), snapshot()
    if deed.post is None:
        assert client.get(place).status_code == (200 if said == "yes" else 403)
        assert snapshot() == before
        return
    assert not deed.done(world)
    answer = client.post(place, deed.post(world))
    assert answer.status_code == (302 if said == "yes" else 403)
    assert deed.done(world) == (said == "yes")
    if said == "no":
        assert snapshot() == before


@pytest.mark.parametrize("what", [what for what, deed in DEEDS.items() if deed.post])
def test_whatever_is_done_is_in_the_admins_log_with_who(world: World, what: str) -> None:
    deed = DEEDS[what]
    assert deed.post is not None
    client_of("superuser").post(address(deed, world), deed.post(world))
    entries = list(LogEntry.objects.select_related("user"))
    assert {each.user.get_username() for each in entries} == {"superuser"}
    if "reason" in deed.post(world):
        assert all("because" in each.get_change_message() for each in entries)


@pytest.mark.parametrize("what", DEEDS)
def test_who_may_only_read_changes_nothing_whatever_he_sends(world: World, what: str) -> None:
    client, place, before = client_of("read-only"), address(DEEDS[what], world), snapshot()
    chosen = [row.pk for row in (world.dead, world.queued, world.item, world.told)]
    for action in ("redrive", "discard", "cancel", "delete_selected"):
        marks: dict[str, Any] = {"confirmed": "yes", "post": "yes", "_save": "yes", **REASON}
        client.post(place, {"action": action, "_selected_action": chosen, **marks})
    for method in (client.put, client.patch, client.delete):
        method(place, REASON)
    assert snapshot() == before


@pytest.mark.parametrize("may_see", [False, True])
@pytest.mark.parametrize(
    "what", ["delete an item of state", "delete an item of a stream", "add an item of state"]
)
def test_an_item_that_may_not_be_seen_is_neither_deleted_nor_added(
    world: World, client_of: Callable[..., Client], what: str, may_see: bool
) -> None:
    deed, before = DEEDS[what], snapshot()
    assert deed.post is not None
    deeds = ("delete_stateitem", "delete_streamitem", "add_stateitem")
    seen = ("view_stateitem", "view_streamitem") if may_see else ()
    client, place = client_of(*deeds, *seen), address(deed, world)
    shown, done = client.get(place), client.post(place, deed.post(world))
    expected = (200, 302) if may_see else (403, 403)
    assert (shown.status_code, done.status_code) == expected
    assert deed.done(world) == may_see
    assert may_see or snapshot() == before


@pytest.mark.parametrize("what", DEEDS)
def test_who_is_not_logged_in_is_sent_to_do_so(world: World, what: str) -> None:
    before = snapshot()
    for method in ("get", "post"):
        answer = getattr(Client(), method)(address(DEEDS[what], world))
        assert answer.status_code == 302
        assert "/admin/login/" in answer["Location"]
    assert snapshot() == before
