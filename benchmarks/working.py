"""Workers that are measured, each with a sender, a broker and a database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders.jobs import Worker, marks
from tests.servers import fresh_postgresql, fresh_rabbitmq, fresh_redis, postgresql_url

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0
SETTINGS = "benchmarks.contenders.jobs.settings"
BROKERS = {"Redis": fresh_redis, "RabbitMQ": fresh_rabbitmq}
_SAFE = ("fsync", "full_page_writes")
"""What our tests' PostgreSQL has switched off."""


@dataclass
class Crew:
    """A worker, and the process that sends to it."""

    worker: Worker
    process: subprocess.Popen[bytes]
    sender: subprocess.Popen[bytes]
    marks: Path

    def rate(self, number: int) -> float:
        """Fill the queue, let the worker at it; return the calls a second of the middle 80 %."""
        began = self._told(number, -1)
        calls = self._calls(began, number + 1)
        times = sorted(called for _, called in calls)[1:]
        steady = times[number // 10 : number - number // 10]
        return (len(steady) - 1) / (steady[-1] - steady[0])

    def delays(self, number: int, pause: float) -> list[float]:
        """Send one job after the other; return the ms from before each sending to its call."""
        began = self._told(number, pause)
        return sorted(1000 * (called - sent) for sent, called in self._calls(began, number))

    def _told(self, number: int, pause: float) -> int:
        """Have jobs sent; return how many calls had been noted before."""
        before = marks.count(self.marks)
        marks.go(self.marks).unlink(missing_ok=True)
        assert self.sender.stdin is not None
        assert self.sender.stdout is not None
        self.sender.stdin.write(f"{number} {pause}\n".encode())
        self.sender.stdin.flush()
        if self.sender.stdout.readline() != b"sent\n":
            raise RuntimeError(f"{self.worker.name}: its jobs could not be sent")
        marks.go(self.marks).touch()
        return before

    def _calls(self, before: int, number: int) -> list[tuple[float, float]]:
        end = time.monotonic() + PATIENCE
        while marks.count(self.marks) < before + number:
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError(f"{self.worker.name}: its jobs were not worked off")
            time.sleep(0.02)
        return marks.read(self.marks)[before:]


@contextmanager
def crews(workers: Sequence[Worker], broker: str) -> Iterator[dict[str, Crew]]:
    """Start these workers, each on a broker and a database of its own; those that are installed."""
    with ExitStack() as stack:
        yield {
            each.name: stack.enter_context(crew(each, broker)) for each in workers if each.is_there
        }


@contextmanager
def crew(worker: Worker, broker: str) -> Iterator[Crew]:
    """Start a worker and its sender; the first job that has been done says that both are up."""
    with tempfile.TemporaryDirectory() as folder:
        noted = Path(folder) / "marks"
        environment = _environment(worker, broker, noted)
        if worker.database:
            migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
            subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
        process = subprocess.Popen(
            [sys.executable, "-m", *worker.command], cwd=ROOT, env=environment
        )
        sender = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contenders.jobs.sending"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert sender.stdout is not None
            sender.stdout.readline()
            started = Crew(worker, process, sender, noted)
            started.rate(100)
            yield started
        finally:
            for each in (sender, process):
                each.terminate()
                each.wait()


def _environment(worker: Worker, broker: str, noted: Path) -> dict[str, str]:
    told = {
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "JOBS_CONTENDER": worker.kind,
        "JOBS_APPS": ",".join(worker.apps),
        "JOBS_BROKER": BROKERS[broker](),
        "JOBS_MARKS": str(noted),
        "SAMPLE_DATA": str(noted.parent),
    }
    if worker.database:
        told["JOBS_DATABASE"] = _database()
    return os.environ | told


def _database() -> str:
    """Return the URL of an empty database of a PostgreSQL that keeps what was committed."""
    import psycopg

    with psycopg.connect(postgresql_url(), autocommit=True) as connection:
        for each in _SAFE:
            connection.execute(f"ALTER SYSTEM SET {each} = on")
        connection.execute("SELECT pg_reload_conf()")
    return fresh_postgresql()
