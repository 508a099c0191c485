"""What OpenTelemetry, Sentry and Prometheus see of real processes, by their real clients."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.journeys.running import Project, eventually, sample_project
from tests.servers import fresh_postgresql, fresh_rabbitmq, fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]


def lines(project: Project, name: str) -> list[dict[str, Any]]:
    """Return what the processes have exported so far."""
    file = project.logs / name
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.strip()]


@pytest.fixture
def project(tmp_path: Path, redis_server: object) -> Iterator[Project]:
    """A project on SQLite and Redis, whose processes are not started yet."""
    with sample_project(tmp_path, None, fresh_redis()) as started:
        started.environment["DJANGO_SETTINGS_MODULE"] = "tests.journeys.settings_observed"
        yield started


@pytest.fixture(params=["sqlite-redis", "postgresql-rabbitmq"])
def traced(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """A project with a web server and a worker, with Celery's instrumentation or without."""
    database, broker = request.param.split("-")
    request.getfixturevalue(f"{broker}_server")
    if database == "postgresql":
        request.getfixturevalue("postgresql_server")
    url = fresh_postgresql() if database == "postgresql" else None
    with sample_project(tmp_path, url, fresh_redis() if url is None else fresh_rabbitmq()) as new:
        new.environment["DJANGO_SETTINGS_MODULE"] = "tests.journeys.settings_observed"
        if url is not None:
            new.environment["CELERY_TOO"] = "1"
        new.environment["WITH_OTEL"] = "web"
        new.start_web()
        new.environment["WITH_OTEL"] = "worker"
        new.start_worker()
        yield new


def test_one_trace_leads_from_the_request_through_enqueue_and_worker_to_the_end(
    traced: Project,
) -> None:
    answer = traced.call("POST", "/door", {"n": 1})
    assert answer.status == 202, traced.all_logs()
    trace_id = answer.json["traceId"]

    def spans() -> list[dict[str, Any]]:
        found = lines(traced, "spans.jsonl")
        return [each for each in found if each["context"]["trace_id"] == f"0x{trace_id}"]

    named = eventually(
        lambda: "WatchedInner" in {each["name"] for each in spans()} and spans(), traced.all_logs
    )
    eventually(lambda: len([each for each in spans() if each["name"] == "WatchedWork"]) == 2)
    assert named and answer.headers["Motia-Trace-Id"] == trace_id

    def whole() -> dict[str, dict[str, Any]]:
        """Return the spans by their ids, once what is above each has ended, too."""
        by_id = {each["context"]["span_id"]: each for each in spans()}
        return by_id if {each["parent_id"] for each in by_id.values()} <= {None, *by_id} else {}

    by_id = eventually(whole, traced.all_logs)

    def path(span: dict[str, Any]) -> list[str]:
        """Return the names from the trace's root to a span, without Celery's own."""
        above = by_id.get(span["parent_id"])
        names = [*(path(above) if above else []), span["name"]]
        return [name for name in names if "motia." not in name]

    paths = Counter(tuple(path(each)) for each in by_id.values() if "motia." not in each["name"])
    to_work = ("POST door", "Door", "enqueue watched.work", "WatchedWork")
    assert paths == {
        to_work[:1]: 1,
        to_work[:2]: 1,
        (*to_work[:2], "state set"): 1,
        to_work[:3]: 1,
        to_work: 2,
        (*to_work, "WatchedInner"): 1,
    }
    assert [run["traceId"] for run in traced.runs()] == [trace_id] * 3


def test_sentry_sees_each_failure_once_and_which_run_it_was(project: Project) -> None:
    project.environment["WITH_SENTRY"] = "1"
    project.start_web()
    project.start_worker()
    project.command("motia_steps", "enqueue", "watched.inner", "--data", '{"fail": "order"}')
    project.command("motia_steps", "enqueue", "watched.inner", "--data", BY_INVOKE)
    assert project.call("POST", "/inner", {"fail": "customer"}).status == 500
    assert project.call("POST", "/inner", {"fail": "shop", "via": "invoke"}).status == 500
    assert project.call("POST", "/inner", {}).status == 200
    dead = eventually(lambda: failed(project), project.all_logs)
    events = eventually(
        lambda: (
            len(lines(project, "events.jsonl")) >= len(FAILURES) and lines(project, "events.jsonl")
        )
    )
    assert events
    told = {each["exception"]["values"][-1]["value"]: each for each in events}
    assert Counter(each["exception"]["values"][-1]["value"] for each in events) == dict.fromkeys(
        FAILURES, 1
    )
    for text, run in dead.items():
        assert {key: told[text]["tags"][key] for key in TAGS} == {
            "motia.step": "WatchedInner",
            "motia.run_id": run["id"],
            "motia.trace_id": run["traceId"],
        }
    assert {each["logger"] for each in events if "logger" in each} == {"motia.runs"}


BY_INVOKE = '{"fail": "parcel", "via": "invoke"}'
FAILURES = [f"no such {each}" for each in ("order", "parcel", "customer", "shop")]
TAGS = ("motia.step", "motia.run_id", "motia.trace_id")


def failed(project: Project) -> dict[str, dict[str, Any]]:
    """Return the dead runs that are no invocations, by their errors, once all are dead."""
    runs = [each for each in project.runs(status="dead") if each["trigger"] != "invoke"]
    by_error = {run["error"].strip().splitlines()[-1].partition(": ")[2]: run for run in runs}
    return by_error if set(by_error) == set(FAILURES) else {}


def test_any_web_process_tells_prometheus_of_what_the_workers_do(project: Project) -> None:
    project.start_web()
    project.start_worker()
    project.command("motia_steps", "enqueue", "watched.inner", "--data", '{"fail": "order"}')
    project.command("motia_steps", "enqueue", "watched.inner", "--data", "{}")
    eventually(lambda: scraped(project).get(("motia_dead_runs", "WatchedInner")) == 1.0,
               project.all_logs)  # fmt: skip
    found = eventually(
        lambda: (
            scraped(project).get(("motia_window_runs", "WatchedInner", "succeeded")) == 1.0
            and scraped(project)
        )
    )
    assert found
    assert found["motia_window_runs", "WatchedInner", "dead"] == 1
    assert found["motia_window_run_seconds_bucket", "WatchedInner", "+Inf"] == 2
    assert found["motia_backlog_runs", "WatchedInner", "celery"] == 0
    assert found["motia_workers", "alive"] == 1
    assert project.call("GET", "/motia/metrics").status == 401


def scraped(project: Project) -> dict[tuple[str, ...], float]:
    """Return each sample by its name and the values of its labels, the Step first."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{project.port}/motia/metrics",
        headers={"Authorization": "Bearer only-for-the-journeys"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        text = response.read().decode()
    return {
        (
            sample.name,
            *(sample.labels[key] for key in sorted(sample.labels, key=lambda key: key != "step")),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
