"""The protocol, spoken by a raw client to a real server."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.journeys.running import Project, eventually, sample_project

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The sample project under uvicorn, with the stream `rooms`; no error may be logged."""
    with sample_project(tmp_path_factory.mktemp("socket"), None, "memory://") as started:
        started.environment["DJANGO_SETTINGS_MODULE"] = "tests.journeys.rooms_settings"
        started.start_asgi()
        yield started
        last = opened(started)
        last.join("last")
        last.frame()
        started.kill("asgi", signal.SIGTERM)
        assert last.closed()[0] == 1012  # restarting
        log = started.log("asgi")
        assert "left last" in log, log
        assert "Exception in ASGI" not in log, log
        assert "never retrieved" not in log, log
        assert "ERROR:" not in log, log
        assert "Finished server process" in log, log


class Client:
    """A WebSocket that speaks the protocol."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws

    def join(self, group: Any, item: str | None = None, name: str = "1", **data: Any) -> None:
        """Ask for a group or an item of the stream `rooms`."""
        data = {"subscriptionId": name, "streamName": "rooms", "groupId": group, **data}
        self.say("join", data | ({} if item is None else {"id": item}))

    def leave(self, name: str = "1", group: str = "g") -> None:
        """End what was joined under this name."""
        self.say("leave", {"subscriptionId": name, "streamName": "rooms", "groupId": group})

    def say(self, kind: str, data: Any) -> None:
        """Send a message."""
        self.ws.send(json.dumps({"type": kind, "data": data}))

    def frame(self) -> Any:
        """Return the next frame."""
        return json.loads(self.ws.recv(timeout=20))

    def hear(self) -> tuple[str, Any]:
        """Return the next frame's kind and what it carries."""
        event = self.frame()["event"]
        return event["type"], event.get("data", event.get("event"))

    def closed(self) -> tuple[int, str]:
        """Wait for the end; return its code and reason."""
        with suppress(ConnectionClosed):
            while True:
                self.ws.recv(timeout=20)
        assert self.ws.close_code is not None
        return self.ws.close_code, self.ws.close_reason or ""


def opened(project: Project, query: str = "", **options: Any) -> Client:
    """Open a WebSocket."""
    address = f"ws://127.0.0.1:{project.port}/{query}"
    return Client(connect(address, proxy=None, **options).__enter__())


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    """Somebody who is not logged in."""
    opened_ = opened(project)
    yield opened_
    opened_.ws.close()


def write(project: Project, do: str, *arguments: Any) -> None:
    """Write the stream `rooms`."""
    assert project.call("POST", "/rooms", {"do": do, "with": arguments}).status == 200


def token_of(project: Project, name: str, **options: Any) -> str:
    """Return a token of ours for a user, who is made."""
    return str(project.call("POST", f"/rooms/tokens/{name}", options).json["token"])


def as_user(token: str) -> dict[str, Any]:
    """Return the option by which Motia's clients send a token."""
    return {"subprotocols": [Subprotocol("Authorization"), Subprotocol(token)]}


def refusal(project: Project, query: str = "", **options: Any) -> int:
    """Return the status by which a handshake is refused."""
    with pytest.raises(InvalidStatus) as raised:
        opened(project, query, **options)
    return raised.value.response.status_code


# -- following


def test_a_group_is_told_as_it_is_then_each_change_once(project: Project, client: Client) -> None:
    write(project, "set", "told", "b", {"n": 1})
    write(project, "set", "told", "a", {"n": 2})
    client.join("told")
    before = time.time() * 1000
    frame = client.frame()
    assert frame.pop("timestamp") == pytest.approx(before, abs=10_000)
    items = [{"id": "a", "n": 2}, {"id": "b", "n": 1}]
    sync = {"type": "sync", "data": items}
    names = {"streamName": "rooms", "groupId": "told", "id": None}
    assert frame == {"type": "stream", **names, "event": sync}

    write(project, "set", "told", "c", {"n": 3})
    write(project, "update", "told", "c", [{"type": "set", "path": "n", "value": 4}])
    write(project, "set", "elsewhere", "c", {"n": 5})
    write(project, "delete", "told", "a")
    write(project, "send", "told", "typing", {"who": "ada"})
    assert client.frame()["id"] == "c"
    assert client.hear() == ("update", {"id": "c", "n": 4})
    assert client.hear() == ("delete", {"id": "a", "n": 2})
    assert client.hear() == ("event", {"type": "typing", "data": {"who": "ada"}})


