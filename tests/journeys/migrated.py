"""Migrated databases: the first of a kind is made in a run of the tests, the others are copies."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers import postgresql_url
from tests.servers.run_directory import locked, run_directory

KEPT = "migrated"


def migrate_once(environment: Mapping[str, str], migrate: Callable[[], object]) -> None:
    """Have the database that the sample project's environment names migrated, or made as a copy."""
    url = urlsplit(environment.get("DATABASE_URL", ""))
    if url.scheme == "mysql":
        migrate()
    elif url.scheme:
        _made_once("postgresql", url.path.removeprefix("/"), KEPT, _copy_postgresql, migrate)
    else:
        file = Path(environment["SAMPLE_DATA"]) / "db.sqlite3"
        kept = run_directory() / f"{KEPT}.sqlite3"
        _made_once("sqlite", str(file), str(kept), _copy_sqlite, migrate)


def _made_once(
    kind: str,
    database: str,
    kept: str,
    copy: Callable[[str, str], None],
    migrate: Callable[[], object],
) -> None:
    mark = run_directory() / f"{KEPT}.{kind}"
    with locked(mark.with_name(f"{mark.name}.lock")):
        if not mark.exists():
            migrate()
            copy(database, kept)
            mark.touch()
            return
    copy(kept, database)


def _copy_sqlite(source: str, target: str) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _copy_postgresql(source: str, target: str) -> None:
    """Make a database anew as another is, which nobody may be connected to."""
    import psycopg
    from psycopg import sql

    names = {"source": sql.Identifier(source), "target": sql.Identifier(target)}
    with psycopg.connect(postgresql_url(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {target}").format(**names))
        connection.execute(sql.SQL("CREATE DATABASE {target} TEMPLATE {source}").format(**names))
