"""A form that is sent twice starts one thing, and the second time leads to what the first began."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection, connections
from django.test import Client, override_settings
from django.urls import clear_url_caches, include, path
from django.utils import timezone

from motia_django import ledger, models
from motia_django.admin import exchange
from motia_django.ledger.once import GOOD_FOR
from motia_django.registry import registry
from motia_django.runs import lowest_id_at, new_run_id
from motia_django.upkeep import prune
from motia_django.web.routing import urlpatterns_for
from tests.admin.conftest import MakeRun
from tests.factories import installed, make_step, once

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)
"""For what is done in other threads as well."""

STEPS = "/admin/motia/step"
SEND = f"{STEPS}/Http/run/0/"
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "run a message now": (f"{STEPS}/Queue/run/0/", {"content": "1"}),
    "run a change now": (
        f"{STEPS}/State/run/0/",
        {"event": "updated", "group": "g", "key": "k", "old": "1", "new": "2"},
    ),
    "run a tick now": (f"{STEPS}/Cron/run/0/", {}),
    "run a schedule now": ("/admin/motia/schedule/Cron/0/run/", {}),
    "enqueue": (f"{STEPS}/topics/work/enqueue/", {"content": "1"}),
    "send a request": (SEND, {}),
    "run again": ("/admin/motia/run/{run}/rerun/", {"reason": "x"}),
    "run again with edited input": ("/admin/motia/run/{run}/rerun_edited/", {"content": "2"}),
}
each_form = pytest.mark.parametrize("what", FORMS)


@pytest.fixture(autouse=True)
def _project() -> Iterator[None]:
    """Serve four Steps, each with a trigger of another kind, and the admin."""
    steps = [
        make_step(print, {"type": "queue", "topic": "work"}, name="Queue"),
        make_step(print, {"type": "state", "events": ["updated"]}, name="State"),
        make_step(print, {"type": "cron", "schedule": "0 3 * * *"}, name="Cron"),
        make_step(lambda: None, {"type": "http", "method": "GET", "path": "/things"}, name="Http"),
    ]
    with installed(*steps):
        urls = ModuleType("urls_of_this_test")
        patterns = (urlpatterns_for(registry().routes()), "motia")
        own = [path("admin/", admin.site.urls), path("", include(patterns))]
        urls.urlpatterns = own  # type: ignore[attr-defined]
        with override_settings(ROOT_URLCONF=urls):
            clear_url_caches()
            yield
        clear_url_caches()


@pytest.fixture
def over(make_run: MakeRun) -> models.Run:
    """A run that is over, to be run again."""
    return make_run(step="Queue", trigger="queue", source="work", input=1)


def form_of(what: str, over: models.Run) -> tuple[str, dict[str, str]]:
    """Return where a form is sent to, and what is typed into it."""
    address, typed = FORMS[what]
    return address.format(run=over.pk), typed


def new_runs(over: models.Run) -> list[models.Run]:
    return list(models.Run.objects.exclude(id=over.id))


def said(page: Any) -> list[str]:
    return [str(each) for each in page.context["messages"]]


@committing
@each_form
def test_a_form_that_is_sent_twice_starts_one_run_and_leads_to_it(
    admin_client: Client, over: models.Run, what: str
) -> None:
    address, typed = form_of(what, over)
    sent = {**typed, **once()}
    admin_client.get(SEND)  # for the CSRF cookie
    first = admin_client.post(address, sent)
    again = admin_client.post(address, sent, follow=True)
    [run] = new_runs(over)
    assert again.status_code == 200
    assert "was sent before" in said(again)[-1]
    assert str(run.id) in again.content.decode()
    if what not in ("enqueue", "send a request", "run a schedule now"):
        assert first.headers["Location"] == again.redirect_chain[-1][0]
        assert str(run.id) in first.headers["Location"]
    assert LogEntry.objects.count() == 1


@committing
@each_form
def test_a_form_that_is_shown_again_starts_another_run(
    admin_client: Client, over: models.Run, what: str
) -> None:
    address, typed = form_of(what, over)
    shown = "/admin/motia/schedule/" if "schedule" in address else address
    for _ in range(2):
        html = admin_client.get(shown).content.decode()
        [form] = re.findall('name="once" value="([^"]+)"', html)
        admin_client.post(address, {**typed, "once": form})
        models.Run.objects.filter(trigger="cron").update(unique_key=None)  # as if a second passed
    assert len(new_runs(over)) == 2


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="in-memory SQLite has no real concurrency"
)
@committing
@each_form
def test_of_two_sendings_at_once_one_starts_a_run(
    admin_user: Any, over: models.Run, what: str
) -> None:
    address, typed = form_of(what, over)
    clients = [Client() for _ in range(4)]
    for client in clients:
        client.force_login(admin_user)
        client.get(SEND)
    sent, together = {**typed, **once()}, threading.Barrier(len(clients), timeout=30)

    def send(client: Client) -> int:
        try:
            together.wait()
            return client.post(address, sent).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(send, clients))
    assert set(answers) <= {200, 302}
    assert len(new_runs(over)) == 1
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(
    "form", [None, "", "no-uuid", "\x00", "9" * 100_000, str(UUID(int=0)), "old"]
)
@each_form
def test_a_form_without_an_id_that_is_good_starts_nothing_and_says_so(
    admin_client: Client, over: models.Run, what: str, form: str | None
) -> None:
    if form == "old":
        form = str(lowest_id_at(timezone.now() - GOOD_FOR - timedelta(minutes=1)))
    address, typed = form_of(what, over)
    sent = typed if form is None else {**typed, "once": form}
    page = admin_client.post(address, sent, follow=True)
    assert page.status_code == 200
    assert re.search("came without its id|more than a day old", page.content.decode())
    assert not new_runs(over)
    assert not LogEntry.objects.exists()


@each_form
def test_the_id_of_another_form_or_of_somebody_elses_starts_nothing_and_leads_nowhere(
    admin_client: Client, client_of: Callable[..., Client], over: models.Run, what: str
) -> None:
    address, typed = form_of(what, over)
    others, used = client_of("view_step", "run_step"), once()
    others.post(f"{STEPS}/Queue/run/0/", {"content": '"of others"', **used})
    [theirs] = new_runs(over)
    own = once()
    admin_client.post(f"{STEPS}/State/run/0/", {**FORMS["run a change now"][1], **own})
    before = set(models.Run.objects.values_list("id", flat=True))
    for taken in (used, own):
        if what == "run a change now" and taken is own:
            continue
        page = admin_client.post(address, {**typed, **taken}, follow=True)
        assert page.status_code == 200
        assert "that of another form" in page.content.decode().replace("&#x27;", "'")
        assert str(theirs.id) not in page.content.decode()
    assert set(models.Run.objects.values_list("id", flat=True)) == before


def test_what_is_refused_uses_nothing_up(admin_client: Client, over: models.Run) -> None:
    form = once()
    with installed(make_step(print, {"type": "state", "groupId": "other"}, name="State")):
        address, typed = FORMS["run a change now"]
        refused = admin_client.post(address, {**typed, **form}).content.decode()
        assert "does not listen for such a change" in refused
        admin_client.post(address, {**typed, "group": "other", **form})
    assert len(new_runs(over)) == 1


@committing
def test_a_request_that_could_not_be_sent_may_be_sent_again(
    admin_client: Client, over: models.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin_client.get(SEND)
    form = once()
    with monkeypatch.context() as patched:
        patched.setattr(exchange, "_AT_ONCE", threading.BoundedSemaphore(1))
        exchange._AT_ONCE.acquire()
        assert "Others are still waiting" in admin_client.post(SEND, form).content.decode()
    assert "answer" in admin_client.post(SEND, form).context
    assert len(new_runs(over)) == 1


def test_forms_that_are_too_old_to_be_sent_are_forgotten() -> None:
    old = lowest_id_at(timezone.now() - 2 * GOOD_FOR - timedelta(minutes=1))
    for form in (old, new_run_id()):
        models.Start.objects.create(form=form, by="1", place="/")
    prune()
    assert models.Start.objects.count() == 1


def test_an_id_that_was_made_elsewhere_is_good_too() -> None:
    form = UUID(int=uuid4().int | 1 << 127)
    ledger.once(new_run_id(), lambda: ["other"], by="1", place="/")
    assert ledger.once(form, lambda: ["a"], by="1", place="/") == (["a"], True)
    assert ledger.once(form, lambda: ["b"], by="1", place="/") == (["a"], False)