def test_an_item_and_its_group_on_one_connection_make_one_frame_of_each_event(
    project: Project, client: Client
) -> None:
    client.join("both", name="group")
    client.join("both", "x", name="item")
    assert client.hear() == ("sync", [])
    assert client.frame()["id"] == "x"
    write(project, "set", "both", "x", {"n": 1})
    write(project, "set", "both", "y", {"n": 2})
    assert client.hear() == ("create", {"id": "x", "n": 1})
    assert client.hear() == ("create", {"id": "y", "n": 2})

    client.leave("group", "both")
    write(project, "set", "both", "y", {"n": 3})
    write(project, "set", "both", "x", {"n": 3})
    assert client.hear() == ("update", {"id": "x", "n": 3})


def test_joining_again_under_one_name_begins_anew_and_leaving_what_is_not_joined_is_nothing(
    project: Project, client: Client
) -> None:
    client.leave()
    client.join("again")
    client.join("again")
    client.join("another")
    assert [client.hear() for _ in range(3)] == [("sync", [])] * 3
    write(project, "set", "again", "x", {})
    write(project, "set", "another", "x", {})
    assert client.frame()["groupId"] == "another"
    joined = re.findall(r"(joined|left) again", project.log("asgi"))
    assert joined == ["joined", "left"] * 2


def test_times_grow_with_every_frame_of_a_connection(project: Project, client: Client) -> None:
    client.join("times")
    client.frame()
    wishes = [{"do": "set", "with": ["times", str(n), {}]} for n in range(50)]
    assert project.call("POST", "/rooms", wishes).status == 200
    times = [client.frame()["timestamp"] for _ in range(50)]
    assert sorted(set(times)) == times


def test_whoever_goes_has_left_however_he_goes(project: Project) -> None:
    for name in ("goes", "dies"):
        client = opened(project)
        client.join(name)
        client.frame()
        if name == "goes":
            client.ws.close()
        else:
            client.ws.socket.shutdown(socket.SHUT_RDWR)
        eventually(lambda name=name: f"left {name}" in project.log("asgi"), project.all_logs)  # type: ignore[misc]


# -- who may follow


def test_a_refused_join_gets_a_frame_and_the_others_go_on(project: Project, client: Client) -> None:
    client.join("open", name="1")
    assert client.hear() == ("sync", [])
    for name, group in enumerate(["private", "full", "broken"]):
        client.join(group, name=str(name + 2))
        frame = client.frame()
        assert (frame["groupId"], frame["event"]) == (group, {"type": "unauthorized"})
    client.join("g", name="5", streamName="nothing")
    assert client.hear() == ("unauthorized", None)
    write(project, "set", "private", "x", {})
    write(project, "set", "open", "x", {})
    assert client.hear() == ("create", {"id": "x"})


def test_a_join_that_cannot_be_decided_is_told_later(project: Project, client: Client) -> None:
    client.join("shaky", name="1")
    client.join("open", name="2")
    assert [client.frame()["groupId"] for _ in range(2)] == ["open", "shaky"]
    write(project, "set", "shaky", "x", {})
    assert client.hear() == ("create", {"id": "x"})


def test_a_token_comes_as_a_subprotocol_or_in_the_address(project: Project) -> None:
    token = token_of(project, "ada")
    for client in (opened(project, **as_user(token)), opened(project, f"?authToken={token}")):
        client.join("private")
        assert client.hear()[0] == "sync"
        client.ws.close()
    host_own = opened(project, **as_user("ada"))
    assert host_own.ws.subprotocol == "Authorization"
    host_own.join("private")
    assert host_own.hear()[0] == "sync"
    host_own.ws.close()
    assert "joined private None as ada" in project.log("asgi")


def test_who_is_logged_in_is_let_in_by_the_sessions_cookie(project: Project) -> None:
    session = project.call("POST", "/rooms/tokens/eve", {}).json["session"]
    for cookie, expected in ((session, "sync"), ("forged", "unauthorized")):
        client = opened(project, additional_headers={"Cookie": f"sessionid={cookie}"})
        client.join("private")
        assert client.hear()[0] == expected
        client.ws.close()


def test_a_token_for_other_streams_is_good_for_none_of_these(project: Project) -> None:
    client = opened(project, **as_user(token_of(project, "ada", streams=["orders"])))
    client.join("open")
    assert client.hear() == ("unauthorized", None)
    client.ws.close()


@pytest.mark.parametrize("token", ["nobody", "motia.forged~x~y", "crash"])
def test_who_is_not_authenticated_is_refused_the_handshake(project: Project, token: str) -> None:
    assert refusal(project, **as_user(token)) == 403
    assert refusal(project, f"?authToken={token}") == 403


