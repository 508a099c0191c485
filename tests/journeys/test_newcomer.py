"""What README says to type, typed: from an empty folder to two runs in the admin."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.newcomer import USER, Terminal, lines, play
from tests.journeys.running import ROOT, free_port

pytestmark = [pytest.mark.journey, pytest.mark.timeout(240)]
INSTALLING = ("python3 -m venv", "pip install")


def test_a_project_from_nothing_is_ten_lines_away(tmp_path: Path) -> None:
    """All but the installing, for which there is `make newcomer`."""
    typed = [line for line in lines("a new project") if not line.startswith(INSTALLING)]
    assert len(lines("a new project")) + len(lines("a first order")) <= 10
    bare = ("CELERY_BROKER_URL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE")
    environment = {name: value for name, value in os.environ.items() if name not in bare}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["PYTHONPATH"] = str(ROOT)
    with closing(Terminal(tmp_path, environment | USER)) as terminal:
        done = [line for line, _ in play(terminal, typed, free_port())]
    assert done[: len(typed)] == typed
    assert done[-1] == "both runs are seen in the admin"
