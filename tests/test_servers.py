"""The real servers answer, are shared, give everyone a room of his own, and end with their run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from kombu import Connection
from redis import ConnectionError as RedisGone
from redis import Redis

from tests.servers import (
    ServerFailed,
    ServerUnavailable,
    django_settings,
    fixtures,
    fresh_mariadb,
    fresh_postgresql,
    fresh_rabbitmq,
    fresh_redis,
    mariadb_settings,
    postgresql_settings,
    sharing,
)
from tests.servers.base import Server
from tests.servers.keeper import SERVERS
from tests.servers.run_directory import VARIABLE, leave

ROOT = Path(__file__).parents[1]


def test_redis_answers(redis_server: str) -> None:
    assert Redis.from_url(redis_server).ping()


def test_postgresql_answers(postgresql_server: str) -> None:
    with psycopg.connect(postgresql_server) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert connection.execute("SHOW fsync").fetchone() == ("off",)


def test_mariadb_answers(mariadb_server: str) -> None:
    with mariadb(mariadb_server) as connection:
        assert rows(connection, "SELECT 1") == [(1,)]
        assert rows(connection, "SELECT @@character_set_server") == [("utf8mb4",)]
        assert rows(connection, "SELECT @@tx_isolation") == [("REPEATABLE-READ",)]


def test_rabbitmq_carries_a_message(rabbitmq_server: str) -> None:
    url = fresh_rabbitmq()
    put(url, "hello")
    assert take(url) == "hello"


def test_every_fresh_redis_is_empty_and_alone(redis_server: str) -> None:
    first, second = Redis.from_url(fresh_redis()), Redis.from_url(fresh_redis())
    first.set("key", "of the first")
    assert second.get("key") is None
    assert Redis.from_url(redis_server).get("key") is None


def test_every_fresh_postgresql_is_empty_and_alone(postgresql_server: str) -> None:
    with psycopg.connect(fresh_postgresql()) as first, psycopg.connect(fresh_postgresql()) as other:
        first.execute("CREATE TABLE mine (id int)")
        first.commit()
        assert other.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_every_fresh_mariadb_is_empty_and_alone(mariadb_server: str) -> None:
    with mariadb(fresh_mariadb()) as first, mariadb(fresh_mariadb()) as other:
        first.query("CREATE TABLE mine (id int)")
        assert rows(other, "SHOW TABLES") == []


def test_every_fresh_rabbitmq_is_empty_and_alone(rabbitmq_server: str) -> None:
    first, second = fresh_rabbitmq(), fresh_rabbitmq()
    put(first, "for the first")
    assert take(second) is None
    assert take(first) == "for the first"


def test_django_finds_the_postgresql_database_it_is_given(postgresql_server: str) -> None:
    settings = postgresql_settings("for_django")
    assert settings == postgresql_settings("for_django")
    assert settings == django_settings(postgresql_server) | {"NAME": "for_django"}
    with psycopg.connect(
        host=settings["HOST"], port=settings["PORT"], user=settings["USER"], dbname="for_django"
    ) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("for_django",)


def test_django_finds_the_mariadb_database_it_is_given(mariadb_server: str) -> None:
    settings = mariadb_settings("for_django")
    assert settings == mariadb_settings("for_django")
    with mariadb(f"mysql://root@{settings['HOST']}:{settings['PORT']}/for_django") as connection:
        assert rows(connection, "SELECT database()") == [("for_django",)]


@pytest.mark.journey
@pytest.mark.parametrize("name", ["redis", "postgresql", "mariadb", "rabbitmq"])
def test_a_server_started_again_has_its_data_and_its_url(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    request.getfixturevalue(f"{name}_server")
    keep, find = KEPT[name]
    server = SERVERS[name]()
    try:
        url = server.start(tmp_path)
        keep(url)
        server.stop()
        assert server.start(tmp_path) == url
        assert find(url)
    finally:
        server.stop()


def test_a_child_process_finds_the_same_server(redis_server: str) -> None:
    assert run_script("print(redis_url())", os.environ.copy()).stdout.strip() == redis_server


def test_servers_end_with_the_script_that_started_them(redis_server: str, tmp_path: Path) -> None:
    url = run_script("print(redis_url())", environment_of_another_run(tmp_path)).stdout.strip()
    assert url != redis_server
    assert not answers(url)


def test_servers_end_even_if_their_owner_is_killed(tmp_path: Path) -> None:
    script = "print(redis_url(), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    killed = run_script(script, environment_of_another_run(tmp_path))
    assert killed.returncode == -signal.SIGKILL
    wait_until_gone(killed.stdout.strip())


def test_servers_whose_keeper_was_killed_too_end_at_the_next_start(tmp_path: Path) -> None:
    script = """
