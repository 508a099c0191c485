"""Every page of the console in a real browser: both themes, narrow, by keyboard, without script.

A strict content security policy is on, and what breaks it fails the test, as does any error on the
browser's console. A new page needs one line in `console_pages.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, expect

from tests.browser import console_deeds, console_pages
from tests.browser.console import HERE, NARROW, WIDE, Console, running, sticking_out
from tests.journeys.running import eventually

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(240)]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Console]:
    folder = tmp_path_factory.mktemp("console")
    with running(folder, browser, "tests.browser.settings") as started:
        yield started


@pytest.fixture(scope="module")
def logged_in(console: Console) -> Iterator[BrowserContext]:
    context = console.context()
    yield context
    context.close()


@pytest.fixture
def page(console: Console, logged_in: BrowserContext) -> Iterator[Page]:
    console.errors.clear()
    opened = console.page(logged_in)
    yield opened
    opened.close()
    assert console.errors == []


@pytest.fixture(scope="module")
def without_script(console: Console) -> Iterator[BrowserContext]:
    context = console.context(java_script_enabled=False)
    yield context
    context.close()


@pytest.fixture
def plain(console: Console, without_script: BrowserContext) -> Iterator[Page]:
    """A page of a browser that runs no script."""
    opened = console.page(without_script)
    yield opened
    opened.close()


def test_every_page_of_the_admins_urls_is_looked_at() -> None:
    listed = {*console_pages.PAGES, *console_pages.NO_PAGES} - {"index", "app_list"}
    assert console_pages.names() == listed


@pytest.mark.parametrize("address", console_pages.addresses())
def test_a_page_is_sound_and_says_the_same_without_script(
    console: Console, page: Page, plain: Page, address: str
) -> None:
    """Sound is: in both themes, by axe's rules for accessibility, by keyboard, and on a phone."""

    def alike() -> bool:
        console.open(page, address)
        try:
            console.open(plain, address)
            return headings(plain) == headings(page) != []
        except Error as error:  # what goes on is loaded again by itself, perhaps in between
            if "navigation" not in str(error).lower():
                raise
            return False

    eventually(alike)  # what waits may go on between the two looks at it
    assert_sound(console, page)


@pytest.mark.parametrize("deed", console_deeds.LEADING)
def test_a_page_that_something_leads_to_is_sound(console: Console, page: Page, deed: str) -> None:
    start, act = console_deeds.LEADING[deed]
    console.open(page, start)
    act(page)
    assert_sound(console, page)


@pytest.mark.parametrize("deed", console_deeds.DONE)
def test_a_deed_is_done_without_script(console: Console, plain: Page, deed: str) -> None:
    start, act, told = console_deeds.DONE[deed]
    console.open(plain, start)
    act(plain)
    expect(plain.locator(".messagelist .success")).to_contain_text(told)


def test_a_list_of_runs_keeps_itself_fresh_unless_somebody_is_at_work_in_it(
    console: Console, page: Page
) -> None:
    rows, first = page.locator("#result_list tbody tr"), "#result_list tbody tr:first-child"
    page.clock.install()
    console.open(page, "motia_run_changelist ?step=ListTodos")
    before = rows.count()  # other tests may have asked for the todos, too
    console.project.call("GET", "/todos")
    eventually(lambda: after(page, 6_000, rows) == before + 1)
    console.project.call("GET", "/todos")
    eventually(lambda: after(page, 6_000, rows) == before + 2)
    page.check("#action-toggle")
    all_of_them = f"{before + 2} of {before + 2}"
    expect(page.locator(".action-counter:visible")).to_contain_text(all_of_them)
    console.project.call("GET", "/todos")
    page.clock.fast_forward(60_000)
    expect(rows).to_have_count(before + 2)
    page.uncheck("#action-toggle")
    page.locator("#searchbar").focus()
    eventually(lambda: after(page, 6_000, rows) == before + 3)
    page.check(f"{first} [type=checkbox]")
    expect(page.locator(f"{first}.selected")).to_have_count(1)


@pytest.mark.parametrize("width", [1300, 1200, 1024, 850])
def test_the_list_of_runs_has_room_beside_its_filters(
    console: Console, page: Page, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    console.open(page, "motia_run_changelist ?status=dead")
    listed = page.locator("#result_list")
    assert listed.evaluate("e => e.scrollWidth - e.parentElement.clientWidth") <= 0
    step, status = (listed.locator(f".field-{each}").first for each in ("name", "standing"))
    name, standing = step.bounding_box(), status.bounding_box()
    assert name and standing
    is_beside = standing["x"] >= name["x"] + name["width"]
    assert is_beside or standing["y"] >= name["y"] + name["height"]


def test_a_run_that_goes_on_is_followed_to_its_end(console: Console, page: Page) -> None:
    page.clock.install()
    console.open(page, "motia_run_change {waiting}")
    expect(page.locator("#motia-status")).to_have_text("queued")
    assert "cancelled" in console.project.look("cancel", console.known["waiting"], "--yes")
    page.clock.fast_forward(4_000)
    expect(page.locator("#motia-status")).to_have_text("cancelled")
    expect(page.locator("[data-motia-live]")).to_have_count(0)
    expect(page.locator("#content")).not_to_contain_text("Why it waits")


def test_a_page_says_when_it_is_not_kept_fresh_any_more(console: Console, page: Page) -> None:
    told, away = page.locator(".motia-live-note:not(:empty)"), "**/admin/motia/overview/"
    page.clock.install()
    console.open(page, "motia_overview_changelist ")
    page.route(away, lambda route: route.fulfill(status=302, headers={"Location": "/admin/login/"}))
    eventually(lambda: after(page, 61_000, told) == 1)
    page.unroute(away)
    eventually(lambda: after(page, 61_000, told) == 0)


def after(page: Page, milliseconds: int, counted: Locator) -> int:
    """Let time pass on the page, and a moment here; return how many there are then."""
    page.clock.fast_forward(milliseconds)
    page.wait_for_timeout(200)
    return counted.count()


def assert_sound(console: Console, page: Page) -> None:
    """Look at the page that is open; the window and the theme are as before afterwards."""
    expect(page.locator("h1").first).to_be_visible()
    assert unreached(page) == []
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    assert sticking_out(page) == []
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    assert console.errors == []
    page.evaluate(AXE_SCRIPT)
    assert faults(page, RULES) == []
    page.emulate_media(color_scheme="dark")
    assert faults(page, ["color-contrast"]) == []
    console.errors.clear()  # axe's own style element breaks the policy


def headings(page: Page) -> list[str]:
    """Return the headings of a page, and of its tables, which may be those of a second later.

    Then their numbers are others, and a scale of time may have one line more.
    """
    found = page.locator("#content :is(h1, h2, thead th)").all_inner_texts()
    lines = [re.sub(r"\d+", "#", each).splitlines() for each in found]
    return ["\n".join(line for line, _same in groupby(each)) for each in lines]


def faults(page: Page, rules: list[str]) -> list[str]:
    """Return what axe finds fault with in the page's content, once its colours have settled."""
    page.evaluate("document.getAnimations().forEach((each) => each.finish())")
    options = json.dumps({"runOnly": rules, "resultTypes": ["violations"]})
    found = page.evaluate(f"axe.run('#content', {options})")
    return [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def unreached(page: Page) -> list[str]:
    """Go through the page by the Tab key; return what was not reached or not seen to be."""
    count = page.evaluate(f"({(HERE / 'keyboard.js').read_text()})()")
    for _ in range(count):
        page.keyboard.press("Tab")
        page.evaluate("keyboard.note()")
    return list(page.evaluate("keyboard.missed()"))
