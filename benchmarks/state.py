"""What state costs, beside the bare ORM and the bare Redis client doing the same work by hand.

    python -m benchmarks.state

measures each operation on SQLite, PostgreSQL, MariaDB and Redis, ours and the bare one in turns,
and prints the medians and their ratio. The same work: the value that was there is read and
returned, JSON is read and written with orjson, a list comes in the order of its keys. It ends with
1 if a ratio is over the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, ClassVar

import orjson

from benchmarks import report

STORES = ("sqlite", "postgresql", "mariadb", "redis")
LIMIT = 1.5
COLUMNS = ("store", "operation", "ours, µs", "by hand, µs", "ratio")
PACKAGES = ("django", "redis", "psycopg", "mysqlclient")
VALUE = {
    "id": "08302519-0619-45dc-970b-adebfe71f898",
    "customer": {"name": "Ada Lovelace", "email": "ada@example.com", "city": "Oslo"},
    "lines": [{"sku": f"SKU-{number}", "count": number, "price": 12.5} for number in range(4)],
    "paid": True,
    "n": 0,
}
"""Some 300 bytes of JSON."""
ITEMS = 1000

Act = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One operation, ours and by hand."""

    name: str
    ours: Act
    bare: Act
    calls: int = 100
    """How often it is done in one round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one operation took, in microseconds."""

    name: str
    ours: float
    bare: float

    @property
    def ratio(self) -> float:
        """How many times as long ours took."""
        return self.ours / self.bare


def measured(pair: Pair, rounds: int) -> Finding:
    """Do both in turns, many times; return the median of the rounds."""
    ours, bare = [], []
    for _ in range(3):
        pair.ours(), pair.bare()
    for _ in range(rounds):
        ours.append(_took(pair.ours, pair.calls))
        bare.append(_took(pair.bare, pair.calls))
    return Finding(name=pair.name, ours=median(ours), bare=median(bare))


