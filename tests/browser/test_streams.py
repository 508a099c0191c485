"""A real browser's EventSource, with the script that the documentation shows."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request

from tests.docs.pages import DOCS, blocks
from tests.journeys.running import Project, eventually, sample_project
from tests.journeys.test_streams import SETTINGS, serve, shout

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(240)]
UVICORN = ["uvicorn", "--port", "PORT", "--timeout-graceful-shutdown", "1"]
SERVERS = {
    "uvicorn": [*UVICORN, "sample_project.asgi:application"],
    "gunicorn": ["gunicorn", "-b", "127.0.0.1:PORT", "sample_project.wsgi"],
}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with sample_project(tmp_path, None, "memory://") as started:
        started.environment["DJANGO_SETTINGS_MODULE"] = SETTINGS
        yield started


def script() -> str:
    """Return the script of the page on streams, for the stream of the journeys."""
    shown = next(each.text for each in blocks(DOCS / "streams.md") if each.language == "js")
    return shown.replace('"orders", "7"', '"shouts", "g"')


@pytest.mark.parametrize("server", SERVERS)
def test_the_script_that_is_shown_keeps_up_and_comes_back_after_an_outage(
    project: Project, page: Page, server: str
) -> None:
    ids: list[str] = []

    def note(request: Request) -> None:
        if "/streams/" in request.url:
            ids.append(request.all_headers().get("last-event-id", ""))

    port = serve(project, "web", SERVERS[server])
    shout(project, port, id="a", number=0)
    page.goto(f"http://127.0.0.1:{port}/greet?name=x&format=json")
    page.on("request", note)
    page.add_script_tag(content=script())
    page.wait_for_function("orders.get('a')?.number === 0")
    for number in range(1, 4):
        shout(project, port, id="a", number=number)
        page.wait_for_function(f"orders.get('a').number === {number}")
    shout(project, port, group="other", id="b")
    if server == "gunicorn":  # of an answer without any event the browser keeps the position, too
        known = len(set(ids))
        while len(set(ids)) == known:
            page.wait_for_timeout(100)
        return
    project.kill("web", signal.SIGTERM)
    again = [word.replace("PORT", str(port)) for word in SERVERS[server]]
    project.start("again", [sys.executable, "-m", *again])
    eventually(lambda: project.call("GET", "/admin/login/").status == 200, project.all_logs)
    shout(project, port, id="a", number=9)
    page.wait_for_function("orders.get('a').number === 9")
    assert ids[0] == ""
    assert any(ids)  # not each: of a request that finds nobody, not all headers are reported
