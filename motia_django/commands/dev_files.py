"""The files that `dev` watches: which of them change, and whether they would start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from django.utils.autoreload import iter_all_python_module_files

from motia_django.discovery import step_files, stream_files


class Files:
    """The project's code, as it was when last looked at; it is sound when this is made."""

    def __init__(self) -> None:
        self._seen = self._sound = _snapshot()

    def changed(self) -> list[str]:
        """Return the files that have changed since this was last asked."""
        before, self._seen = self._seen, _snapshot()
        both = {*before, *self._seen}
        return sorted(str(file) for file in both if before.get(file) != self._seen.get(file))

    def problems(self) -> str:
        """Return what keeps the files, as they are now, from being started; "" if nothing does.

        It takes a process and seconds, unless they are still those that were last found sound.
        """
        now = _snapshot()
        if now == self._sound:
            return ""
        checked = subprocess.run([*manage(), "check"], capture_output=True, text=True)
        if checked.returncode:
            return checked.stderr.strip() or f"check ended with exit code {checked.returncode}"
        self._sound = now
        return ""


def manage() -> list[str]:
    """Return the words by which this project's `manage.py` is called."""
    return [sys.executable, sys.argv[0]]


def _snapshot() -> dict[Path, float]:
    """Return when each file of the project's code was last changed."""
    files = {
        *iter_all_python_module_files(),
        *(each.file for each in (*step_files(), *stream_files())),
    }
    times = {}
    for file in files:
        if "site-packages" not in file.parts:
            try:
                times[file] = file.stat().st_mtime
            except OSError:
                continue
    return times
