"""What a process loads at its start: what its Steps use, and neither more nor later."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROJECT = "benchmarks.contenders.memory"
ELSEWHERE = [
    "celery.worker.request",  # in workers
    "motia_django.checks.database",  # in `check --deploy`
    "motia_django.graph.drawing",  # in who looks at the flows
    "motia_django.live.following",  # where there are streams
    "jsonschema_rs",  # where a schema is written so
]
SCRIPT = f"""
import importlib, json, sys
importlib.import_module("{PROJECT}.wsgi")
at_start = set(sys.modules)
importlib.import_module("{PROJECT}.urls")
print(json.dumps([sorted(at_start), sorted(sys.modules)]))
"""


@pytest.mark.parametrize(
    ("schemas", "is_loaded"), [("serializers", False), ("shapes", True)], ids=["drf", "pydantic"]
)
def test_a_web_process_loads_what_its_steps_use(schemas: str, is_loaded: bool) -> None:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
        "BENCHMARK_MOTIA": schemas,
        "BENCHMARK_DATABASE": json.dumps(database),
        "BENCHMARK_BROKER": "memory://",
    }
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
    printed = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout
    at_start, with_urls = json.loads(printed)
    assert "motia_django.schemas" in at_start and "motia_django.web.views" in with_urls
    assert ("pydantic" in at_start) is ("pydantic" in with_urls) is is_loaded
    assert [name for name in ELSEWHERE if name in with_urls] == []
