"""A real browser follows a stream, by the script that is shipped, as the documentation shows it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request

from tests.browser.proxy import proxy
from tests.docs.pages import DOCS, ROOT, blocks
from tests.journeys.running import Project, sample_project
from tests.journeys.test_streams import SETTINGS, serve, shout

pytestmark = [pytest.mark.journey, pytest.mark.browser, pytest.mark.timeout(240)]
SCRIPT = ROOT / "motia_django/static/motia_django/streams.js"
OPTIONS = ["--port", "PORT", "--timeout-graceful-shutdown", "1"]
UVICORN = ["uvicorn", *OPTIONS, "sample_project.asgi:application"]
GUNICORN = ["gunicorn", "-b", "127.0.0.1:PORT", "sample_project.wsgi"]
FOLLOW_BY_NAMES = """(good) => {
    [window.told, window.statuses] = [[], []];
    window.tokens = [good, "motia.bad", good, "motia.bad", "motia.bad"];
    motia.follow([["shouts", "a/b 50%25 ü"], ["shouts", "c", "d/"]], {
        sync(data, frame) { told.push(["sync", frame.groupId]); },
        set(data, frame) { told.push(["set", frame.groupId]); },
        status(...words) { statuses.push(words); },
    }, { token: async () => tokens.shift(), headers: () => ({ "X-Tried": tokens.length }) });
}"""

FOLLOW_TWO = """(token) => {
    [window.told, window.shown] = [[], new Map()];
    motia.follow([["shouts", "cellar"], ["shouts", "attic"]], {
        sync(items, frame) {
            told.push(["sync", frame.groupId]);
            if (frame.groupId !== "cellar") return;
            shown.clear();
            for (const each of items) shown.set(each.id, each);
        },
        set(item, frame) { told.push(["set", frame.groupId]); shown.set(item.id, item); },
        unauthorized(frame) { told.push(["unauthorized", frame.groupId]); shown.clear(); },
    }, { token });
}"""
DISCONNECT = (
    "from django.contrib.auth.models import User; from motia_django import disconnect, streams;"
    "disconnect(User(pk=7));"
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with sample_project(tmp_path, None, "memory://") as started:
        started.environment["DJANGO_SETTINGS_MODULE"] = SETTINGS
        yield started


def shown() -> str:
    """Return the script of the page on streams, for the stream of the journeys."""
    script = next(each.text for each in blocks(DOCS / "streams.md") if each.language == "js")
    said = "window.said = [];\nwindow.statuses = [];\n"
    script = script.replace("/streams/orders/7/", "/streams/shouts/g/")
    script = script.replace("console.log(type, data)", "said.push([type, data])")
    return said + script.replace("document.title = status", "statuses.push([status, code])")


def follow(page: Page, port: int) -> None:
    """Open a page and follow the stream on it."""
    page.goto(f"http://127.0.0.1:{port}/greet?name=x&format=json")
    page.add_script_tag(content=SCRIPT.read_text("utf-8"))
    page.add_script_tag(content=shown())
    page.wait_for_function("statuses.length === 1")


def send(project: Project, kind: str, data: int) -> None:
    """Send an event that is kept in no item."""
    project.python(f"from motia_django import streams; streams.shouts.send('g', {kind!r}, {data})")


def token_of_ann(project: Project) -> str:
    """Return a token for following as user 7, who is made."""
    made = project.python(
        "from django.contrib.auth.models import User; from motia_django import stream_token;"
        "print(stream_token(User.objects.create_user('ann', pk=7)))"
    )
    return made.split()[-1]


def test_a_page_behind_a_proxy_comes_back_after_a_restart_and_is_told_each_event_once(
    project: Project, page: Page
) -> None:
    server = serve(project, "web", UVICORN)
    shout(project, server, id="a", number=0)
    with proxy() as behind:
        behind.upstream = server
        follow(page, behind.port)
        page.wait_for_function("orders.get('a')?.number === 0")
        shout(project, server, id="a", number=1)
        send(project, "before", 1)
        page.wait_for_function("orders.get('a').number === 1 && said.length === 1")

        behind.upstream = None
        project.kill("web", signal.SIGTERM)
        send(project, "meanwhile", 2)
        page.wait_for_function("statuses.at(-1)[0] === 'reconnecting'")
        again = serve(project, "again", UVICORN)
        shout(project, again, id="a", number=2)
        while behind.refused < 2:
            page.wait_for_timeout(100)
        behind.upstream = again
        page.wait_for_function("orders.get('a').number === 2")
        send(project, "after", 3)
        page.wait_for_function("said.at(-1)[0] === 'after'")
    assert page.evaluate("said") == [["before", 1], ["meanwhile", 2], ["after", 3]]
    statuses = [status for status, *_ in page.evaluate("statuses")]
    assert statuses[:3] == ["connected", "reconnecting", "connected"]


def test_a_server_without_asgi_is_asked_again_and_again_and_a_refusal_ends_it(
    project: Project, browser: Browser
) -> None:
    page = browser.new_page()
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    port = serve(project, "web", GUNICORN)
    page.on("request", note)
    follow(page, port)
    shout(project, port, id="a", number=1)
    page.wait_for_function("orders.get('a')?.number === 1")
    shout(project, port, group="other", id="b")
    known = asked[-1]
    assert "lastEventId=" in known
    while asked[-1] == known:  # of an answer without any event it keeps the position, too
        page.wait_for_timeout(100)
    assert page.evaluate("statuses.flat()[0]") == "connected"
    assert page.evaluate("statuses.length") == 1
    page.evaluate(
        "following.close(); window.ends = [];"
        "motia.follow('/streams/nothing/g/', { status: (...words) => ends.push(words) })"
    )
    page.wait_for_function("ends.length")
    assert page.evaluate("ends") == [["refused", 403]]
    page.evaluate("motia.follow(location.href, { status: (...words) => ends.push(words) })")
    page.wait_for_function("ends.length === 2")
    assert page.evaluate("ends.at(-1)") == ["refused", 200]  # a page that is no stream
    page.close()


def test_names_may_hold_slashes_and_what_lets_in_is_asked_for_at_each_connection(
    project: Project, browser: Browser
) -> None:
    page = browser.new_page()
    token = token_of_ann(project)
    port = serve(project, "web", UVICORN)
    page.goto(f"http://127.0.0.1:{port}/greet?name=x&format=json")
    page.add_script_tag(content=SCRIPT.read_text("utf-8"))
    page.evaluate(FOLLOW_BY_NAMES, token)
    page.wait_for_function("told.length === 2")
    for group in ("a/b 50%25 ü", "c"):
        project.python(
            f"from motia_django import streams; streams.shouts.set({group!r}, 'd/', {{}})"
        )
    page.wait_for_function("told.length === 4")
    project.python(DISCONNECT)
    page.wait_for_function("statuses.length === 3")
    project.python(DISCONNECT)
    page.wait_for_function("statuses.at(-1)[0] === 'refused'")
    assert page.evaluate("told") == [
        *[["sync", group] for group in ("a/b 50%25 ü", "c")],
        *[["set", group] for group in ("a/b 50%25 ü", "c")],
    ]
    assert page.evaluate("statuses") == [
        ["connected"],
        ["reconnecting"],
        ["connected"],
        ["reconnecting"],
        ["refused", 401],
    ]
    page.close()


def test_who_was_refused_one_of_several_and_may_follow_it_again_sees_all_of_it(
    project: Project, page: Page
) -> None:
    token = token_of_ann(project)
    many = "{str(number): {} for number in range(20)}"
    project.python(f"from motia_django import streams; streams.shouts.set_many('cellar', {many})")
    port = serve(project, "web", UVICORN)
    page.goto(f"http://127.0.0.1:{port}/greet?name=x&format=json")
    page.add_script_tag(content=SCRIPT.read_text("utf-8"))
    page.evaluate(FOLLOW_TWO, token)
    page.wait_for_function("shown.size === 20 && told.length === 2")
    for number in range(2):
        project.python(f"{DISCONNECT} streams.shouts.set('doors', 'cellar', {{}})")
        page.wait_for_function("told.at(-1)[0] === 'unauthorized'")
        assert page.evaluate("shown.size") == 0
        write = f"streams.shouts.set('cellar', 'more {number}', {{}})"
        project.python(f"{DISCONNECT} streams.shouts.delete('doors', 'cellar'); {write}")
        page.wait_for_function(f"shown.size === {21 + number}")
        assert page.evaluate("told.slice(-2)") == [["sync", "cellar"], ["sync", "attic"]]


def test_a_page_may_begin_with_the_items_that_were_written_last(
    project: Project, page: Page
) -> None:
    many = "{str(number): {} for number in range(20)}"
    write = f"streams.shouts.set_many('g', {many}); streams.shouts.set('g', '0', {{}})"
    project.python(f"from motia_django import streams; {write}")
    port = serve(project, "web", UVICORN)
    page.goto(f"http://127.0.0.1:{port}/greet?name=x&format=json")
    page.add_script_tag(content=SCRIPT.read_text("utf-8"))
    page.evaluate("motia.follow(['shouts', 'g'], { sync(all) { window.all = all } }, { limit: 2 })")
    page.wait_for_function("window.all")
    assert page.evaluate("all.map((item) => item.id)") == ["0", "9"]
