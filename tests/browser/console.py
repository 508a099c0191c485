"""The console of a running project, in a browser: what the tests that look at its pages share."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import console_pages
from tests.browser.chromium import complaints
from tests.browser.policy import POLICY
from tests.journeys.running import Project, sample_project

HERE = Path(__file__).parent
NARROW = {"width": 390, "height": 800}
WIDE = {"width": 1280, "height": 800}
THUMB = 44
"""Pixels that what is pressed is high at least, on a phone."""


@dataclass
class Console:
    """The sample project with something of everything in it, and a browser."""

    project: Project
    browser: Browser
    known: dict[str, str]
    policy: str | None = POLICY
    errors: list[str] = field(default_factory=list)

    def context(self, **options: Any) -> BrowserContext:
        """Return a browser in which the superuser is logged in."""
        context = self.browser.new_context(**{"viewport": WIDE, **options})
        name, value = settings.SESSION_COOKIE_NAME, self.known["session"]
        context.add_cookies([{"name": name, "value": value, "url": self.url("/")}])
        context.add_init_script(path=HERE / "violations.js")
        return context

    def page(self, context: BrowserContext) -> Page:
        """Return a page whose complaints are gathered."""
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.extend(complaints(line)))
        return page

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.project.port}{path}"

    def open(self, page: Page, address: str) -> None:
        """Open an address of the table; it has to be there."""
        response = page.goto(self.url(console_pages.path(address, self.known)))
        assert response is not None
        told = response.headers.get("content-security-policy")
        assert (response.status, told) == (200, self.policy)


@contextmanager
def running(
    folder: Path, browser: Browser, settings: str, policy: str | None = POLICY
) -> Iterator[Console]:
    """Run the sample project's web server, under these settings and full of data."""
    with sample_project(folder, None, "memory://") as project:
        project.environment["DJANGO_SETTINGS_MODULE"] = settings
        known = filled(project)
        project.start_web()
        yield Console(project, browser, known, policy)


def filled(project: Project) -> dict[str, str]:
    """Fill the project's database; return where things are."""
    project.environment["CELERY_TASK_ALWAYS_EAGER"] = "1"
    filling = project.start("filling", [sys.executable, "-m", "tests.browser.filling"])
    assert filling.wait(60) == 0, project.all_logs()
    project.environment["CELERY_TASK_ALWAYS_EAGER"] = "0"
    last = project.log("filling").strip().splitlines()[-1]
    return dict(json.loads(last))


def sticking_out(page: Page) -> list[str]:
    """Return what makes the page, or a part that is neither picture nor code, scroll sideways."""
    script = """() => {
        const width = document.documentElement.clientWidth;
        const isCut = (each) => each.scrollWidth > each.clientWidth + 1
            && ["auto", "scroll"].includes(getComputedStyle(each).overflowX)
            && !each.matches(".motia-canvas, pre, textarea");
        const isOut = (each) => each.getBoundingClientRect().right > width + 1;
        const isWide = document.scrollingElement.scrollWidth > width;
        return [...document.querySelectorAll("body *")]
            .filter((each) => isCut(each) || isWide && isOut(each))
            .map((each) => each.outerHTML.slice(0, 200)).slice(0, 5);
    }"""
    return list(page.evaluate(script))


def hard_to_press(page: Page) -> list[str]:
    """Return our buttons that are smaller than a thumb."""
    script = """(thumb) => {
        const places = ".motia-page :is(.motia-doing, .motia-deeds, .submit-row)";
        return [...document.querySelectorAll(`${places} :is(.button, [type=submit])`)]
            .filter((each) => each.getClientRects().length && each.offsetHeight < thumb)
            .map((each) => `${each.offsetHeight} px: ${each.outerHTML.slice(0, 200)}`);
    }"""
    return list(page.evaluate(script, THUMB))
