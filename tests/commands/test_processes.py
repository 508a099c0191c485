"""Processes as one: how each ended, and when it is given up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from motia_django.commands import tied
from motia_django.commands.processes import Part, stop
from tests.journeys.running import eventually

AT_WORK = """
import signal, subprocess, sys

child = [sys.executable, "-c", "import sys; sys.stdin.read(); print('done', flush=True)"]
work = subprocess.Popen(child, stdin=subprocess.PIPE)
signal.signal(signal.SIGTERM, lambda *_: work.stdin.close() if {heeds} else None)
print("begun", flush=True)
work.wait()
"""
"""A worker with a child at work, which may end what it does, unless it gets a signal itself."""


def ended(code: str) -> Part:
    """Return a part whose process ran this code to its end."""
    process = subprocess.Popen([sys.executable, "-c", code], text=True)
    process.wait()
    return Part("part", [], process=process)


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("", "ended with exit code 0"),
        ("raise SystemExit(137)", "was killed by SIGKILL"),
        ("import os; os.kill(os.getpid(), 15)", "was killed by SIGTERM"),
        ("raise SystemExit(255)", "ended with exit code 255"),
    ],
)
def test_how_a_process_ended_is_said(code: str, end: str) -> None:
    assert ended(code).end == end


def test_what_ends_three_times_in_a_row_is_given_up() -> None:
    part = Part("part", [])
    assert [part.keeps_ending() for _ in range(3)] == [False, False, True]


def test_ends_of_long_ago_are_forgotten() -> None:
    part = Part("part", [], ends=[-1000.0, -900.0])
    assert not part.keeps_ending()


@pytest.mark.parametrize(("heeds", "said"), [(True, ["begun", "done"]), (False, ["begun"])])
def test_what_is_at_work_may_end_before_it_is_interrupted(heeds: bool, said: list[str]) -> None:
    lines: list[str] = []
    command = [sys.executable, "-c", AT_WORK.format(heeds=heeds)]
    part = Part("worker", [sys.executable, "-m", tied.__name__, *command])
    part.start(lambda _, line: lines.append(line))
    eventually(lambda: lines == ["begun"])
    stop([part], patience=30 if heeds else 0.1)
    eventually(lambda: lines == said)
    assert part.exit_code is not None
