"""The recipes, each done as its page says, and what it promises tried."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from motia_django import (
    dispatch,
    enqueue,
    keys,
    ledger,
    models,
    operations,
    repeats,
    state,
    streams,
)
from motia_django.registry import registry
from motia_django.runs import Status
from motia_django.webhooks import signed_by
from tests.docs.pages import headings
from tests.docs.recipes import PAGE, TRIED, followed
from tests.factories import deliver, let_time_pass, row, rows, work_off
from tests.projects import Project
from tests.web.serving import post

pytestmark = pytest.mark.django_db


def logged_in(client: Client, name: str, **values: Any) -> User:
    user = User.objects.create(username=name, **values)
    client.force_login(user)
    return user


def test_every_recipe_is_tried() -> None:
    assert set(headings(PAGE)[1:]) == TRIED


# -- a webhook

SECRET = "of the parcels"


def told(client: Client, event: dict[str, Any], secret: str = SECRET) -> int:
    """Send an event as its sender would; return the status of the answer."""
    body = json.dumps(event)
    headers = signed_by("X-Signature", lambda: secret).sign(body)
    path, kind = "/webhooks/parcels", "application/json"
    return client.post(path, body, content_type=kind, headers=headers).status_code


def test_an_event_is_worked_on_once_however_late_it_is_sent_again(
    project: Project, settings: Any
) -> None:
    settings.PARCELS_SECRET = SECRET
    event = {"id": "evt_1", "parcel": "17", "status": "on its way"}
    with followed(project, "A webhook") as client:
        assert told(client, event) == 202
        assert told(client, event) == 200
        work_off()
        assert told(client, event) == 200
        assert told(client, {**event, "id": "evt_2", "status": "there"}) == 202
        assert told(client, {**event, "id": "evt_3"}, "guessed") == 401
        assert told(client, {"id": "evt_4"}, "guessed") == 401
        assert told(client, {"id": "evt_4"}) == 400
        work_off()
    assert len(rows(step="TrackParcel", status=Status.SUCCEEDED)) == 2
    assert state.get("parcels", "17") == {"status": "there"}


@pytest.mark.parametrize("key", ["id", "parcel", "status"])
def test_what_is_no_event_is_the_senders_mistake(project: Project, settings: Any, key: str) -> None:
    settings.PARCELS_SECRET = SECRET
    event = {"id": "1" * 255, "parcel": "~" * 255, "status": ""}
    wrong: list[Any] = (
        [5, None, [], True] if key == "status" else [5, None, [], "", "1" * 256, "\x00", "1\n"]
    )
    with followed(project, "A webhook") as client:
        assert [told(client, {**event, key: each}) for each in wrong] == [400] * len(wrong)
        assert told(client, event) == 202


# -- webhooks to your customers


class Customer(HTTPServer):
    """A customer's server: it keeps what it is sent, and answers as it is told to."""

    status = 500
    retry_after = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.address = f"http://127.0.0.1:{self.server_port}/"
        self.got: list[tuple[bytes, str]] = []


class _Answer(BaseHTTPRequestHandler):
    server: Customer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((body, self.headers["X-Signature"]))
        self.send_response(self.server.status)
        if self.server.retry_after:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def customer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Customer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Customer() as running:
        thread = Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def packed(*orders: str, by: str) -> None:
    for each in orders:
        enqueue({"topic": "order.packed", "data": {"id": each, "customer": by}})
    for step in ("ShipOrder", "TellCustomer"):
        deliver([each.id for each in rows(step=step, status=Status.QUEUED)])


def test_one_customer_who_is_away_holds_up_nobody_and_is_told_in_order_when_he_is_back(
    project: Project, settings: Any, customer: Customer
) -> None:
    known = {"address": customer.address, "secret": SECRET}
    settings.CUSTOMERS = {"acme": known, "globex": known}
    with followed(project, "Webhooks to your customers"):
        packed("1", "2", by="acme")
        packed("3", by="globex")
        call_command("motia_steps", "cancel", "--key", "customer=globex", "--yes")
        customer.status = 204
        call_command("motia_steps", "retry", "--key", "customer=acme", "--yes")
        work_off()
    told = [json.loads(body) for body, _ in customer.got]
    assert [each["order"] for each in told] == ["1", "3", "1", "2"]
    assert len({each["id"] for each in told}) == 3
    signer = signed_by("X-Signature", lambda: SECRET)
    assert all(signer.sign(body) == {"X-Signature": given} for body, given in customer.got)
    found = {each.input["order"]: each.status for each in rows(step="TellCustomer")}
    succeeded, cancelled = Status.SUCCEEDED, Status.CANCELLED
    assert found == {"1": succeeded, "2": succeeded, "3": cancelled}