print(redis_url(), flush=True)
sharing._keepers[0].kill()
os.kill(os.getpid(), signal.SIGKILL)
"""
    orphan = run_script(script, environment_of_another_run(tmp_path)).stdout.strip()
    assert answers(orphan)
    run_script("run_directory()", environment_of_another_run(tmp_path))
    wait_until_gone(orphan)


def test_of_two_keepers_that_leave_last_neither_misses_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    (directory / "redis").mkdir(parents=True)
    for _ in range(2):
        leave(directory, directory / "redis")
        assert not directory.exists()


class Absent(Server):
    """A server that no machine has."""

    name = "absent"

    @staticmethod
    def missing() -> str | None:
        return "install what does not exist"

    def start(self, home: Path) -> str:
        raise AssertionError("never reached")

    def stop(self) -> None:
        raise AssertionError("never reached")


class Broken(Absent):
    """A server that is there but does not start: its keeper does not even know it."""

    name = "broken"

    @staticmethod
    def missing() -> str | None:
        return None


def test_a_missing_server_says_what_to_install() -> None:
    with pytest.raises(ServerUnavailable, match="no absent: install what does not exist"):
        sharing.url_of(Absent)


def test_a_server_that_does_not_start_shows_its_log() -> None:
    for _ in range(2):  # the second time without trying again
        with pytest.raises(ServerFailed, match=r"(?s)broken did not start.*KeyError: 'broken'"):
            sharing.url_of(Broken)


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_a_missing_server_skips_but_fails_in_ci(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="install what does not exist"):
        fixtures._url_or_skip(lambda: sharing.url_of(Absent))


def mariadb(url: str) -> Any:
    """Connect to a MariaDB by its URL, each statement a transaction of its own."""
    from MySQLdb import connect

    parts = urlsplit(url)
    return connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        database=parts.path.removeprefix("/"),
        autocommit=True,
    )


def rows(connection: Any, query: str) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def put(url: str, message: str) -> None:
    with Connection(url) as connection, connection.SimpleQueue("box") as box:
        box.put(message)


def take(url: str) -> str | None:
    with Connection(url) as connection, connection.SimpleQueue("box") as box:
        try:
            message = box.get(timeout=0.5)
        except box.Empty:
            return None
        message.ack()
        return str(message.payload)


def ask_postgresql(url: str, query: str) -> list[Any]:
    """Return what a query finds, if it is one that finds something."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(query)
        return found.fetchall() if found.description else []


def ask_mariadb(url: str, query: str) -> list[Any]:
    """Return what a query finds."""
    with mariadb(url) as connection:
        return rows(connection, query)


KEPT: dict[str, tuple[Callable[[str], object], Callable[[str], object]]] = {
    "redis": (
        lambda url: Redis.from_url(url).set("key", "kept"),
        lambda url: Redis.from_url(url).get("key"),
    ),
    "postgresql": (
        lambda url: ask_postgresql(url, "CREATE TABLE kept AS SELECT 1"),
        lambda url: ask_postgresql(url, "SELECT * FROM kept"),
    ),
    "mariadb": (
        lambda url: ask_mariadb(url, "CREATE DATABASE kept"),
        lambda url: ask_mariadb(url, "SHOW DATABASES LIKE 'kept'"),
    ),
    "rabbitmq": (lambda url: put(url, "kept"), take),
}


def run_script(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    imports = (
        "import os, signal\n"
        "from tests.servers import redis_url, sharing\n"
        "from tests.servers.run_directory import run_directory\n"
    )
    return subprocess.run(
        [sys.executable, "-c", imports + script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def environment_of_another_run(temporary: Path) -> dict[str, str]:
    """Give it a temporary directory of its own: any run that starts in ours sweeps ours."""
    others = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return others | {"TMPDIR": str(temporary)}


def answers(url: str) -> bool:
    try:
        return bool(Redis.from_url(url).ping())
    except RedisGone:
        return False


def wait_until_gone(url: str) -> None:
    deadline = time.monotonic() + 10
    while answers(url):
        assert time.monotonic() < deadline, f"{urlsplit(url).netloc} still answers"
        time.sleep(0.05)
