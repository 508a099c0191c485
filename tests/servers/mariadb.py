"""A real MariaDB, the distribution's, started by hand as the current user on loopback."""

import os
import pwd
import shutil
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.servers.base import Server, ServerFailed
from tests.servers.ports import port_of
from tests.servers.processes import end
from tests.servers.run_directory import next_number
from tests.servers.sharing import url_of

if TYPE_CHECKING:
    from MySQLdb.connections import Connection

# Debian keeps servers where only root's PATH looks.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
SECONDS_TO_START = 50.0

# What a crash of the machine would lose is nothing to a test; a crash of the server loses nothing.
CONFIGURATION = (
    "--innodb-flush-log-at-trx-commit=2",
    "--skip-innodb-doublewrite",
    "--max-connections=300",
    "--character-set-server=utf8mb4",
)


def mariadb_url() -> str:
    """Return the URL of this run's MariaDB; it names no database."""
    return url_of(Mariadb)


def fresh_mariadb() -> str:
    """Return the URL of an empty MariaDB database that nobody else in this run uses."""
    name = f"fresh_{next_number('mariadb')}"
    return create_database(mariadb_url(), name)


def mariadb_settings(name: str) -> dict[str, Any]:
    """Return the entry of Django's DATABASES for the database `name`, made unless it is there."""
    parts = urlsplit(create_database(mariadb_url(), name))
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": name,
        "USER": parts.username,
        "PASSWORD": "",
        "HOST": parts.hostname,
        "PORT": str(parts.port),
    }


def create_database(server: str, name: str) -> str:
    """Make a database, unless it is there, in the server of that URL; return the database's URL."""
    with _connected(urlsplit(server).port or 0) as connection:
        connection.query(f"CREATE DATABASE IF NOT EXISTS `{name}`")
    return f"{server}{name}"


class Mariadb(Server):
    """MariaDB on a loopback port, quick rather than safe; user root has no password."""

    name = "mariadb"
    _process: "subprocess.Popen[bytes] | None" = None

    @staticmethod
    def missing() -> str | None:
        """Look for the server, for the script that makes its tables, and for its client library."""
        if not (_found("mariadbd") and _found("mariadb-install-db")):
            return "install mariadb-server (`make test` does it for root on Debian)"
        return None if find_spec("MySQLdb") else "pip install mysqlclient"

    def start(self, home: Path) -> str:
        """Make the system tables unless they are there, serve them, and wait for an answer."""
        data, port = home / "data", port_of(home / "port")
        common = ("--no-defaults", f"--user={pwd.getpwuid(os.geteuid()).pw_name}")
        if not (data / "mysql").exists():
            _make_system_tables(data, common)
        # The socket is not used; its path, relative to the data, is never too long.
        place = (f"--datadir={data}", "--socket=socket", f"--pid-file={home / 'pid'}")
        address = ("--bind-address=127.0.0.1", f"--port={port}")
        self._process = subprocess.Popen(
            [_found("mariadbd") or "mariadbd", *common, *place, *address, *CONFIGURATION],
            cwd=home,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        _wait_for_an_answer(self._process, port)
        return f"mysql://root@127.0.0.1:{port}/"

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        if self._process:
            end(self._process)
            self._process = None


def _found(program: str) -> str | None:
    return shutil.which(program, path=PATH)


def _make_system_tables(data: Path, common: tuple[str, ...]) -> None:
    script = _found("mariadb-install-db") or "mariadb-install-db"
    account = ("--auth-root-authentication-method=normal", "--skip-test-db")
    subprocess.run(
        [script, *common, f"--datadir={data}", *account],
        env=os.environ | {"PATH": PATH},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _wait_for_an_answer(process: "subprocess.Popen[bytes]", port: int) -> None:
    import MySQLdb

    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            _connected(port).close()
            return
        except MySQLdb.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"no answer from MariaDB on port {port}: {error}") from error
            time.sleep(0.02)


def _connected(port: int) -> "Connection":
    import MySQLdb

    return MySQLdb.connect(host="127.0.0.1", port=port, user="root", autocommit=True)
