"""The recipe that gives the stock back when a payment is dead, whatever comes twice or late."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from motia_django import enqueue, operations, state
from motia_django.runs import Status
from tests.docs.recipes import followed
from tests.factories import deliver, let_time_pass, rows, work_off
from tests.projects import Project
from tests.web.serving import post

RECIPE = "Compensate when it finally fails"

pytestmark = pytest.mark.django_db


def ordered(client: Client, method: str) -> str:
    """Order two bicycles, of which there are ten; return the order's id."""
    state.set("stock", "bicycle", {"left": 10})
    order = {"product": "bicycle", "count": 2, "paymentMethod": method}
    answer = post(client, order, "/orders")
    assert answer.status_code == 202
    return str(answer.json()["id"])


def order_of(id: str) -> tuple[str, int]:
    """Return an order's state, and how often goods were taken for it."""
    order = state.get("orders", id)
    return order["status"], order["reservation"]


def test_an_order_that_the_stock_does_not_cover_leaves_nothing_behind(project: Project) -> None:
    with followed(project, RECIPE) as client:
        ordered(client, "good")
        order = {"product": "bicycle", "count": 9, "paymentMethod": "good"}
        assert post(client, order, "/orders").status_code == 409
        assert post(client, {**order, "product": "car"}, "/orders").status_code == 409
        assert post(client, {**order, "count": -1}, "/orders").status_code == 400
        assert post(client, {**order, "count": 8}, "/orders").status_code == 202
    assert state.get("stock", "bicycle") == {"left": 0}
    assert len(state.list("orders")) == 2


def test_the_stock_is_given_back_once_for_each_time_that_it_was_taken(project: Project) -> None:
    with followed(project, RECIPE) as client:
        order = ordered(client, "refused")
        assert state.get("stock", "bicycle") == {"left": 8}
        for reservation in (1, 2):
            work_off()
            assert order_of(order) == ("closed", reservation)
            assert state.get("stock", "bicycle") == {"left": 10}
            [dead] = rows(step="ChargeCard")
            operations.redrive(dead.id, by="ada")
        work_off()
        operations.redrive(dead.id, by="ada", input={**dead.input, "paymentMethod": "good"})
        work_off()
    assert order_of(order) == ("paid", 4)
    assert state.get("stock", "bicycle") == {"left": 8}
    assert [each.status for each in rows(step="GiveStockBack")] == [Status.SUCCEEDED] * 3


def test_a_payment_that_is_redriven_when_the_goods_are_sold_stays_dead(project: Project) -> None:
    with followed(project, RECIPE) as client:
        order = ordered(client, "refused")
        work_off()
        state.set("stock", "bicycle", {"left": 1})
        [dead] = rows(step="ChargeCard")
        operations.redrive(dead.id, by="ada")
        work_off()
    assert rows(step="ChargeCard", status=Status.DEAD)
    assert (order_of(order), state.get("stock", "bicycle")) == (("closed", 1), {"left": 1})


def test_a_payment_that_loses_to_the_closing_is_not_charged_anew(project: Project) -> None:
    with followed(project, RECIPE) as client:
        order = ordered(client, "good")
        state.set("orders", order, {"status": "closed"})
        [payment] = rows(step="ChargeCard")
        deliver([payment.id])
        closed = {"status": "closed", "product": "bicycle", "count": 2, "reservation": 1}
        state.set("orders", order, closed)
        let_time_pass(payment.id)
        work_off()
    assert rows(step="ChargeCard", status=Status.DEAD)
    assert (state.get("orders", order), state.get("stock", "bicycle")) == (closed, {"left": 8})


def test_a_payment_redriven_before_the_stock_is_given_back_is_paid(project: Project) -> None:
    with followed(project, RECIPE) as client:
        order = ordered(client, "refused")
        [payment] = rows(step="ChargeCard")
        deliver([payment.id])
        operations.redrive(payment.id, by="ada", input={**payment.input, "paymentMethod": "good"})
        deliver([payment.id])
        work_off()
    assert order_of(order) == ("paid", 1)
    assert state.get("stock", "bicycle") == {"left": 8}
    assert [each.status for each in rows(step="GiveStockBack")] == [Status.SUCCEEDED]


@pytest.mark.parametrize("paying", [None, [], "x", {}, {"id": 5}, {"id": "x" * 999}])
def test_a_payment_that_is_no_payment_dies_alone(project: Project, paying: Any) -> None:
    with followed(project, RECIPE):
        enqueue({"topic": "order.placed", "data": paying})
        work_off()
    assert [each.status for each in rows(step="ChargeCard")] == [Status.DEAD]
    assert [each.status for each in rows(step="GiveStockBack")] == [Status.SUCCEEDED]