def test_a_customer_is_tried_for_a_day(project: Project) -> None:
    with followed(project, "Webhooks to your customers"):
        delivery = registry().step("TellCustomer").triggers[0].delivery
        waits = [delivery.backoff(each, lambda *_: 1.0).total_seconds() for each in range(1, 21)]
    assert waits[:3] == [1, 2, 4]
    assert waits[11:13] == [2048, 3600]
    assert delivery.retry_for == 24 * 3600


@pytest.mark.parametrize(
    ("retry_after", "pause"), [("2", 2), ("90000", 3600), ("Fri, 01 Jan 2100 00:00:00 GMT", 3600)]
)
def test_a_customer_who_asks_to_wait_is_told_when_he_says(
    project: Project, settings: Any, customer: Customer, retry_after: str, pause: float
) -> None:
    settings.CUSTOMERS = {"acme": {"address": customer.address, "secret": SECRET}}
    customer.status, customer.retry_after = 429, retry_after
    with followed(project, "Webhooks to your customers"):
        packed("1", by="acme")
        for _ in range(5):
            [waiting] = rows(step="TellCustomer")
            assert (waiting.status, waiting.attempt, waiting.error) == (Status.SCHEDULED, 0, "")
            assert waiting.wake_at is not None
            left = (waiting.wake_at - timezone.now()).total_seconds()
            assert pause - 60 < left <= pause
            let_time_pass(waiting.id)
            deliver([waiting.id])
        customer.status, customer.retry_after = 204, ""
        let_time_pass(waiting.id)
        work_off()
    [told] = rows(step="TellCustomer")
    assert (told.status, told.attempt) == (Status.SUCCEEDED, 1)


# -- a file to work through

PRICES = '\ufeffproduct,price\napple,1\npear,2\n"plum,\nred",3\n'