def test_a_token_that_is_too_old_is_refused(project: Project) -> None:
    assert refusal(project, **as_user(token_of(project, "ada", max_age=-1))) == 403


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [
        ("http://127.0.0.1:{port}", True),
        ("https://shop.example", True),
        ("https://eu.shop.example", True),
        ("https://evil.example", False),
        ("http://127.0.0.1:1", False),
        ("null", False),
    ],
)
def test_a_page_of_another_site_is_refused(project: Project, origin: str, is_let_in: bool) -> None:
    origin = origin.format(port=project.port)
    if is_let_in:
        opened(project, origin=origin).ws.close()
    else:
        assert refusal(project, origin=origin) == 403


def test_a_host_that_is_not_ours_is_refused(project: Project) -> None:
    address = f"ws://evil.example:{project.port}/"
    with pytest.raises(InvalidStatus) as raised:
        with connect(address, sock=socket.create_connection(("127.0.0.1", project.port))):
            pass
    assert raised.value.response.status_code == 403


def test_the_same_server_has_the_pages_and_their_static_files(project: Project) -> None:
    assert project.call("GET", "/live/").status == 200
    assert project.call("GET", "/static/orders/live.js").status == 200


# -- many, and hostile, clients


def test_who_joins_again_and_again_and_does_not_listen_is_kept_waiting(project: Project) -> None:
    for number in range(20):
        write(project, "set", "large", str(number), {"text": "x" * 100_000})
    server = psutil.Process(project.processes["asgi"].pid)
    before = server.memory_info().rss
    with socket.create_connection(("127.0.0.1", project.port)) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf = opened(project, sock=raw, compression=None, max_queue=1, ping_interval=None)
        for number in range(100):
            deaf.join("large", name=str(number))
        time.sleep(1)
        joined = project.log("asgi").count("joined large")
        raw.shutdown(socket.SHUT_RDWR)
    assert server.memory_info().rss - before < 100_000_000
    assert joined < 20


def test_an_open_websocket_holds_neither_a_thread_nor_a_connection(project: Project) -> None:
    clients = [opened(project) for _ in range(60)]
    for client in clients:
        client.join("idle")
        client.frame()
    server = psutil.Process(project.processes["asgi"].pid)
    assert server.num_threads() < 30
    databases = [each for each in server.open_files() if each.path.endswith("db.sqlite3")]
    assert len(databases) <= 10
    write(project, "set", "idle", "x", {})
    for client in clients:
        assert client.hear() == ("create", {"id": "x"})
        client.ws.close()


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ("{", 4007, "expected JSON"),
        ("[" * 10_000, 4007, "expected JSON"),
        (b"{}", 4003, "expected text, not bytes"),
        ('{"type": "publish", "data": {}}', 4008, "expected {"),
        ('{"type": "join", "data": {}}', 4008, "expected a subscriptionId"),
        ('"' + "x" * 20_000 + '"', 4009, "expected up to 16384"),
    ],
)
def test_who_does_not_speak_the_protocol_is_hung_up_on(
    client: Client, message: str | bytes, code: int, reason: str
) -> None:
    client.ws.send(message)
    came, why = client.closed()
    assert (came, why[: len(reason)]) == (code, reason)


def test_a_message_of_many_megabytes_is_not_taken(client: Client) -> None:
    with suppress(ConnectionClosed):
        client.ws.send("x" * 20_000_000)
    assert client.closed()[0] in (1009, 1006)


def test_names_that_cannot_be_are_answered_and_the_others_go_on(client: Client) -> None:
    client.join("x" * 256, name="long")
    frame = client.frame()
    assert (frame["type"], frame["subscriptionId"]) == ("error", "long")
    client.join("fine")
    assert client.hear() == ("sync", [])


def test_subscriptions_of_one_connection_are_bounded(client: Client) -> None:
    for number in range(501):
        client.join("many", str(number), name=str(number))
    frames = [client.frame() for _ in range(501)]
    assert [each["type"] for each in frames] == ["stream"] * 500 + ["error"]
    assert frames[-1]["message"] == "more than 500 subscriptions"
    client.leave("0")
    client.join("many", "500", name="500")
    assert client.frame()["id"] == "500"


def test_a_client_that_does_not_listen_is_cut_off_and_the_others_hear_everything(
    project: Project, client: Client
) -> None:
    client.join("flood")
    client.frame()
    with socket.create_connection(("127.0.0.1", project.port)) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf = opened(project, sock=raw, compression=None, max_queue=1, ping_interval=None)
        deaf.join("flood", name="deaf")
        wishes = [{"do": "send", "with": ["flood", "n", "x" * 10_000]} for _ in range(250)]
        for _ in range(7):
            assert project.call("POST", "/rooms", wishes).status == 200
        for _ in range(1_750):
            assert client.hear()[0] == "event"
        eventually(lambda: "ended with 4013: too slow" in project.log("asgi"), project.all_logs)
        eventually(lambda: "left flood None" in project.log("asgi"), project.all_logs)
        raw.shutdown(socket.SHUT_RDWR)
