"""The flows' page: the picture, its figures and links, the list, and the files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from motia_django import models
from motia_django.graph import layout
from tests.admin.conftest import MakeRun
from tests.admin.test_steps import EVIL, FLOWS, Install, config, page_of, text_of

SVG = "{http://www.w3.org/2000/svg}"
HTTP = {"type": "http", "method": "POST", "path": "/orders"}
EXPORT = f"{FLOWS}export/"
ClientOf = Callable[..., Client]


def only_shown(user: User, permission: str, step: str, flows: tuple[str, ...]) -> bool:
    """Hide what is secret, and the runs of what is half secret."""
    return "secret" not in flows and (permission != "motia.view_run" or "half" not in flows)


def picture(client: Client, query: str = "") -> ElementTree.Element:
    """Return the picture of the page."""
    page = client.get(FLOWS + query)
    drawn = page.context["picture"]
    assert drawn in page.content.decode()
    return ElementTree.fromstring(drawn)


def texts(root: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def addresses(root: ElementTree.Element) -> set[str]:
    return {each.get("href", "") for each in root.iter(f"{SVG}a")}


def two_flows(install: Install) -> None:
    install(
        config("Create", HTTP, enqueues=["created", "lost"], flows=["orders"]),
        config("Charge", {"type": "queue", "topic": "created"}, flows=["orders"]),
        config("Clean", {"type": "cron", "schedule": "@daily"}, flows=["nightly"]),
        config("Alone", {"type": "queue", "topic": "nobody"}),
    )


def test_everything_is_drawn_and_each_step_leads_to_its_page(
    admin_client: Client, install: Install
) -> None:
    two_flows(install)
    root = picture(admin_client)
    assert {"Create", "Charge", "Clean", "Alone", "created", "lost"} <= set(texts(root))
    assert {page_of(name) for name in ("Create", "Charge", "Clean", "Alone")} <= addresses(root)
    assert "nobody listens" in texts(root)
    assert "no Step sends to it" in texts(root)


def test_one_flow_is_drawn_without_the_others(admin_client: Client, install: Install) -> None:
    two_flows(install)
    root = picture(admin_client, "?flow=orders")
    assert root.findtext(f"{SVG}title") == "Flow orders"
    assert "Clean" not in texts(root)
    chosen = [
        tab for tab in admin_client.get(f"{FLOWS}?flow=orders").context["tabs"] if tab.is_chosen
    ]
    assert [(tab.label, tab.steps) for tab in chosen] == [("orders", 2)]


def test_each_step_has_its_figures_and_they_lead_to_just_those_runs(
    admin_client: Client, install: Install, make_run: MakeRun
) -> None:
    two_flows(install)
    wake = timezone.now() + timedelta(hours=1)
    for status in ("succeeded", "succeeded", "dead"):
        make_run(step="Charge", trigger="queue", status=status)
    make_run(step="Charge", status="queued", wake_at=wake, started_at=None, finished_at=None)
    root = picture(admin_client)
    assert {"4 runs", "1 failed", "1 waits"} <= set(texts(root))
    counts = {
        admin_client.get(url).context["cl"].result_count
        for url in addresses(root)
        if "run/?step=Charge" in url
    }
    assert counts == {4, 1}
    [dead] = [url for url in addresses(root) if "status=dead" in url]
    assert {run.status for run in admin_client.get(dead).context["cl"].queryset} == {"dead"}
    tabs = admin_client.get(FLOWS).context["tabs"]
    assert {tab.label: tab.failed for tab in tabs} == {"Everything": 1, "nightly": 0, "orders": 1}


def test_the_figures_are_those_of_the_window_that_the_address_names(
    admin_client: Client, install: Install, make_run: MakeRun
) -> None:
    two_flows(install)
    make_run(step="Create")
    assert "1 run" in texts(picture(admin_client, "?window=1h"))
    assert "1 run" in texts(picture(admin_client, "?flow=orders&window=7d"))
    page = admin_client.get(f"{FLOWS}?flow=orders&window=24h")
    assert [each.is_chosen for each in page.context["windows"]] == [False, True, False]
    assert page.context["windows"][2].url == "?flow=orders&window=7d"


@pytest.mark.parametrize(
    "query",
    [
        "?window=2h",
        "?window=",
        "?flow=none",
        "?flow=%00",
        "?flow=<script>",
        "?window=1h%00",
        "?flow=%ff",
    ],
)
def test_what_there_is_not_is_not_found(admin_client: Client, install: Install, query: str) -> None:
    two_flows(install)
    answer = admin_client.get(FLOWS + query)
    assert answer.status_code == 404
    assert "<script>" not in answer.content.decode()


def test_who_may_not_see_runs_gets_no_figures(
    client_of: ClientOf, install: Install, make_run: MakeRun
) -> None:
    two_flows(install)
    make_run(step="Create")
    client = client_of("view_flow", "view_step")
    root = picture(client)
    assert not [each for each in texts(root) if each.endswith(("run", "runs"))]
    html = text_of(client, FLOWS)
    assert "/admin/motia/run/" not in html
    assert "window=7d" not in html


def test_who_may_see_flows_alone_gets_no_links(client_of: ClientOf, install: Install) -> None:
    two_flows(install)
    assert addresses(picture(client_of("view_flow"))) == set()


def test_what_the_hook_hides_is_in_no_picture_list_or_file(
    client_of: ClientOf, install: Install, make_run: MakeRun, settings: Any
) -> None:
    settings.MOTIA = {"MAY": f"{__name__}.only_shown"}
    install(
        config("Open", HTTP, enqueues=["t"], flows=["open"]),
        config("Half", {"type": "queue", "topic": "h"}, flows=["half"]),
        config("Hidden", {"type": "queue", "topic": "t"}, flows=["secret"]),
    )
    for step in ("Open", "Half", "Hidden"):
        make_run(step=step, status="dead")
    client = client_of("view_flow", "view_step", "view_run")
    html = text_of(client, FLOWS)
    assert "Hidden" not in html
    assert "secret" not in html
    assert "nobody listens" not in html
    assert "run/?step=Half" not in html
    assert client.get(FLOWS).context["tabs"][0].failed == 1
    assert client.get(f"{FLOWS}?flow=secret").status_code == 404
    for form in ("svg", "mermaid", "dot", "json"):
        assert "Hidden" not in text_of(client, f"{EXPORT}{form}/")
        assert client.get(f"{EXPORT}{form}/?flow=secret").status_code == 404


def test_a_paused_step_and_what_is_watched_are_in_the_picture(
    admin_client: Client, install: Install
) -> None:
    install(
        config("Watch", {"type": "state", "groupId": "orders & more"}),
        config("Any", {"type": "state"}),
        config("Live", {"type": "stream", "streamName": "chat"}),
    )
    models.Pause.objects.create(step="Watch")
    root = picture(admin_client)
    assert "paused" in texts(root)
    assert "any group" in texts(root)
    assert "/admin/motia/stateitem/?group=orders+%26+more" in addresses(root)
    assert "/admin/motia/streamitem/?stream=chat" in addresses(root)


def test_names_of_any_kind_are_text_and_nothing_else(
    admin_client: Client, install: Install
) -> None:
    odd = [EVIL, 'a "b" & c', "shop::x", "🦊", "]]>", "{{ x }}"]
    install(
        *(config(name, enqueues=[{"topic": name, "label": name}], flows=[name]) for name in odd)
    )
    root = picture(admin_client)
    assert set(odd) <= set(texts(root))
    for form in ("svg", "mermaid", "dot", "json"):
        assert admin_client.get(f"{EXPORT}{form}/", {"flow": EVIL}).status_code == 200


@pytest.mark.parametrize(
    ("form", "content_type", "name"),
    [
        ("svg", "image/svg+xml", "orders.svg"),
        ("mermaid", "text/plain; charset=utf-8", "orders.mmd"),
        ("dot", "text/vnd.graphviz; charset=utf-8", "orders.dot"),
        ("json", "application/json", "orders.json"),
    ],
)
def test_the_files_are_of_the_flow_that_is_shown(
    admin_client: Client, install: Install, form: str, content_type: str, name: str
) -> None:
    two_flows(install)
    links = dict(admin_client.get(f"{FLOWS}?flow=orders").context["exports"])
    answer = admin_client.get(next(url for url in links.values() if f"/{form}/" in url))
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    text = answer.content.decode()
    assert "Charge" in text
    assert "Clean" not in text


def test_the_drawing_as_a_file_stands_alone(admin_client: Client, install: Install) -> None:
    two_flows(install)
    root = ElementTree.fromstring(admin_client.get(f"{EXPORT}svg/").content)
    assert "fill" in (root.findtext(f"{SVG}style") or "")
    assert addresses(root) == set()
    assert json.loads(admin_client.get(f"{EXPORT}json/").content)["flow"] is None


@pytest.mark.parametrize("form", ["pdf", "SVG", "%00", "a b"])
def test_other_formats_are_not_found(admin_client: Client, install: Install, form: str) -> None:
    two_flows(install)
    assert admin_client.get(f"{EXPORT}{form}/").status_code == 404


def test_files_are_for_those_who_may_see_flows_and_to_be_read(
    client_of: ClientOf, admin_client: Client
) -> None:
    assert client_of("view_run").get(f"{EXPORT}json/").status_code == 403
    assert admin_client.post(f"{EXPORT}json/").status_code == 405
    assert Client().get(f"{EXPORT}json/").status_code == 302


def test_without_graphlay_there_is_the_list(
    admin_client: Client, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_flows(install)
    monkeypatch.setitem(sys.modules, "graphlay", None)
    layout.laid_out.cache_clear()
    html = text_of(admin_client, FLOWS)
    assert "motia-graph" not in html
    assert "pip install &#x27;motia-django[graph]&#x27;" in html
    assert page_of("Charge") in html
    assert "/export/svg/" not in html
    assert admin_client.get(f"{EXPORT}svg/").status_code == 404
    layout.laid_out.cache_clear()


def test_too_much_for_one_picture_is_said_to_be_too_much(
    admin_client: Client, install: Install
) -> None:
    install(*(config(f"S{n}", {"type": "queue", "topic": f"t{n}"}) for n in range(301)))
    assert "There is too much for one picture. Choose a flow." in text_of(admin_client, FLOWS)


def test_a_hundred_steps_take_few_queries(
    admin_client: Client, install: Install, make_run: MakeRun
) -> None:
    steps = [
        config(f"S{n}", {"type": "queue", "topic": f"t{n}"}, enqueues=[f"t{n + 1}"], flows=["f"])
        for n in range(100)
    ]
    install(*steps)
    for n in range(100):
        make_run(step=f"S{n}")
    with CaptureQueriesContext(connection) as asked:
        text_of(admin_client, FLOWS)
    assert len(asked) < 20
