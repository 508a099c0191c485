"""MariaDB with its usual care for the disk, so that it may be killed."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.chaos.servers.base import Database
from tests.servers.mariadb import PATH
from tests.servers.mariadb import Mariadb as TestServer

_NAME = "chaos"


class MariaDB(Database):
    """The distribution's MariaDB, as the current user, on a Unix socket."""

    name = "mariadb"

    @staticmethod
    def missing() -> str | None:
        return TestServer.missing()

    def prepare(self) -> None:
        (self.home / "scratch").mkdir()
        self._run(
            [
                _found("mariadb-install-db"),
                "--no-defaults",
                f"--datadir={self.home / 'data'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                f"--user={self._user}",
            ]
        )

    def environment(self) -> Mapping[str, str]:
        return {"PATH": PATH}

    def start(self) -> None:
        super().start()
        with self._connection() as connection:
            connection.query(f"CREATE DATABASE IF NOT EXISTS {_NAME} CHARACTER SET utf8mb4")

    def command(self) -> Sequence[str]:
        return [
            _found("mariadbd"),
            "--no-defaults",
            f"--datadir={self.home / 'data'}",
            f"--socket={self._socket}",
            f"--tmpdir={self.home / 'scratch'}",
            "--skip-networking",
            f"--user={self._user}",
        ]

    def answers(self) -> bool:
        import MySQLdb

        try:
            with self._connection():
                return True
        except MySQLdb.OperationalError:
            return False

    def django_settings(self) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": _NAME,
            "USER": "root",
            "HOST": self._socket,
            "CONN_MAX_AGE": 60,
            "OPTIONS": {"charset": "utf8mb4"},
        }

    @property
    def _socket(self) -> str:
        return str(self.home / "socket")

    @property
    def _user(self) -> str:
        return pwd.getpwuid(os.geteuid()).pw_name

    def _connection(self) -> Any:
        import MySQLdb

        return MySQLdb.connect(unix_socket=self._socket, user="root")


def _found(program: str) -> str:
    return shutil.which(program, path=PATH) or program
