"""The files that `dev` watches: which of them change, and whether they would start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from django.apps import apps
from django.conf import settings
from django.utils.autoreload import iter_all_python_module_files

from motia_django.commands import dev_server
from motia_django.discovery import step_files, stream_files

Times: TypeAlias = dict[Path, float]
"""When each file was last changed."""

_LIBRARIES = "site-packages"
_OF_OTHERS = (".", "__pycache__", "node_modules", "test_", "tests", "conftest.py")
"""What the names of files and folders begin with that the running processes never import."""


class Files:
    """The project's code, as it was when last looked at; it is sound when this is made."""

    def __init__(self) -> None:
        self._seen = self._sound = _snapshot()

    def changed(self) -> list[str]:
        """Return the files that have changed since this was last asked."""
        before, self._seen = self._seen, _snapshot()
        return sorted(map(str, _differing(before, self._seen)))

    def problems(self) -> str:
        """Return what keeps the files, as they are now, from being started; "" if nothing does.

        It takes a process and seconds, unless they are still those that were last found sound.
        """
        now = _snapshot()
        for command in _trials(_differing(self._sound, now)):
            tried = subprocess.run(command, capture_output=True, text=True)
            if tried.returncode:
                return tried.stderr.strip() or f"{command[-1]} ended with {tried.returncode}"
        self._sound = now
        return ""


def _differing(before: Times, after: Times) -> set[Path]:
    """Return the files that were changed, or came, or went, from one look to the next."""
    return {file for file in {*before, *after} if before.get(file) != after.get(file)}


def _trials(changed: set[Path]) -> Iterator[list[str]]:
    """Yield the commands that fail if the processes would: `check` does not load `asgi.py`."""
    if changed:
        yield [*manage(), "check"]
    module = (dev_server.path() or "").rpartition(".")[0]
    if module.rpartition(".")[2] in {file.stem for file in changed}:
        yield [sys.executable, "-c", f"import {module}"]


def manage() -> list[str]:
    """Return the words by which this project's `manage.py` is called."""
    return [sys.executable, sys.argv[0]]


def _snapshot() -> Times:
    """Return when each file of the project's code was last changed: what is loaded, or may be."""
    files = {
        *iter_all_python_module_files(),
        *(each.file for each in (*step_files(), *stream_files())),
        *(file for home in _homes() for file in _code_below(home)),
    }
    times = {}
    for file in files:
        if _LIBRARIES not in file.parts:
            try:
                times[file] = file.stat().st_mtime
            except OSError:
                continue
    return times


def _homes() -> set[Path]:
    """Return the folders of the project's own apps, and of the package that has its settings."""
    package = str(getattr(settings, "SETTINGS_MODULE", "")).partition(".")[0]
    folders = {
        *(config.path for config in apps.get_app_configs()),
        *getattr(sys.modules.get(package), "__path__", ()),
    }
    return {Path(each).resolve() for each in folders if _LIBRARIES not in Path(each).parts}


def _code_below(home: Path) -> Iterator[Path]:
    """Yield the Python files of a folder, and of those below it, but for tests."""
    for place, folders, files in os.walk(home):
        folders[:] = [each for each in folders if not each.startswith(_OF_OTHERS)]
        for each in files:
            if each.endswith(".py") and not each.startswith(_OF_OTHERS):
                yield Path(place, each)
