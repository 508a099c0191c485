"""A real browser for tests that look at pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A real browser, for the tests of one folder: while it is there, no other loop can run."""
    chromium = shutil.which("chromium")
    if chromium is None:
        message = "chromium is not installed (Debian's package chromium)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of it, with cookies of its own; an error on its console fails the test."""
    errors: list[str] = []
    opened = browser.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda line: errors.extend(complaints(line)))
    yield opened
    opened.close()
    assert errors == [], errors


def complaints(line: ConsoleMessage) -> list[str]:
    """Return a console line if it is an error; the sample project has no favicon.

    That a server was not there is none, nor that a proxy says so: tests end servers.
    """
    is_away = "net::ERR_" in line.text or "status of 502" in line.text
    is_expected = line.location["url"].endswith("/favicon.ico") or is_away
    wanted = line.type == "error" and not is_expected
    return [f"{line.location['url']}: {line.text}"] if wanted else []
