from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.running import Project, eventually, sample_project
from tests.servers import fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def project(tmp_path: Path, redis_server: str) -> Iterator[Project]:
    """The sample project, running, with the demo's user."""
    with sample_project(tmp_path, None, fresh_redis()) as started:
        started.python("from scripts.make_demo_admin import main; main()")
        started.start_worker()
        started.start_web()
        yield started


def test_the_tutorials_runs_are_in_the_admin_under_one_trace(project: Project, page: Page) -> None:
    created = project.call("POST", "/todos", {"title": "<b>Learn</b> Motia"})
    trace = created.headers["Motia-Trace-Id"]
    eventually(lambda: project.runs(step="ProcessTodo", status="succeeded"), project.all_logs)

    page.goto(f"http://127.0.0.1:{project.port}/admin/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin")
    page.click("[type=submit]")
    page.click("text=Runs")
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    page.click("#result_list >> text=ProcessTodo")
    expect(page.locator("#content")).to_contain_text(trace)
    expect(page.locator("#content")).to_contain_text("Todo processed")

    page.click(f"text={trace}")
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    page.click("#result_list >> text=CreateTodo")
    expect(page.locator("#content")).to_contain_text("<b>Learn</b> Motia")


def test_a_dead_run_is_redriven_with_an_edited_input_and_succeeds(
    project: Project, page: Page
) -> None:
    message = '{"orderId": "17", "amount": "much"}'
    project.look("enqueue", "payment.requested", "--data", message, "--anyway")
    [dead] = eventually(lambda: project.runs(step="ProcessPayment", status="dead"))

    page.goto(f"http://127.0.0.1:{project.port}/admin/motia/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin")
    page.click("[type=submit]")
    page.click("text=Dead letters")
    page.click("#content th a >> text=is invalid: amount")
    page.click(f"a[href*='{dead['id']}']")
    expect(page.locator(".motia-problem")).to_contain_text("amount")
    page.click("input[value=Redrive]")
    expect(page.locator(".errornote")).to_contain_text("is invalid: amount")
    page.click("text=The run")
    page.click("text=Redrive with edited input")
    page.fill("textarea", '{"orderId": "17", "amount": "5 euros"}')
    page.click("input[type=submit]")
    expect(page.locator(".errorlist")).to_contain_text("is invalid: amount")
    page.fill("textarea", '{"orderId": "17", "amount": 5}')
    page.fill("[name=reason]", "the shop has mended its form")
    page.click("input[type=submit]")
    expect(page.locator(".messagelist .success")).to_contain_text("1 run redriven.")

    [mended] = eventually(lambda: project.runs(step="ProcessPayment", status="succeeded"))
    assert mended["id"] == dead["id"]
    page.reload()
    expect(page.locator("h1 .motia-succeeded")).to_be_visible()
    expect(page.locator("#content")).to_contain_text("the shop has mended its form")


def test_a_state_item_edited_in_the_admin_starts_who_watches_it(
    project: Project, page: Page
) -> None:
    ordered = project.call("POST", "/orders", {"customer": "ada", "amount": 5})
    order_id = ordered.json["orderId"]
    eventually(lambda: project.runs(step="PackOrder", status="succeeded"), project.all_logs)

    page.goto(f"http://127.0.0.1:{project.port}/admin/motia/stateitem/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin")
    page.click("[type=submit]")
    page.click(f"#result_list >> text={order_id}")
    page.fill("textarea", '{"status": "shipped", "customer": "ada", "amount": 5}')
    page.click("[name=_save]")
    expect(page.locator(".messagelist .success")).to_be_visible()
    eventually(lambda: project.runs(step="SendEmail", status="succeeded"), project.all_logs)
