"""SQLite: no server, so what can fail is getting in."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.chaos.servers.base import Database, Fault


class SQLite(Database):
    """A file, in the mode for many processes that docs/install.md recommends."""

    name = "sqlite"

    @staticmethod
    def missing() -> str | None:
        return None

    def start(self) -> None:
        """There is nothing to start."""

    def command(self) -> Sequence[str]:
        return []

    def answers(self) -> bool:
        return True

    def django_settings(self) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(self._file),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }

    def faults(self) -> dict[str, Fault]:
        return {"database locked": self._locked}

    @property
    def _file(self) -> Path:
        return self.home / "db.sqlite3"

    def _locked(self, seconds: float) -> None:
        with closing(sqlite3.connect(self._file, timeout=60)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
