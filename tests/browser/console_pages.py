"""The pages of the console: each name of its URLs, with the addresses that are looked at.

An address is what stands for the URL's arguments, divided by bars, then perhaps a query string.
What is in braces is named by `filling.py`. A page that is in neither table fails a test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import URLPattern, reverse

PAGES: dict[str, tuple[str, ...]] = {
    "index": ("",),
    "app_list": ("motia",),
    "motia_overview_changelist": ("",),
    "motia_deadletter_changelist": ("", "?order=runs", "?step=Nobody", "?flow=orders"),
    "motia_deadletter_change": ("{mark}", "0123456789abcdef"),
    "motia_batch_changelist": ("",),
    "motia_batch_change": ("{batch}", "{ended}"),
    "motia_batch_choose": ("",),
    "motia_batch_preview": (
        "?deed=redrive&status=dead&error={mark}",
        "?deed=discard&status=dead&step=PackOrder",
        "?deed=redrive&status=dead&step=Nobody",
    ),
    "motia_run_changelist": ("", "?status=dead", "?q={trace}", "?step=Nobody"),
    "motia_run_change": (
        *("{dead}", "{bounced}", "{spent}", "{asked}"),
        *("{retrying}", "{queued}", "{running}", "{gone}"),
    ),
    "motia_run_redrive": ("{dead}",),
    "motia_run_edit": ("{dead}",),
    "motia_run_move": ("{dead}",),
    "motia_run_discard": ("{dead}",),
    "motia_run_cancel": ("{queued}",),
    "motia_run_retry": ("{retrying}",),
    "motia_run_rerun": ("{charged}",),
    "motia_run_rerun_edited": ("{charged}",),
    "motia_schedule_changelist": ("",),
    "motia_schedule_pause": ("RemindUsers|0",),
    "motia_schedule_override": ("RemindUsers|0",),
    "motia_stateitem_groups": ("",),
    "motia_stateitem_changelist": ("", "?group=a+group"),
    "motia_stateitem_add": ("",),
    "motia_stateitem_change": ("{item}",),
    "motia_stateitem_delete": ("{item}",),
    "motia_stateitem_history": ("{item}",),
    "motia_streamitem_groups": ("", "?stream=orders"),
    "motia_streamitem_tail": ("orders|board", "orders|nobody here"),
    "motia_streamitem_changelist": ("",),
    "motia_streamitem_change": ("{streamed}",),
    "motia_streamitem_delete": ("{streamed}",),
    "motia_streamitem_history": ("{streamed}",),
    "motia_step_changelist": ("",),
    "motia_step_change": ("CreateOrder", "ProcessPayment", "RefreshCatalog"),
    "motia_step_pause": ("CreateOrder",),
    "motia_step_run": ("CreateOrder|0", "ProcessPayment|0", "RemindUsers|0", "ShowOrder|0"),
    "motia_step_topics": ("",),
    "motia_step_enqueue": ("payment.requested",),
    "motia_flow_changelist": ("", "?flow=orders&window=7d"),
}
NO_PAGES = {
    "motia_overview_change": "there is none",
    "motia_schedule_change": "there is none",
    "motia_flow_change": "there is none",
    "motia_flow_export": "sends a file",
    "motia_run_export": "sends a file",
    "motia_step_resume": "takes a POST",
    "motia_batch_stop": "takes a POST",
    "motia_schedule_lapsed": "takes a POST",
    "motia_schedule_run": "takes a POST",
    "motia_schedule_resume": "takes a POST",
    "motia_schedule_restore": "takes a POST",
    "motia_streamitem_events": "sends JSON",
    "motia_streamitem_add": "nobody may",
}
"""What answers none, and why."""


def names() -> set[str]:
    """Return the names of all our URLs in the admin."""
    found = (each.name for each in _patterns(admin.site.get_urls()) if each.name)
    return {name for name in found if name.startswith("motia_")}


def addresses() -> list[str]:
    """Return the name and the rest of every address in the table."""
    return [f"{name} {rest}" for name, every in PAGES.items() for rest in every]


def path(address: str, known: Mapping[str, str]) -> str:
    """Return the path of an address, with what is `known` filled in."""
    name, rest = address.split(" ", 1)
    argument, mark, query = rest.format(**known).partition("?")
    plain = name == "app_list"
    arguments = [each if plain else quote(each) for each in argument.split("|") if each]
    return reverse(f"admin:{name}", args=arguments) + mark + query


def _patterns(urls: Sequence[object]) -> Iterator[URLPattern]:
    for each in urls:
        if isinstance(each, URLPattern):
            yield each
        else:
            yield from _patterns(each.url_patterns)  # type: ignore[attr-defined]
