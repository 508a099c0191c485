"""Processes as one: how each ended, and when it is given up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from motia_django.commands.processes import Part


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
