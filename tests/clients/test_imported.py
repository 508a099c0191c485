"""Motia's own clients on the streams of imported projects: they hear what their Steps do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.clients import imported, motia
from tests.journeys.running import Project

pytestmark = [
    pytest.mark.journey,
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(motia.missing()), reason=motia.missing() or "all is there"),
]

Nodes = tuple[motia.Node, motia.Node]


@pytest.fixture(scope="module")
def nodes(project: Project) -> Iterator[Nodes]:
    """Two Node processes: one has a token of the user ann, one has none."""
    assert project.call("POST", "/rooms/tokens/ann", {}).status == 200
    address = f"ws://127.0.0.1:{project.port}/"
    ann, nobody = motia.Node(address, "ann"), motia.Node(address)
    yield ann, nobody
    ann.end()
    nobody.end()


@pytest.mark.parametrize("dialect", list(imported.PROJECTS))
def test_a_client_hears_what_imported_steps_do(
    project: Project, nodes: Nodes, dialect: str
) -> None:
    ann, nobody = nodes
    group, item, last = f"{dialect} group", f"{dialect} item", f"{dialect} last"
    for node in nodes:
        node.say(name=group, of=[f"{dialect}_todos", "ann"])
        node.say(name=item, of=[f"{dialect}_todos", "ann", "t1"])
        node.say(name=last, of=["rooms", "of nobody"])
        node.knows(last, [], project.all_logs)
    todo = {"id": "t1", "title": "Tea, for Zoë", "done": False}
    done = {**todo, "done": True}
    made = project.call("POST", f"/{dialect}/todos/ann", {"title": todo["title"]})
    assert (made.status, made.json) == (201, todo)
    ann.knows(item, done, project.all_logs)
    assert project.call("DELETE", f"/{dialect}/todos/ann").status == 200
    ann.knows(item, None, project.all_logs)
    ann.knows(group, [], project.all_logs)
    assert ann.history(item) == [None, todo, done, None]
    assert ann.history(group) == [[], [todo], [done], []]
    assert ann.events(group) == [{"who": "all"}, {"who": "one"}]
    assert ann.events(item) == [{"who": "one"}]
    assert list(nobody.states) == [name for name in ann.states if name.endswith(" last")]


@pytest.mark.browser
def test_react_follows_imported_streams(project: Project, page: Page, tmp_path: Path) -> None:
    assert project.call("POST", "/rooms/tokens/bob", {}).status == 200
    streams = [f"{dialect}_todos" for dialect in imported.PROJECTS]
    asked = {"token": "bob", "streams": ",".join(streams), "group": "bob", "item": "t1"}
    motia.open_page(project, page, motia.bundle(tmp_path / "page.js"), **asked)
    for stream in streams:
        expect(page.locator(f"#{stream}")).to_have_text('{"items":[],"item":null,"typing":[]}')
    for dialect in imported.PROJECTS:
        path = f"/{dialect}/todos/bob"
        assert project.call("POST", path, {"title": "Tea"}).status == 201
        done = '{"id":"t1","title":"Tea","done":true}'
        shown = page.locator(f"#{dialect}_todos")
        finished = f'{{"items":[{done}],"item":{done},"typing":[]}}'
        expect(shown).to_have_text(finished, timeout=20_000)
        assert project.call("DELETE", path).status == 200
        expect(shown).to_have_text('{"items":[],"item":null,"typing":["all","one"]}')
