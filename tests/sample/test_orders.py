"""The order flow, as a project tests its Steps: see docs/testing.md."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from motia_django.testing import Motia


def test_an_order_is_charged_packed_and_shown(motia: Motia, hurried: None) -> None:
    answer = motia.http("POST", "/orders", json={"customer": "Ada", "amount": 50})
    assert answer.status == 202
    trace = motia.drain()
    assert motia.state.get("orders", answer.json["orderId"])["status"] == "packed"
    shown = [each.data["percent"] for each in motia.streamed("orders")]
    assert shown == [10, 10, 40, 50, 60, 70, 80, 90]
    assert [run.status for run in trace.of("ReviewLargeOrder")] == ["skipped"]
    assert [run.output["by"] for run in trace.of("CapturePayment")] == ["nobody"]


def test_an_order_whose_card_refuses_is_followed_up(motia: Motia) -> None:
    answer = motia.http("POST", "/orders", json={"customer": "Ada", "amount": 20_000})
    drawn = str(motia.drain())
    assert drawn == (
        "CreateOrder by http POST /orders: succeeded, 202\n"
        "├─ AuditOrders by state orders/<id 1>: succeeded\n"
        "├─ ShowOrder by state orders/<id 1>: succeeded\n"
        "├─ ChargeOrder by queue order.created: succeeded\n"
        "│  ├─ ProcessPayment by invoke: dead\n"
        "│  │     attempt 1: ValueError: The card refused 20000.00\n"
        "│  └─ FollowUpFailedOrder by queue order.failed: succeeded\n"
        "│     ├─ AuditOrders by state orders/<id 1>: succeeded\n"
        "│     └─ ShowOrder by state orders/<id 1>: succeeded\n"
        "└─ ReviewLargeOrder by queue order.created: succeeded"
    )
    assert motia.state.get("orders", answer.json["orderId"])["status"] == "failed"


def test_an_order_too_large_for_any_box_is_not_packed(motia: Motia, hurried: None) -> None:
    paid, new = ({"customer": "Ada", "amount": 6000, "status": each} for each in ("paid", "new"))
    with pytest.raises(RuntimeError, match="No box is large enough for order 17"):
        motia.state_change("orders", "17", paid, old=new)
        motia.drain(scheduled=True)


def test_the_payment_provider_may_be_down_for_a_while(motia: Motia) -> None:
    motia.fail("CapturePayment", times=2, error=OSError("the provider is down"))
    motia.queue("payment.requested", {"orderId": "17", "amount": 5})
    motia.drain(scheduled=True)
    [captured] = motia.runs.of("CapturePayment")
    assert (captured.status, captured.attempt) == ("succeeded", 3)
    assert captured.output["captured"] == "pay-17"


@pytest.mark.parametrize(
    ("address", "status", "attempts"),
    [
        ("ada@mail.example", "succeeded", 1),
        ("Ada", "succeeded", 1),
        ("ada@busy.example", "succeeded", 3),
        ("ada@silent.example", "dead", 6),
        ("ada@gone.example", "dead", 1),
    ],
)
def test_mail_servers_have_their_moods(
    motia: Motia, address: str, status: str, attempts: int
) -> None:
    motia.state.set("orders", "17", {"customer": address, "amount": 5, "status": "shipped"})
    motia.drain(scheduled=True, raises=False)
    [email] = motia.runs.of("SendEmail")
    assert (email.status, email.attempt) == (status, attempts)
    assert bool(motia.state.get("counters", "emails")) is (status == "succeeded")


def test_an_order_is_shipped_once_there_is_one(motia: Motia) -> None:
    assert motia.http("PUT", "/orders/17/ship").json == {"error": "No such order"}
    order = {"orderId": "17", "customer": "Ada", "amount": 5, "status": "packed"}
    motia.state.set("orders", "17", order)
    assert motia.http("PUT", "/orders/17/ship").json["status"] == "shipped"
    motia.drain()
    assert motia.enqueued("email.send") == [{"orderId": "17"}]
    assert motia.streams.orders.get("board", "17")["percent"] == 100


def test_where_an_order_is_has_one_answer_whatever_began_where(motia: Motia, hurried: None) -> None:
    order = motia.http("POST", "/orders", json={"customer": "Ada", "amount": 50}).json["orderId"]
    motia.http("POST", "/orders", json={"customer": "Bob", "amount": 60})
    motia.drain()
    motia.http("PUT", f"/orders/{order}/ship")
    motia.drain()
    story = [run for run in motia.runs if f"orderId={order}" in run.keys]
    told = [run.step for run in story]
    assert (told[0], told[-2:]) == ("CreateOrder", ["ShipOrder", "SendEmail"])
    assert {*told[1:-2]} == {
        "ChargeOrder", "ReviewLargeOrder", "ProcessPayment", "CapturePayment", "PackOrder",
    }  # fmt: skip
    assert len({run.trace_id for run in story}) == 2
    with StringIO() as out:
        call_command("motia_steps", "trace", f"orderId={order}", stdout=out)
        traces = out.getvalue().split("\ntrace ")
    assert ["ShipOrder" in each for each in traces] == [False, True]
    assert "CreateOrder" in traces[0] and "Bob" not in "".join(traces)


def test_each_user_is_reminded_once_an_hour(motia: Motia) -> None:
    motia.state.set_many("users", {name: {"id": name} for name in ("ada", "bob")})
    motia.cron("RemindUsers", at="2026-03-01 08:00")
    assert motia.enqueued("user.process") == [{"userId": "ada"}, {"userId": "bob"}]
    assert motia.cron("RemindUsers", at="2026-03-01 08:59") == []
    motia.drain()
    assert motia.state.get("users", "ada") == {"id": "ada", "reminders": 1}


def test_the_catalog_is_refreshed_whoever_asks(motia: Motia) -> None:
    assert motia.http("POST", "/process").json == {"refreshes": 1}
    motia.queue("process.requested")
    motia.cron("RefreshCatalog")
    assert [log.fields["by"] for log in motia.logs] == ["http", "queue", "cron"]
    assert motia.state.get("catalog", "main") == {"refreshes": 3}
