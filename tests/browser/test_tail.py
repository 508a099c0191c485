"""The live tail of a stream's group, in a real browser, under Django's own server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.running import Project, sample_project

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(240)]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The sample project, running under WSGI with a strict policy, with the demo's user."""
    with sample_project(tmp_path, None, "memory://") as started:
        started.environment["DJANGO_SETTINGS_MODULE"] = "tests.browser.settings"
        started.python("from scripts.make_demo_admin import main; main()")
        started.start_web()
        yield started


def tell(project: Project, *texts: str) -> None:
    """Send events to the group."""
    sends = "; ".join(
        f"streams.orders.send('board', 'notice', {{'text': {each!r}}})" for each in texts
    )
    project.python(f"from motia_django import streams; {sends}")


def test_what_is_told_appears_on_top_and_can_be_held_and_cleared(
    project: Project, page: Page
) -> None:
    tell(project, "first", "<b>second</b>")
    page.goto(f"http://127.0.0.1:{project.port}/admin/motia/streamitem/groups/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin")
    page.click("[type=submit]")
    page.click("text=board")
    rows = page.locator("#tail tbody tr")
    expect(rows).to_have_count(2)
    expect(page.locator("#tail-status")).to_contain_text("live")
    expect(page.locator("#tail-refresh")).to_be_hidden()

    tell(project, "<script>third</script>", "fourth")
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text("fourth")
    expect(rows.nth(1)).to_contain_text("<script>third</script>")
    assert page.locator("#tail script, #tail b").count() == 0

    page.get_by_role("button", name="Pause").press("Enter")
    expect(page.locator("#tail-status")).to_have_text("paused")
    tell(project, "fifth")
    page.wait_for_timeout(4500)
    expect(rows).to_have_count(4)
    page.get_by_role("button", name="Go on").click()
    expect(rows).to_have_count(5)
    expect(rows.nth(0)).to_contain_text("fifth")

    page.get_by_role("button", name="Clear").click()
    expect(rows).to_have_count(0)
    tell(project, "sixth")
    expect(rows).to_have_count(1)

    page.context.clear_cookies()
    expect(page.locator("#tail-status")).to_contain_text("logged out", timeout=10_000)
