"""Malice in the admin's addresses and forms: each is answered, and none of it breaks a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.urls.converters import IntConverter

from motia_django import state
from tests.factories import installed, make_step, once, rows
from tests.security.malice import REFUSED_TEXTS, TEXTS, by_name, told_nothing

pytestmark = pytest.mark.django_db

ADMIN = "/admin/motia"
LISTS = {
    "run": "q step status trigger flow error created from to gone p o",
    "deadletter": "step flow order",
    "batch/choose": "deed step error topic since before query",
    "batch/preview?deed=redrive": "step error topic since before query q flow status trigger",
    "step": "window",
    "flow": "flow window",
    "flow/export/json": "flow",
    "schedule": "p",
    "overview": "window",
    "stateitem": "q group p o",
    "streamitem": "q stream group p o",
    "streamitem/groups": "stream",
    "streamitem/tail/orders/g/json": "known",
}
"""Pages with what may stand in their addresses."""


@pytest.fixture
def client(admin_client: Client) -> Client:
    admin_client.raise_request_exception = False
    return admin_client


def answered(answer: Any) -> None:
    assert answer.status_code < 500, answer.content[-3000:]
    assert told_nothing(answer.content)


def pages_of_one() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the names of the pages of one thing, each with what names it in its address."""
    for model in apps.get_app_config("motia").get_models():
        if model in admin.site._registry:
            for each in admin.site._registry[model].get_urls():
                if each.name and each.pattern.converters:
                    yield f"admin:{each.name}", each.pattern.converters


PAGES = dict(pages_of_one())
SOME = [TEXTS[each] for each in ("a NUL", "quotes", "a path", "digits", "digits elsewhere")]


@pytest.mark.parametrize("page", LISTS)
def test_whatever_stands_in_the_address_of_a_list_is_answered(client: Client, page: str) -> None:
    base, _, query = page.partition("?")
    for key in LISTS[page].split():
        for text in SOME:
            asked = f"{query}&{key}" if query else key
            answered(client.get(f"{ADMIN}/{base}/?{asked}={quote(text, safe='')}"))


def test_there_are_pages_of_one_thing() -> None:
    assert {"admin:motia_run_change", "admin:motia_step_run", "admin:motia_batch_stop"} <= {*PAGES}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_what_cannot_be_there_is_a_404(client: Client, page: str) -> None:
    """Django's own pages of a thing lead back to the list instead, and say so there."""
    for text in SOME:
        values = {
            name: 0 if isinstance(converter, IntConverter) else text
            for name, converter in PAGES[page].items()
        }
        try:
            address = reverse(page, kwargs=values)
        except NoReverseMatch:  # no such address
            continue
        for answer in (client.get(address), client.post(address, {"reason": text})):
            answered(answer)
            assert answer.status_code in (302, 403, 404, 405) or page.endswith(
                ("_enqueue", "_tail", "_events", "_export")
            )


@pytest.mark.parametrize("body", **by_name(REFUSED_TEXTS))
def test_what_is_no_json_is_refused_in_every_form(client: Client, body: str) -> None:
    with installed(make_step()):
        for address in ("stateitem/add/", "step/Work/run/0/", "step/topics/work/enqueue/"):
            form = {"group": "g", "key": "k", "content": body, **once()}
            answer = client.post(f"{ADMIN}/{address}", form)
            assert answer.status_code == 200, (address, answer.status_code)
            assert told_nothing(answer.content)
    assert (rows(), state.list_groups()) == ([], [])
