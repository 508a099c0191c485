"""Browsers that follow streams, on the web servers that people run."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.journeys.running import Project, eventually, free_port, sample_project
from tests.servers import fresh_postgresql, fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(180)]
THREADS = 5
POOL = 8
CLIENTS = 60
SETTINGS = "tests.journeys.settings_of_streams"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with sample_project(tmp_path, None, "memory://") as started:
        started.environment["DJANGO_SETTINGS_MODULE"] = SETTINGS
        yield started


class Browser:
    """One EventSource: an open connection, and the last id that came on it."""

    def __init__(self, port: int, path: str, last_id: str = "") -> None:
        self.last_id = last_id
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.request("GET", path, headers={"Last-Event-ID": last_id} if last_id else {})
        self.response = self._connection.getresponse()
        assert self.response.status == 200, self.response.read()
        assert self.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"

    def next(self) -> tuple[str, Any]:
        """Return the kind and the data of the next frame."""
        while True:
            line = self.response.readline().decode()
            assert line, "the server has ended the stream"
            if line.startswith("id: "):
                self.last_id = line.removeprefix("id: ").strip()
            if line.startswith("data: "):
                event = json.loads(line.removeprefix("data: "))["event"]
                return event["type"], event["data"]

    def is_ended(self) -> bool:
        """Return whether the server ends the stream, having read what is left."""
        self.response.read()
        self.close()
        return True

    def close(self) -> None:
        """Go away."""
        self.response.close()
        self._connection.close()


def serve(project: Project, name: str, command: Sequence[str]) -> int:
    """Start a web server on a port of its own and wait until it answers."""
    port = project.port = free_port()
    words = [word.replace("PORT", str(port)) for word in command]
    project.start(name, [sys.executable, "-m", *words])
    eventually(lambda: project.call("GET", "/admin/login/").status == 200, project.all_logs)
    return port


def uvicorn(project: Project, name: str) -> int:
    """Serve by ASGI."""
    options = ["--port", "PORT", "--timeout-graceful-shutdown", "1"]
    return serve(project, name, ["uvicorn", *options, "sample_project.asgi:application"])


def shout(project: Project, port: int, **item: Any) -> None:
    """Write an item of the stream through a server."""
    project.port = port
    assert project.call("POST", "/shout", {**{"group": "g"}, **item}).status == 200


def test_what_one_server_writes_is_heard_at_another_and_resumed_after_its_death(
    project: Project, redis_server: str
) -> None:
    project.environment["CACHE_URL"] = fresh_redis()
    writing, following = uvicorn(project, "writing"), uvicorn(project, "following")
    browser = Browser(following, "/streams/shouts/g/")
    assert browser.next() == ("sync", [])
    for number in range(3):
        began = time.monotonic()
        shout(project, writing, id="a", number=number)
        kind, data = browser.next()
        assert (kind, data["number"]) == ("update" if number else "create", number)
        assert time.monotonic() - began < 1.5

    project.kill("following")
    browser.close()
    for number in range(3, 6):
        shout(project, writing, id="a", number=number)
    browser = Browser(writing, "/streams/shouts/g/", browser.last_id)
    assert [browser.next()[1]["number"] for _ in range(3)] == [3, 4, 5]
    shout(project, writing, id="a", number=6)
    assert browser.next()[1]["number"] == 6

    browser.close()
    eventually(lambda: "left g" in project.log("writing"), project.all_logs)
    idle = Browser(writing, "/streams/?follow=shouts/h&follow=shouts/h/x")
    assert [idle.next(), idle.next()] == [("sync", []), ("sync", None)]
    began = time.monotonic()
    project.kill("writing", signal.SIGTERM)
    assert time.monotonic() - began < 10
    idle.close()


def test_who_does_not_read_is_cut_off_and_who_is_disconnected_comes_back_in_vain(
    project: Project,
) -> None:
    port = uvicorn(project, "web")
    with socket.create_connection(("127.0.0.1", port)) as deaf:
        deaf.sendall(b"GET /streams/shouts/g/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: "joined g" in project.log("web"), project.all_logs)
        for number in range(30):
            shout(project, port, id=str(number), text="x" * 1_000_000)
        eventually(lambda: "left g" in project.log("web"), project.all_logs)
    assert "too slow" in project.log("web")

    made = "from django.contrib.auth.models import User; from motia_django import *;"
    token = project.python(f"{made} print(stream_token(User.objects.create_user('ada')))").strip()
    address = f"/streams/shouts/h/?token={token}"
    ada = Browser(port, address)
    assert ada.next() == ("sync", [])
    project.python(f"{made} ada = User.objects.get(); disconnect(ada); ada.delete()")
    assert ada.is_ended()
    assert project.call("GET", address).status == 401


def test_who_is_deactivated_elsewhere_is_cut_off_and_a_worker_tells_of_what_expires(
    project: Project,
) -> None:
    project.start_worker()
    ports = [uvicorn(project, "web"), uvicorn(project, "other")]
    made = "from django.contrib.auth.models import User; from motia_django import *;"
    token = project.python(f"{made} print(stream_token(User.objects.create_user('ada')))").strip()
    ada = [Browser(port, f"/streams/shouts/h/?token={token}") for port in ports]
    anybody = Browser(ports[0], "/streams/shouts/h/?limit=1")
    project.python(f"{made} streams.shouts.set('h', 'x', {{'text': 'hi'}}, ttl=1)")
    for each in (*ada, anybody):
        assert each.next() == ("sync", [])
        assert [each.next()[0], each.next()] == ["create", ("delete", {"text": "hi", "id": "x"})]
    project.python(f"{made} User.objects.update(is_active=False)")
    assert all(each.is_ended() for each in ada)
    project.python(f"{made} streams.shouts.set_many('h', {{'y': {{}}, 'z': {{}}}})")
    assert [anybody.next()[0], anybody.next()[0]] == ["create", "create"]
    again = Browser(ports[1], "/streams/shouts/h/?limit=1")
    assert again.next() == ("sync", [{"id": "z"}])
    for each in (anybody, again):
        each.close()


@pytest.mark.parametrize("pool", [POOL, None])
def test_many_streams_hold_few_connections_and_hear_by_notify(
    project: Project, postgresql_server: str, pool: int | None
) -> None:
    project.environment["DATABASE_URL"] = fresh_postgresql()
    if pool:
        project.environment["POOL_SIZE"] = str(pool)
    project.migrate()
    port = uvicorn(project, "web")
    browsers = [Browser(port, "/streams/shouts/g/") for _ in range(CLIENTS)]
    assert [each.next() for each in browsers] == [("sync", [])] * CLIENTS
    assert connections_of(project) <= (pool or THREADS) + 1
    if not pool:  # the hub's two are left: to read, and to hear
        eventually(lambda: connections_of(project) == 2, project.all_logs)
    shout(project, port, id="a")
    assert {each.next()[0] for each in browsers} == {"create"}
    assert psutil.Process(project.processes["web"].pid).num_threads() < CLIENTS / 2
    for each in browsers:
        each.close()
    eventually(lambda: project.log("web").count("left g") == CLIENTS, project.all_logs)


def connections_of(project: Project) -> int:
    """Return how many connections the server has to its database."""
    import psycopg

    with psycopg.connect(project.environment["DATABASE_URL"]) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row
    return int(row[0])


@pytest.mark.parametrize("server", ["gunicorn", "runserver"])
def test_a_server_without_asgi_answers_ends_and_is_resumed(project: Project, server: str) -> None:
    command = {
        "gunicorn": ["gunicorn", "-b", "127.0.0.1:PORT", "sample_project.wsgi"],
        "runserver": ["manage", "runserver", "--noreload", "127.0.0.1:PORT"],
    }[server]
    port = serve(project, "web", command)
    shout(project, port, id="a", number=0)
    browser = Browser(port, "/streams/shouts/g/")
    kind, [data] = browser.next()
    assert (kind, data["number"]) == ("sync", 0)
    assert browser.is_ended()
    shout(project, port, id="a", number=1)
    browser = Browser(port, "/streams/shouts/g/", browser.last_id)
    kind, data = browser.next()
    assert (kind, data["number"]) == ("update", 1)
    assert browser.is_ended()