@pytest.fixture
def storage(tmp_path: Path, settings: Any) -> Path:
    """Keep uploads in a folder of the test's own."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def test_a_file_is_uploaded_and_worked_through(project: Project, storage: Path) -> None:
    file = SimpleUploadedFile("prices.csv", PRICES.encode())
    with followed(project, "A file to work through") as client:
        answer = client.post("/price-lists", {"file": file})
        assert answer.status_code == 202
        work_off()
    assert dict(state.items("prices")) == {"apple": "1", "pear": "2", "plum,\nred": "3"}
    assert state.get("price lists", answer.json()["list"]) == {"rows": 3}
    assert list(storage.glob("prices/*.csv"))


def test_an_attempt_goes_on_where_the_last_one_ended(project: Project, storage: Path) -> None:
    from django.core.files.storage import default_storage

    file = default_storage.save("prices/1.csv", ContentFile(PRICES.encode()))
    state.set("price lists", "1", {"rows": 2})
    with followed(project, "A file to work through"):
        enqueue({"topic": "prices.uploaded", "data": {"list": "1", "file": file}})
        work_off()
    assert dict(state.items("prices")) == {"plum,\nred": "3"}
    assert state.get("price lists", "1") == {"rows": 3}


# -- a digest by mail


def test_each_reader_gets_one_mail_though_a_message_comes_again(project: Project) -> None:
    for name, email in [("ada", "ada@example.com"), ("bob", "bob@example.com"), ("eve", "")]:
        User.objects.create(username=name, email=email)
    with followed(project, "A digest by mail"):
        dispatch.tick("SendDigests", 0, datetime(2026, 11, 29, 6, tzinfo=UTC))
        work_off()
        [first, _] = rows(step="SendDigest")
        assert first.input["day"] == "2026-11-29"
        gone = {**first.input, "user": 0}
        enqueue([{"topic": "digest.due", "data": each} for each in (first.input, gone)])
        work_off()
        assert ledger.found_by_key("user=0") == [each.id for each in rows(status=Status.DEAD)]
    assert [each.to for each in mail.outbox] == [["ada@example.com"], ["bob@example.com"]]


# -- an approval


def claimed(*ids: str) -> None:
    enqueue([{"topic": "expense.claimed", "data": {"id": each, "amount": 80}} for each in ids])
    work_off()


def test_what_is_approved_is_paid_once_and_what_is_refused_is_not(project: Project) -> None:
    with followed(project, "An approval") as client:
        claimed("1", "2")
        assert post(client, {"approve": True}, "/expenses/1/decision").status_code == 403
        logged_in(client, "ada", is_staff=True)
        answer = post(client, {"approve": True}, "/expenses/1/decision")
        assert answer.json() == {"status": "approved", "amount": 80, "by": "ada"}
        assert post(client, {"approve": False}, "/expenses/1/decision").status_code == 409
        assert post(client, {"approve": False}, "/expenses/2/decision").status_code == 200
        assert post(client, {"approve": True}, "/expenses/3/decision").status_code == 404
        work_off()
    [paid] = rows(step="PayExpense")
    assert (paid.source, paid.status) == ("approvals/1", Status.SUCCEEDED)


def test_what_nobody_decides_is_closed_when_its_time_is_over(project: Project) -> None:
    with followed(project, "An approval") as client:
        claimed("1", "2")
        logged_in(client, "ada", is_staff=True)
        post(client, {"approve": True}, "/expenses/1/decision")
        for waiting in rows(step="CloseOverdue", status=Status.SCHEDULED):
            let_time_pass(waiting.id)
        work_off()
        assert post(client, {"approve": True}, "/expenses/2/decision").status_code == 409
    assert [each["status"] for each in state.list("approvals")] == ["approved", "overdue"]


# -- an approval that holds up what is behind it


def asked(id: str, amount: int, by: str) -> str:
    message = {"topic": "payout.asked", "data": {"id": id, "amount": amount}}
    [run_id] = enqueue({**message, "messageGroupId": by})
    return run_id


def test_what_waits_for_a_person_holds_up_its_customer_alone(project: Project) -> None:
    with followed(project, "An approval that holds up what is behind it") as client:
        large, behind = asked("1", 5000, "acme"), asked("2", 10, "acme")
        other, refused = asked("3", 10, "globex"), asked("4", 5000, "zenith")
        work_off_turns()
        statuses = {each: row(each).status for each in (large, behind, other, refused)}
        assert list(statuses.values()) == ["scheduled", "queued", "succeeded", "scheduled"]
        logged_in(client, "ada", is_staff=True)
        assert post(client, {"approve": True}, "/payouts/1/decision").status_code == 200
        assert post(client, {"approve": True}, "/payouts/1/decision").status_code == 409
        assert post(client, {"approve": False}, "/payouts/4/decision").status_code == 200
        work_off_turns()
    paid = [row(each).output["paid"] for each in (large, behind, other, refused)]
    assert paid == [5000, 10, 10, 0]


def test_of_what_waits_for_a_person_the_run_that_was_started_again_is_woken(
    project: Project,
) -> None:
    with followed(project, "An approval that holds up what is behind it") as client:
        again = started_again(asked("1", 5000, "acme"))
        logged_in(client, "ada", is_staff=True)
        assert post(client, {"approve": True}, "/payouts/1/decision").status_code == 200
        work_off_turns()
    assert row(again).output["paid"] == 5000


def started_again(run_id: str) -> UUID:
    """Cancel a run that waits, and run it again as an operator does; return the new one's id."""
    work_off_turns()
    operations.cancel(UUID(run_id), by="ada")
    again = repeats.rerun(UUID(run_id), by="ada")
    work_off_turns()
    return again


def test_what_nobody_approves_is_told_of_and_holds_up_nobody(project: Project) -> None:
    with followed(project, "An approval that holds up what is behind it"):
        large, behind = asked("1", 5000, "acme"), asked("2", 10, "acme")
        work_off_turns()
        long_ago = timezone.now() - timedelta(days=3)
        models.Run.objects.filter(id=large).update(tried_since=long_ago)
        let_time_pass(large)
        work_off_turns()
        assert (row(large).status, row(behind).status) == ("cancelled", "succeeded")
        assert [each.status for each in rows(step="TellOfPayout")] == ["succeeded"]


