"""Motia's own clients, unmodified: what they know is what is stored, whatever happens."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.clients import motia
from tests.journeys.running import Project, eventually

pytestmark = [
    pytest.mark.journey,
    pytest.mark.timeout(240),
    pytest.mark.skipif(bool(motia.missing()), reason=motia.missing() or "all is there"),
]

Start = Callable[..., motia.Node]


@pytest.fixture
def start_node(project: Project) -> Iterator[Start]:
    """Starts Node processes that follow."""
    started: list[motia.Node] = []

    def start(token: str = "") -> motia.Node:
        started.append(motia.Node(f"ws://127.0.0.1:{project.port}/", token))
        return started[-1]

    yield start
    for node in started:
        node.end()


def write(project: Project, do: str, *arguments: Any) -> None:
    """Write the stream `rooms`, through the server."""
    assert project.call("POST", "/rooms", {"do": do, "with": arguments}).status == 200


def write_elsewhere(project: Project, do: str, *arguments: Any) -> None:
    """Write the stream `rooms` in a process that is no server."""
    project.look("run", "WriteRoom", "--input", json.dumps({"do": do, "with": arguments}))


def token_of(project: Project, name: str) -> str:
    """Return a token of ours for a user, who is made."""
    return str(project.call("POST", f"/rooms/tokens/{name}", {}).json["token"])


def test_node_follows_a_group_and_an_item_and_hears_each_event_once(
    project: Project, start_node: Start
) -> None:
    write(project, "set", "g", "b", {"n": 1})
    nodes = [start_node(), start_node()]
    for node in nodes:
        node.say(name="group", of=["rooms", "g"])
        node.say(name="item", of=["rooms", "g", "a"])
        node.knows("group", [{"id": "b", "n": 1}], project.all_logs)
        node.knows("item", None, project.all_logs)
    write(project, "set", "g", "a", {"n": 2})
    write(project, "update", "g", "b", [{"type": "increment", "path": "n"}])
    write(project, "send", "g", "typing", {"who": "ada"})
    write(project, "send", {"groupId": "g", "id": "a"}, {"type": "typing", "data": {"who": "bob"}})
    write(project, "update", "g", "a", [{"type": "increment", "path": "n"}])
    for node in nodes:
        node.knows("group", [{"id": "a", "n": 3}, {"id": "b", "n": 2}], project.all_logs)
        node.knows("item", {"id": "a", "n": 3}, project.all_logs)
        assert node.events("group") == [{"who": "ada"}, {"who": "bob"}]
        assert node.events("item") == [{"who": "bob"}]
    nodes[0].say(close="group")
    write(project, "delete", "g", "a")
    nodes[0].knows("item", None, project.all_logs)
    nodes[1].knows("group", [{"id": "b", "n": 2}], project.all_logs)
    assert len(nodes[0].states["group"]) == 2


def test_node_is_told_what_a_worker_does(project: Project, start_node: Start) -> None:
    node = start_node()
    node.say(name="board", of=["orders", "board"])
    node.knows("board", [], project.all_logs)
    ordered = project.call("POST", "/orders", {"customer": "ada", "amount": 120})
    order = {"id": ordered.json["orderId"], "customer": "ada", "amount": 120.0}
    packed = [{**order, "status": "packed", "percent": 80}]
    eventually(
        lambda: [each["status"] for each in node.states["board"]] == ["packed"],
        lambda: f"{node.states} is not {packed}\n{project.all_logs()}",
    )


def test_node_is_let_in_by_its_token_and_refused_without(
    project: Project, start_node: Start
) -> None:
    ada, anybody, forger = start_node(token_of(project, "ada")), start_node(), start_node("motia.x")
    for node in (ada, anybody):
        node.say(name="private", of=["rooms", "private"])
        node.say(name="open", of=["rooms", "open"])
        node.knows("open", [], project.all_logs)
    write(project, "set", "private", "x", {})
    write(project, "set", "open", "x", {})
    ada.knows("private", [{"id": "x"}], project.all_logs)
    anybody.knows("open", [{"id": "x"}], project.all_logs)
    assert "private" not in anybody.states
    refused = {"failed": "Unexpected server response: 403"}
    eventually(lambda: forger.told == [refused], lambda: str(forger.told))


def test_clients_come_back_after_the_server_was_killed_and_know_what_is_stored(
    project: Project, start_node: Start, listening: socket.socket
) -> None:
    node = start_node()
    node.say(name="group", of=["rooms", "back"])
    node.say(name="item", of=["rooms", "back", "b"])
    for name in "abc":
        write(project, "set", "back", name, {"n": 1})
    node.knows("group", [{"id": name, "n": 1} for name in "abc"], project.all_logs)
    project.kill("asgi")
    write_elsewhere(project, "set", "back", "b", {"n": 2})
    write_elsewhere(project, "delete", "back", "a")
    project.start_asgi("asgi", listening)
    node.knows("group", [{"id": "b", "n": 2}, {"id": "c", "n": 1}], project.all_logs)
    node.knows("item", {"id": "b", "n": 2}, project.all_logs)
    write(project, "set", "back", "d", {"n": 3})
    node.knows("group", [{"id": "b", "n": 2}, {"id": "c", "n": 1}, {"id": "d", "n": 3}], str)


# -- in a browser


@pytest.mark.browser
def test_the_clients_for_browsers_and_react_follow_and_come_back(
    project: Project, page: Page, tmp_path: Path, listening: socket.socket
) -> None:
    write(project, "set", "page", "w", {"id": "w", "n": 1})
    write(project, "delete", "private", "x")
    asked = {"token": token_of(project, "ada"), "streams": "rooms", "group": "page", "item": "x"}
    motia.open_page(project, page, motia.bundle(tmp_path / "page.js"), **asked)
    first = '{"items":[{"id":"w","n":1}],"item":null,"typing":[]}'
    expect(page.locator("#rooms")).to_have_text(first)
    expect(page.locator("#plain")).to_have_text("[]")
    expect(page.locator("#next")).to_have_text("[]")
    write(project, "set", "page", "x", {"id": "x", "n": 2})
    write(project, "send", "page", "typing", {"who": "ada"})
    write(project, "delete", "page", "w")
    write(project, "set", "private", "p", {})
    then = '{"items":[{"id":"x","n":2}],"item":{"id":"x","n":2},"typing":["ada"]}'
    expect(page.locator("#rooms")).to_have_text(then)
    for client in ("#plain", "#next"):
        expect(page.locator(client)).to_have_text('[{"id":"p"}]')

    project.kill("asgi")
    write_elsewhere(project, "set", "page", "x", {"id": "x", "n": 3})
    write_elsewhere(project, "set", "private", "q", {})
    project.start_asgi("asgi", listening)
    at_last = '{"items":[{"id":"x","n":3}],"item":{"id":"x","n":3},"typing":["ada"]}'
    expect(page.locator("#rooms")).to_have_text(at_last, timeout=20_000)
    for client in ("#plain", "#next"):
        expect(page.locator(client)).to_have_text('[{"id":"p"},{"id":"q"}]', timeout=20_000)
