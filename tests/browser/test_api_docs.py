"""The sample project's description of its API, in a browser without any other host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.running import Project, sample_project
from tests.servers import fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def project(tmp_path: Path, redis_server: str) -> Iterator[Project]:
    """The sample project under uvicorn."""
    with sample_project(tmp_path, None, fresh_redis()) as started:
        started.start_asgi()
        yield started


def test_each_step_is_described_and_can_be_tried_without_another_host(
    project: Project, page: Page
) -> None:
    hosts: set[str | None] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.goto(f"http://127.0.0.1:{project.port}/api/docs/")
    expect(page.locator(".opblock")).to_have_count(6)
    expect(page.locator(".opblock-tag")).to_have_text(["greetings", "orders", "catalog", "todos"])
    page.click("#operations-todos-CreateTodo .opblock-summary-control")
    page.click("#operations-todos-CreateTodo .try-out__btn")
    page.fill("#operations-todos-CreateTodo textarea", '{"title": "Read the description"}')
    page.click("#operations-todos-CreateTodo .execute")
    answer = page.locator("#operations-todos-CreateTodo .live-responses-table .response")
    expect(answer).to_contain_text("Read the description")
    expect(answer.locator(".response-col_status")).to_contain_text("201")
    assert hosts - {"127.0.0.1", None, ""} == set()
