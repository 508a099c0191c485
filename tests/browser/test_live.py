"""The sample project's live page: an order gets on in the browser while Steps work on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.running import Project, eventually, sample_project
from tests.servers import fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def project(tmp_path: Path, redis_server: str) -> Iterator[Project]:
    """The sample project under uvicorn, with a worker and somebody who may log in."""
    with sample_project(tmp_path, None, fresh_redis()) as started:
        started.start_worker()
        started.start_asgi()
        yield started


def order(page: Page, customer: str, amount: str) -> None:
    """Place an order on the page."""
    page.fill("[name=customer]", customer)
    page.fill("[name=amount]", amount)
    page.click("button")
    expect(page.locator("#answer")).to_have_text("accepted")


def stored(project: Project) -> list[list[str]]:
    """Return the orders as they are stored, as the page shows them."""
    program = (
        "import json; from motia_django import Stream;"
        "print(json.dumps(Stream('orders').list('board')))"
    )
    orders = json.loads(project.python(program))
    return [[each["customer"], each["status"], str(each["percent"])] for each in orders]


def shown(page: Page) -> list[list[str]]:
    """Return the orders on the page, in the order of their ids."""
    rows = page.locator("#orders tr").evaluate_all(
        "rows => rows.sort((a, b) => a.id < b.id ? -1 : 1).map(({cells}) => [cells[1].innerText,"
        " cells[3].innerText, String(cells[4].querySelector('progress').value)])"
    )
    return [list(row) for row in rows]


def test_an_order_gets_on_before_ones_eyes_whoever_is_looking(project: Project, page: Page) -> None:
    page.goto(f"http://127.0.0.1:{project.port}/live/")
    expect(page.locator("#connection")).to_have_text("connected")
    seen: list[str] = []

    def saw(percent: str) -> None:
        seen.append(percent)

    page.expose_function("saw", saw)
    page.evaluate(
        "new MutationObserver((records) => records.flatMap((record) => [...record.addedNodes])"
        ".forEach((row) => saw(String(row.querySelector('progress').value))))"
        ".observe(document.getElementById('orders'), {childList: true})"
    )
    order(page, "Ada <b>Lovelace</b>", "120")
    expect(page.locator("#orders tr")).to_have_attribute("data-status", "packed", timeout=20_000)
    assert "Ada <b>Lovelace</b>" in page.locator("#orders").inner_text()
    numbers = [int(each) for each in seen]
    assert numbers == sorted(numbers), "it never went back"
    assert {10, 40, 50, 60, 70, 80, 90} <= set(numbers), "each step on the way was seen"

    order_id = page.locator("#orders tr").get_attribute("id").removeprefix("order-")  # type: ignore[union-attr]
    assert project.call("PUT", f"/orders/{order_id}/ship").status == 200
    expect(page.locator("#orders tr")).to_have_attribute("data-status", "shipped", timeout=20_000)


def test_a_killed_worker_and_a_cut_connection_leave_the_page_with_what_is_stored(
    project: Project, page: Page
) -> None:
    page.goto(f"http://127.0.0.1:{project.port}/live/")
    expect(page.locator("#connection")).to_have_text("connected")
    for customer in ("ada", "bob", "eve"):
        order(page, customer, "120")
    expect(page.locator("#orders tr")).to_have_count(3)
    project.kill("worker")
    project.kill("asgi")
    expect(page.locator("#connection")).to_have_text("reconnecting")
    project.start_worker("second")

    def are_packed() -> bool:
        return [status for _, status, _ in stored(project)] == ["packed"] * 3

    project.start_asgi("again")
    expect(page.locator("#connection")).to_have_text("connected", timeout=20_000)
    eventually(are_packed, project.all_logs)
    eventually(lambda: shown(page) == stored(project), lambda: f"{shown(page)} {stored(project)}")
