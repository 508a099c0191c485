"""The sample project in a process of its own, on a database file of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT

DATABASE = "db.sqlite3"


def served(folder: Path, script: str, how: str, *settings: str) -> subprocess.CompletedProcess[str]:
    """Run a script that is told `how`, with further lines of settings; its database is in there."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / DATABASE)}
    lines = [
        "from sample_project.settings import *",
        f"DATABASES = {{'default': {database!r}}}",
        "ALLOWED_HOSTS = ['*']",
        *settings,
    ]
    (folder / "served.py").write_text("\n".join(lines))
    path = os.pathsep.join([str(folder), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", script, how],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "served", "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    return done
