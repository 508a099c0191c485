"""One pair's battle: its servers, workers and producers, the faults that fall, and the audit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos import outages, progress
from benchmarks.chaos.faults import Inflict, Targets, catalogue
from benchmarks.chaos.findings import Findings
from benchmarks.chaos.plan import PRODUCERS, WORKERS, Plan, PlannedFault, faults
from benchmarks.chaos.processes import Supervised, Supervisor
from benchmarks.chaos.servers import Broker, Database, parts
from benchmarks.chaos.servers.base import Server
from tests.servers.run_directory import run_directory

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "benchmarks.chaos.project"
_LEAD = 4.0
"""Seconds that the processes get to start in, before the first message is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be fought."""

    pair: str
    plan: Plan
    patience: float
    """Seconds in which something has to finish, once all is well again."""
    logs: Path
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a battle came to."""

    pair: str
    seconds: float
    faults: dict[str, int]
    findings: Findings
    logs: Path


def fight(order: Order) -> Report:
    """Put one pair under fire; leave nothing behind but its logs."""
    begun = time.monotonic()
    order.logs.mkdir(parents=True, exist_ok=True)
    home = run_directory() / f"chaos-{order.pair}-{os.getpid()}"
    make_database, make_broker = parts(order.pair)
    try:
        with ExitStack() as stack:
            database = make_database(home / "database", order.logs / "database.log")
            broker = make_broker(home / "broker", order.logs / "broker.log")
            for server in (database, broker):
                stack.enter_context(_served(server))
            fallen, findings = _Battle(order, home, database, broker).fight()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return Report(
        pair=order.pair,
        seconds=time.monotonic() - begun,
        faults=fallen,
        findings=findings,
        logs=order.logs,
    )


@contextmanager
def _served(server: Server) -> Iterator[None]:
    try:
        server.prepare()
        server.start()
        yield
    finally:
        server.close()


class _Battle:
    def __init__(self, order: Order, home: Path, database: Database, broker: Broker) -> None:
        self._order, self._home = order, home
        self._environment = {
            **os.environ,
            **order.plan.to_environment(),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
            "CHAOS_HOME": str(home),
            "CHAOS_DATABASE": json.dumps(database.django_settings()),
            "CHAOS_BROKER": broker.url(),
        }
        self._begun = time.monotonic() + _LEAD
        self._targets = Targets(
            database=database,
            broker=broker,
            workers=[self._worker(f"worker{number}") for number in range(WORKERS)],
            producers=[self._producer(number) for number in range(PRODUCERS)],
        )
        self._fallen: Counter[str] = Counter()
        self._failures: list[str] = []

    def fight(self) -> tuple[dict[str, int], Findings]:
        """Do it all; return which faults fell how often, and what the audit found."""
        self._python(
            "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"
        ).check_returncode()
        targets = self._targets
        supervisor = Supervisor([*targets.workers, *targets.producers])
        try:
            supervisor.start()
            self._inflict_all()
            self._wait_for_the_producers()
            self._order.say("all is well again; waiting for the runs")
            self._audit("wait", str(self._order.patience))
        finally:
            supervisor.close()
        outages.save(targets.outages, self._home / "outages.json")
        findings = Findings(**json.loads(self._audit("judge").stdout))
        findings.broken += self._failures
        return dict(self._fallen), findings

    def _inflict_all(self) -> None:
        """Let every planned fault fall when it is due; return when all are over."""
        kinds = catalogue(self._targets)
        threads = []
        for fault in faults(self._order.plan, self._order.pair, list(kinds)):
            self._wait_for(fault)
            self._order.say(f"{fault.at:6.1f} s  {fault.kind}")
            threads.append(threading.Thread(target=self._inflict, args=(fault, kinds[fault.kind])))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _wait_for(self, fault: PlannedFault) -> None:
        """Wait until a fault's time, and until the producers are as far as they should be then."""
        time.sleep(max(self._begun + fault.at - time.monotonic(), 0))
        deadline = time.monotonic() + self._order.patience
        share = fault.at / self._order.plan.seconds
        while progress.of_all(self._home) < share and time.monotonic() < deadline:
            time.sleep(0.1)

    def _inflict(self, fault: PlannedFault, inflict: Inflict) -> None:
        try:
            inflict(fault.dice)
            self._fallen[fault.kind] += 1
        except Exception as error:
            self._failures.append(f"the fault {fault.kind!r} at {fault.at:.1f} s failed: {error!r}")

    def _wait_for_the_producers(self) -> None:
        far, since = 0.0, time.monotonic()
        while not all(each.done for each in self._targets.producers):
            if (farther := progress.of_all(self._home)) > far:
                far, since = farther, time.monotonic()
            if time.monotonic() > since + self._order.patience:
                self._failures.append("the producers do not finish")
                return
            time.sleep(0.1)

    def _audit(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = self._python("-m", "benchmarks.chaos.audit", *words)
        if words[0] == "judge":
            done.check_returncode()
        return done

    def _python(self, *words: str) -> subprocess.CompletedProcess[str]:
        with (self._order.logs / "audit.log").open("ab") as log:
            return subprocess.run(
                [sys.executable, *words],
                cwd=self._home,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def _worker(self, name: str) -> Supervised:
        celery = ["-m", "celery", "-A", PROJECT, "worker", "-l", "INFO", "-c", "2"]
        return self._supervised(name, [*celery, "-n", f"{name}@%h"])

    def _producer(self, number: int) -> Supervised:
        words = ["-m", "benchmarks.chaos.producer", str(number), str(self._begun)]
        return self._supervised(f"producer{number}", words)

    def _supervised(self, name: str, words: Sequence[str]) -> Supervised:
        return Supervised(
            [sys.executable, *words],
            folder=self._home,
            environment=self._environment,
            log=self._order.logs / f"{name}.log",
        )
