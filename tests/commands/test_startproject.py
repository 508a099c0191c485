"""The project that `python -m motia_django startproject` writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from motia_django.commands.startproject import startproject

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ["-p", "pytest_django.plugin", "-p", "motia_django.testing.plugin"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return startproject("shop", str(tmp_path))


def run_pytest(project: Path, *words: str) -> str:
    bare = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGINS, *words]
    environment = bare | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    return done.stdout


def test_pytest_finds_its_settings_and_says_so_where_it_does_not(shop: Path) -> None:
    (shop / "shop" / "tests.py").write_text(
        "from motia_django.testing import MotiaMixin\n\n\ndef test_there_is_a_kit():\n    pass\n"
    )
    assert "1 passed" in run_pytest(shop)
    (shop / "pytest.ini").write_text("[pytest]\npython_files = tests.py test_*.py\n")
    (shop / "shop" / "test_kit.py").write_text("def test_the_kit(motia):\n    pass\n")
    told = run_pytest(shop, "--continue-on-collection-errors")
    assert "2 errors" in told
    assert told.count("    DJANGO_SETTINGS_MODULE = shop.settings") >= 2
