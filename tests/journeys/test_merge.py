"""A parallel merge: fifty runs in several processes, and one that is started when all are done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.running import Project, eventually, sample_project
from tests.servers import fresh_postgresql, fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]

PARTS = 50
ENQUEUE = """
from motia_django import enqueue
enqueue([
    {"topic": "merge.part", "data": {"merge": merge, "part": part}}
    for part in range(50) for merge in ("a", "b")
])
"""
LOOK = """
import json
from motia_django import state
whole = [len(value["done"]) for value in state.list("merges")]
print(json.dumps([whole, dict(state.items("merged"))]))
"""


@pytest.fixture(params=["orm", "redis"])
def project(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: str, postgresql_server: str
) -> Iterator[Project]:
    with sample_project(tmp_path, fresh_postgresql(), fresh_redis()) as started:
        if request.param == "redis":
            started.environment["STATE_IN_REDIS"] = fresh_redis()
        yield started


def test_what_waits_for_all_parts_is_started_once(project: Project) -> None:
    project.start_worker("first", concurrency=3)
    project.start_worker("second", concurrency=3)
    project.python(ENQUEUE)

    def settled() -> bool:
        runs = project.runs()
        return len(runs) >= 2 * PARTS + 2 and {run["status"] for run in runs} == {"succeeded"}

    eventually(settled, project.all_logs)
    found = json.loads(project.python(LOOK))
    assert found == [[PARTS, PARTS], {"a": {"times": 1}, "b": {"times": 1}}]
    assert len(project.runs(step="MergeComplete")) == 2
