"""Take the pictures of the documentation: the sample project, running, in a real browser."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.chromium import FLAGS
from tests.journeys.running import Project, sample_project
from tests.servers.redis import Redis

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
ORDERS = (("Ada Lovelace", "120"), ("Grace Hopper", "80"), ("Alan Turing", "42.50"))


def main() -> None:
    """Start everything, take each picture, stop everything."""
    IMAGES.mkdir(exist_ok=True)
    redis = Redis()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            (home := Path(folder, "redis")).mkdir()
            with sample_project(Path(folder), None, redis.start(home)) as project:
                project.start_worker()
                project.start_asgi()
                live(project, browser.new_page(viewport={"width": 900, "height": 400}))
        finally:
            browser.close()
            redis.stop()


def live(project: Project, page: Page) -> None:
    """Three orders on their way, on the live page."""
    page.goto(f"http://127.0.0.1:{project.port}/live/")
    for number, (customer, amount) in enumerate(ORDERS, 1):
        page.fill("[name=customer]", customer)
        page.fill("[name=amount]", amount)
        page.click("button")
        expect(page.locator("#orders tr")).to_have_count(number)
        page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / "live.png")


if __name__ == "__main__":
    main()