def _took(act: Act, calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        act()
    return (time.perf_counter() - began) / calls * 1e6


def pairs(store: str) -> list[Pair]:
    """Return the operations on a store that is set up and filled."""
    from motia_django import state

    bare = _bare_redis() if store == "redis" else _bare_orm()
    add = [{"type": "increment", "path": "n"}]
    return [
        Pair(name="get", ours=lambda: state.get("g", "00500"), bare=bare["get"]),
        Pair(name="set", ours=lambda: state.set("g", "00500", VALUE), bare=bare["set"]),
        Pair(name="update", ours=lambda: state.update("g", "00500", add), bare=bare["update"]),
        Pair(name="list of 1,000", ours=lambda: state.list("g"), bare=bare["list"], calls=3),
    ]


def _bare_orm() -> dict[str, Act]:
    """Return the operations as one writes them with models and nothing else."""
    from django.db import models, transaction
    from django.utils import timezone

    class Item(models.Model):
        objects: ClassVar[Any] = models.Manager()
        group = models.CharField(max_length=255)
        key = models.CharField(max_length=255)
        value = models.TextField()
        version = models.BigIntegerField()
        expires_at = models.DateTimeField(null=True)
        updated_at = models.DateTimeField()

        class Meta:
            app_label = "benchmarks"
            managed = False
            db_table = "motia_state"

        def __str__(self) -> str:
            return self.key

    def get() -> Any:
        item = Item.objects.get(group="g", key="00500")
        return orjson.loads(item.value)

    def write(new: Callable[[Any], Any]) -> tuple[Any, Any]:
        with transaction.atomic():
            item = Item.objects.select_for_update().get(group="g", key="00500")
            old = orjson.loads(item.value)
            value = new(old)
            item.value = orjson.dumps(value).decode()
            item.version += 1
            item.expires_at = None
            item.updated_at = timezone.now()
            item.save(update_fields=["value", "version", "expires_at", "updated_at"])
        return old, value

    def listed() -> list[Any]:
        texts = Item.objects.filter(group="g").order_by("key").values_list("value", flat=True)
        return [orjson.loads(text) for text in texts]

    return {
        "get": get,
        "set": lambda: write(lambda old: VALUE),
        "update": lambda: write(_counted),
        "list": listed,
    }


def _bare_redis() -> dict[str, Act]:
    """Return the operations as one writes them with redis-py and nothing else."""
    import redis

    client: Any = redis.Redis.from_url(os.environ["BENCHMARK_REDIS"])
    for key, text in _texts():
        client.hset("bare", key, text)
    swap = client.register_script(
        "local old = redis.call('HGET', KEYS[1], ARGV[1])"
        " redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return old"
    )

    def set_() -> Any:
        return orjson.loads(swap(keys=["bare"], args=["00500", orjson.dumps(VALUE)]))

    def update() -> Any:
        with client.pipeline() as pipe:
            while True:
                try:
                    pipe.watch("bare")
                    old = orjson.loads(pipe.hget("bare", "00500"))
                    new = _counted(old)
                    pipe.multi()
                    pipe.hset("bare", "00500", orjson.dumps(new))
                    pipe.execute()
                    return old, new
                except redis.WatchError:
                    continue

    def listed() -> list[Any]:
        return [orjson.loads(text) for _, text in sorted(client.hgetall("bare").items())]

    return {
        "get": lambda: orjson.loads(client.hget("bare", "00500")),
        "set": set_,
        "update": update,
        "list": listed,
    }


def _counted(value: Any) -> Any:
    return {**value, "n": value["n"] + 1}


def _texts() -> list[tuple[str, str]]:
    return [(f"{number:05}", orjson.dumps(VALUE).decode()) for number in range(ITEMS)]


def main() -> int:
    """Measure on each store, each in a process of its own; 1 if something is over the limit."""
    parser = argparse.ArgumentParser("python -m benchmarks.state", description=__doc__)
    parser.add_argument("--stores", default=",".join(STORES))
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--write-docs", action="store_true", help=f"into docs/{report.PAGE.name}")
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        return _measure_here(options.here, options.rounds)
    machine = report.machine(*PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        names = options.stores.split(",")
        found = {name: _measure(name, options.rounds, folder) for name in names}
    text = f"{machine}.\n\n{report.table(COLUMNS, _rows(found))}"
    print(text)
    if options.write_docs:
        report.write("state", text)
    return int(any(each.ratio > LIMIT for findings in found.values() for each in findings))


def _rows(found: dict[str, list[Finding]]) -> list[list[str]]:
    """Return a line for each operation on each store."""
    return [
        [store, each.name, f"{each.ours:,.0f}", f"{each.bare:,.0f}", f"{each.ratio:.2f}"]
        for store, findings in found.items()
        for each in findings
    ]


def _measure(name: str, rounds: int, folder: str) -> list[Finding]:
    """Measure in another process; return nothing for a server that is not there, and say so."""
    from tests import servers

    try:
        environment = {**os.environ, "BENCHMARK_DATABASE": json.dumps(_database(name, folder))}
        if name == "redis":
            environment["BENCHMARK_REDIS"] = servers.fresh_redis()
    except servers.ServerUnavailable as error:
        print(f"{name}: left out, for want of {error}", file=sys.stderr)
        return []
    again = [sys.executable, "-m", "benchmarks.state", "--here", name, "--rounds", str(rounds)]
    done = subprocess.run(again, env=environment, check=True, stdout=subprocess.PIPE)
    return [Finding(**each) for each in json.loads(done.stdout)]


def _database(name: str, folder: str) -> dict[str, Any]:
    from tests import servers

    if name == "postgresql":
        return {**servers.postgresql_settings("benchmark"), "CONN_MAX_AGE": None}
    if name == "mariadb":
        return {**servers.mariadb_settings("benchmark"), "CONN_MAX_AGE": None}
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{folder}/{name}.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _measure_here(name: str, rounds: int) -> int:
    _set_up(name)
    from motia_django import state

    state.set_many("g", {key: VALUE for key, _ in _texts()})
    found = [measured(pair, rounds) for pair in pairs(name)]
    print(json.dumps([asdict(each) for each in found]))
    return 0


def _set_up(name: str) -> None:
    """Set Django up with the database, or the Redis, that the environment names."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    redis = os.environ.get("BENCHMARK_REDIS")
    state = {"BACKEND": "motia_django.stores.redis.RedisState"}
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "motia_django"],
        DATABASES={"default": json.loads(os.environ["BENCHMARK_DATABASE"])},
        CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis or ""}},
        USE_TZ=True,
        MOTIA={"STATE": state} if redis else {},
    )
    django.setup()
    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    raise SystemExit(main())