def work_off_turns() -> None:
    """Deliver what is queued, first to last, again and again: what is not its turn stands back."""
    for _ in range(12):
        deliver([each.id for each in rows(status=Status.QUEUED)])


# -- a flow of several steps, in order


def placed(id: str, by: str, count: int = 1) -> str:
    message = {"topic": "order.placed", "data": {"id": id, "count": count}}
    [run_id] = enqueue({**message, "messageGroupId": by})
    return run_id


def ended(*conductors: str) -> list[str]:
    return [str(row(each).output["ended"]) for each in conductors]


def reserved() -> list[str]:
    return [each.input["id"] for each in rows(step="ReserveGoods")]


def test_an_order_waits_until_the_one_before_it_of_its_customer_is_over(project: Project) -> None:
    with followed(project, "A flow of several Steps, in order"):
        first, behind, other = placed("1", "acme"), placed("2", "acme"), placed("3", "globex")
        deliver([first, behind, other])
        assert [row(each).status for each in (first, behind, other)] == [
            "scheduled",
            "queued",
            "scheduled",
        ]
        assert reserved() == ["1", "3"]
        work_off_turns()
    assert ended(first, behind, other) == ["shipped"] * 3
    assert reserved() == ["1", "3", "2"]
    assert models.RunKey.objects.filter(name="orderId", value=keys.kept("2")).count() == 3


def test_an_order_whose_conductor_was_started_again_wakes_that(project: Project) -> None:
    with followed(project, "A flow of several Steps, in order"):
        first = placed("1", "acme")
        deliver([first])
        operations.cancel(UUID(first), by="ada")
        again = repeats.rerun(UUID(first), by="ada")
        deliver([again])
        work_off_turns()
        assert ended(str(again)) == ["shipped"]
        assert reserved() == ["1"]


def test_an_order_of_which_a_step_dies_lets_the_next_one_go_on(project: Project) -> None:
    with followed(project, "A flow of several Steps, in order"):
        broken, behind = placed("1", "acme", count=11), placed("2", "acme")
        work_off_turns()
        assert ended(broken, behind) == ["failed", "shipped"]
        assert state.get("orders", "1")["by"] == "ReserveGoods"
        [dead] = rows(status=Status.DEAD)
        assert dead.step == "ReserveGoods"


def test_an_order_that_nobody_ends_is_closed_and_cannot_be_shipped_later(project: Project) -> None:
    with followed(project, "A flow of several Steps, in order"):
        first, behind = placed("1", "acme"), placed("2", "acme")
        deliver([first])
        [lost] = rows(step="ReserveGoods")
        models.Run.objects.filter(id=lost.id).update(status=Status.CANCELLED)
        long_ago = timezone.now() - timedelta(days=3)
        models.Run.objects.filter(id=first).update(tried_since=long_ago)
        let_time_pass(first)
        work_off_turns()
        assert (row(first).status, ended(behind)) == ("dead", ["shipped"])
        assert state.get("orders", "1")["status"] == "failed"
        enqueue("goods.reserved", lost.input)
        work_off_turns()
        assert state.get("orders", "1")["status"] == "failed"


# -- the answer of a language model


def test_an_answer_is_there_to_be_followed_by_who_asked(project: Project) -> None:
    recipe = "The answer of a language model"
    with followed(project, recipe) as client:
        assert post(client, {"text": "Why?"}, "/questions").status_code == 403
        ada = logged_in(client, "ada")
        answer = post(client, {"text": "Why?"}, "/questions").json()["answer"]
        assert streams.answers.get(str(ada.pk), answer)["done"] is False
        work_off()
        [item] = streams.answers.list(str(ada.pk))
    assert item == {"id": answer, "text": "You asked: Why? ", "done": True}


# -- tenants


def test_a_report_is_its_tenants_and_its_runs_are_found(project: Project) -> None:
    with followed(project, "Tenants") as client:
        for name in ("acme", "globex"):
            logged_in(client, name).groups.add(Group.objects.create(name=name))
            assert post(client, {"tenant": "other"}, "/reports").status_code == 202
        logged_in(client, "nobody")
        assert post(client, {}, "/reports").status_code == 403
        work_off()
        [run] = rows(step="MakeReport", id__in=ledger.found_by_key("tenant=acme"))
    assert run.input["tenant"] == "acme"
    assert state.list_groups() == ["reports of acme", "reports of globex"]
