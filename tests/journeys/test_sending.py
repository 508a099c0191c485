"""Answers that are sent part by part, and keys that outlive a process, on real web servers."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.running import Project, eventually, free_port, sample_project

pytestmark = [pytest.mark.journey, pytest.mark.timeout(180)]

SERVERS = {
    "gunicorn": ["gunicorn", "-b", "127.0.0.1:PORT", "--threads", "4", "sample_project.wsgi"],
    "uvicorn": ["uvicorn", "--port", "PORT", "sample_project.asgi:application"],
}


@pytest.fixture(scope="module", params=SERVERS)
def project(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that this server serves."""
    with sample_project(tmp_path_factory.mktemp("sending"), None, "memory://") as started:
        started.environment["DJANGO_SETTINGS_MODULE"] = "tests.journeys.settings_of_sending"
        port = started.port = free_port()
        words = [word.replace("PORT", str(port)) for word in SERVERS[request.param]]
        started.start("web", [sys.executable, "-m", *words])
        eventually(lambda: started.call("GET", "/admin/login/").status == 200, started.all_logs)
        yield started


class Reader:
    """A client that reads an answer as it comes."""

    def __init__(self, project: Project, path: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", project.port, timeout=30)
        self._connection.request("GET", path)
        self.response = self._connection.getresponse()

    def next(self) -> Any:
        """Return the data of the next part."""
        while True:
            line = self.response.readline().decode()
            assert line, "the server has ended the answer"
            if line.startswith(("data: ", "{")):
                return json.loads(line.removeprefix("data: "))["part"]

    def close(self) -> None:
        """Go away."""
        self.response.close()
        self._connection.close()


def the_run(project: Project, reader: Reader) -> Any:
    """Return the run of what a client read, once it is over."""
    trace_id = reader.response.headers["Motia-Trace-Id"]
    [run] = eventually(
        lambda: [each for each in project.runs() if each["traceId"] == trace_id], project.all_logs
    )
    return run


@pytest.mark.parametrize(
    ("kind", "type"),
    [("plain", "application/x-ndjson"), ("async", "text/event-stream; charset=utf-8")],
)
def test_the_first_part_arrives_before_the_last_is_made(
    project: Project, kind: str, type: str
) -> None:
    reader = Reader(project, f"/parts/{kind}/{kind}")
    assert (reader.response.status, reader.response.headers["Content-Type"]) == (200, type)
    assert reader.next() == "first"
    (project.logs / f"gate-{kind}").touch()
    parts = [reader.next()]
    while parts[-1] != "last":
        parts.append(reader.next())
    assert set(parts) <= {"between", "last"}
    assert reader.response.read().strip() == b""
    reader.close()
    assert the_run(project, reader)["status"] == "succeeded"


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_client_that_goes_away_ends_the_generator_and_its_run(
    project: Project, kind: str
) -> None:
    before, gate = project.log("web"), f"gone-{kind}"
    reader = Reader(project, f"/parts/{kind}/{gate}")
    assert reader.next() == "first"
    reader.close()
    run = the_run(project, reader)
    assert run["status"] == "succeeded"
    went = "the client went away before the end"
    assert run["output"]["body"]["ended"] == went
    assert went in [entry.get("message") for entry in run["timeline"]]
    assert project.look("state", "get", "sending", gate).strip() == '"closed"'
    assert "Traceback" not in project.log("web").removeprefix(before)


def test_a_client_that_does_not_wait_for_an_answer_leaves_no_dead_run(project: Project) -> None:
    if "uvicorn" not in project.log("web").lower():
        pytest.skip("a server that speaks WSGI does not notice")
    before = project.log("web")
    connection = http.client.HTTPConnection("127.0.0.1", project.port, timeout=30)
    connection.request("GET", "/patience")
    state = ("state", "get", "sending", "patience")
    eventually(lambda: "waits" in project.look(*state), project.all_logs)
    connection.close()
    [run] = eventually(lambda: project.runs(step="Patience"), project.all_logs)
    assert (run["status"], run["error"]) == ("cancelled", "")
    went = "whoever waited for it has gone"
    assert went in [entry.get("message") for entry in run["timeline"]]
    assert "Traceback" not in project.log("web").removeprefix(before)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_an_error_in_the_middle_cuts_the_client_off(project: Project, kind: str) -> None:
    reader = Reader(project, f"/parts/{kind}/broken")
    assert reader.next() == "first"
    with pytest.raises(http.client.IncompleteRead):
        reader.response.read()
    reader.close()
    run = the_run(project, reader)
    assert run["status"] == "dead"
    assert "ValueError: a part cannot be made" in run["error"]


def charge(project: Project) -> Any:
    """Ask to be charged, always with the same key; None if the server went away over it."""
    connection = http.client.HTTPConnection("127.0.0.1", project.port, timeout=30)
    headers = {"Content-Type": "application/json", "Idempotency-Key": "the-same"}
    try:
        connection.request("POST", "/charge", json.dumps({"gate": "charged"}), headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("Idempotency-Replayed")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def test_a_key_outlives_the_process_that_was_killed_over_it(project: Project) -> None:
    assert charge(project) is None
    web = project.processes["web"]
    if web.poll() is not None or "uvicorn" in str(web.args):
        web.wait(30)
        project.start("web", [str(word) for word in web.args])  # type: ignore[union-attr]
    answers: list[Any] = []

    def charged() -> Any:
        answers.append(charge(project))
        return answers[-1] is not None and answers[-1][0] == 201

    eventually(charged, project.all_logs)
    assert {each[0] for each in answers if each} <= {409, 201}
    assert json.loads(answers[-1][1]) == {"times": 1}
    assert charge(project) == (*answers[-1][:2], "true")
