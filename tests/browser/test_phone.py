"""The console on a phone: what failed and why is seen, and what mends it is pressed by a thumb."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import console_pages
from tests.browser.console import NARROW, Console, hard_to_press, running, sticking_out
from tests.browser.policy import POLICY

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(240)]
ADMINS = {
    "stock": ("tests.browser.settings", POLICY),
    "unfold": ("tests.browser.settings_unfold", None),
}


@pytest.fixture(scope="module", params=ADMINS)
def console(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> Iterator[Console]:
    if request.param == "unfold" and os.environ.get("CI") != "true":
        pytest.importorskip("unfold")
    with running(tmp_path_factory.mktemp("phone"), browser, *ADMINS[request.param]) as started:
        yield started


@pytest.fixture
def phone(console: Console) -> Iterator[Page]:
    context = console.context(viewport=NARROW, has_touch=True, is_mobile=True)
    yield console.page(context)
    context.close()


def test_the_list_of_runs_shows_which_failed_and_why(console: Console, phone: Page) -> None:
    console.open(phone, "motia_run_changelist ?status=dead&step=ProcessPayment")
    row = phone.locator("#result_list tbody tr").first
    for told in (".field-name", ".field-standing", ".field-problem", ".field-born"):
        expect(row.locator(told)).to_be_in_viewport(ratio=1)
    expect(row.locator(".field-problem")).to_contain_text("InvalidInput: amount")


def test_what_is_chosen_far_below_is_redriven_from_there(console: Console, phone: Page) -> None:
    console.open(phone, "motia_run_changelist ")
    phone.locator("#result_list tbody [type=checkbox]").last.check()
    expect(phone.locator("[name=action]")).to_be_in_viewport(ratio=1)


def test_a_dead_run_says_why_and_is_redriven_without_scrolling(
    console: Console, phone: Page
) -> None:
    console.open(phone, "motia_run_change {dead}")
    expect(phone.locator(".motia-problem p")).to_be_in_viewport(ratio=1)
    for deed in ("redrive", "edit", "discard"):
        pressed = phone.locator(f".motia-doing :is(a[href*='/{deed}/'], form[action*='/{deed}/'])")
        expect(pressed).to_be_in_viewport(ratio=1)


def test_the_filters_are_one_press_away(console: Console, phone: Page) -> None:
    console.open(phone, "motia_run_changelist ")
    pressed = phone.locator("#content").get_by_text("Filter").locator("visible=true").first
    expect(pressed).to_be_in_viewport(ratio=1)
    pressed.click()
    expect(phone.locator("#changelist-filter").get_by_text("skipped")).to_be_in_viewport()


def test_no_page_scrolls_sideways_and_each_button_is_as_large_as_a_thumb(
    console: Console, phone: Page
) -> None:
    wrong = {}
    for address in console_pages.addresses():
        console.open(phone, address)
        wrong[address] = sticking_out(phone) + hard_to_press(phone)
    assert {address: found for address, found in wrong.items() if found} == {}
