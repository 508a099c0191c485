"""What is done on the pages of the console, from which address, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

Act = Callable[[Page], None]


def _chosen(action: str) -> Act:
    """Tick the first run of the list and choose what is to be done to it."""

    def act(page: Page) -> None:
        page.check("#result_list tbody tr:first-child [type=checkbox]")
        page.select_option("[name=action]", action)
        page.click(".actions [type=submit], .actions button[name=index]")

    return act


def _sent(**fields: str) -> Act:
    """Fill in the form and send it."""

    def act(page: Page) -> None:
        for name, value in fields.items():
            page.fill(f"#content-main [name={name}]", value)
        page.click("#content-main .submit-row [type=submit] >> nth=0")

    return act


def _clicked(selector: str) -> Act:
    def act(page: Page) -> None:
        page.click(selector)

    return act


def _both(first: Act, second: Act) -> Act:
    def act(page: Page) -> None:
        first(page)
        second(page)

    return act


UNPAID = "motia_run_changelist ?step=ProcessPayment&status=dead"

LEADING: dict[str, tuple[str, Act]] = {
    "redrive of many": (
        UNPAID,
        _chosen("redrive"),
    ),
    "discard of many": (
        UNPAID,
        _chosen("discard"),
    ),
    "cancel of many": ("motia_run_changelist ?status=queued", _chosen("cancel")),
    "a refused redrive": ("motia_run_redrive {dead}", _sent()),
    "a refused edit": ("motia_run_edit {dead}", _sent(content='{"amount": ')),
    "an answer": ("motia_step_run ListTodos|0", _sent()),
    "a refused message": ("motia_step_enqueue payment.requested", _sent(content="{")),
    "a refused run": ("motia_step_run ProcessPayment|0", _sent(content='{"amount": []}')),
    "a refused override": ("motia_schedule_override RemindUsers|0", _sent(expression="soon")),
    "a refused item": ("motia_stateitem_change {item}", _sent(content="{")),
}
"""Pages that are the answer to a POST, or that say what is wrong."""

DONE: dict[str, tuple[str, Act, str]] = {
    "edit": (
        "motia_run_edit {dead}",
        _sent(content='{"orderId": "17", "amount": 5}', reason="mended"),
        "1 run redriven.",
    ),
    "discard of many": (
        "motia_run_changelist ?step=PackOrder&status=dead",
        _both(_chosen("discard"), _sent(reason="too large")),
        "1 run discarded.",
    ),
    "cancel": ("motia_run_cancel {queued}", _sent(), "1 run cancelled."),
    "pause": ("motia_step_pause GreetUser", _sent(reason="noise"), "GreetUser is paused."),
    "resume": (
        "motia_step_change RefreshCatalog",
        _clicked("[value=Resume]"),
        "RefreshCatalog is resumed.",
    ),
    "run now": (
        "motia_schedule_changelist ",
        _clicked("form[action*=RemindUsers] [type=submit]"),
        "RemindUsers runs now.",
    ),
    "pause a schedule": (
        "motia_schedule_pause RefreshCatalog|2",
        _sent(reason="it is moved"),
        "The schedule of RefreshCatalog is paused.",
    ),
    "override a schedule": (
        "motia_schedule_override RemindUsers|0",
        _sent(expression="*/10 * * * *", zone="Europe/Berlin", reason="too late"),
        "RemindUsers is now due by */10 * * * * in Europe/Berlin.",
    ),
    "run a Step": (
        "motia_step_run ProcessPayment|0",
        _sent(content='{"orderId": "18", "amount": 5}', reason="try"),
        "ProcessPayment runs now.",
    ),
    "enqueue": ("motia_step_enqueue email.send", _sent(), "The message was sent to 1 run."),
    "item": ("motia_stateitem_change {item}", _sent(content='{"text": "short"}'), "successfully"),
}
"""Deeds, and what the console says when they are done."""
