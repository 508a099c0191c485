"""The faults, by name: what each does to the workers, the producers and the servers of a pair."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TypeVar

from benchmarks.chaos.outages import Outage
from benchmarks.chaos.plan import LEASE
from benchmarks.chaos.processes import Supervised
from benchmarks.chaos.servers import Broker, Database

Inflict = Callable[[Random], None]
T = TypeVar("T")

_SECONDS_TO_HIT = 30.0


@dataclass(slots=True, kw_only=True)
class Targets:
    """What can be hit; each server by one fault at a time."""

    broker: Broker
    database: Database
    workers: Sequence[Supervised]
    producers: Sequence[Supervised]
    outages: list[Outage] = field(default_factory=list)
    """When which processes could not have renewed a lease."""
    broker_lock: threading.Lock = field(default_factory=threading.Lock)
    database_lock: threading.Lock = field(default_factory=threading.Lock)


def catalogue(targets: Targets) -> dict[str, Inflict]:
    """Return every fault of a pair, those first that no short battle may do without."""
    return {
        "worker killed": partial(_kill, targets.workers),
        "worker frozen": partial(_freeze, targets, True),
        "broker restarted": partial(_restart_broker, targets),
        "broker wiped": partial(_wipe_broker, targets),
        **{
            name: partial(_hit_database, targets, hit)
            for name, hit in targets.database.faults().items()
        },
        "pool process killed": partial(_kill_child, targets.workers),
        "producer killed": partial(_kill, targets.producers),
        "pool process frozen": partial(_freeze, targets, False),
        "broker killed": partial(_kill_broker, targets),
        "broker frozen": partial(_freeze_broker, targets),
    }


def _kill(processes: Sequence[Supervised], dice: Random) -> None:
    _until_it_hits(dice.choice(processes).kill)


def _kill_child(processes: Sequence[Supervised], dice: Random) -> None:
    target = dice.choice(processes)
    _until_it_hits(lambda: target.kill_child(dice))


def _freeze(targets: Targets, whole: bool, dice: Random) -> None:
    """Freeze a worker, or one process of its pool, for less or for more than its lease."""
    worker = dice.choice(targets.workers)
    seconds = dice.choice((dice.uniform(0.5, 2), LEASE + dice.uniform(0.5, 2)))
    frozen = _until_it_hits(lambda: worker.freeze(dice, whole=whole))
    outage = Outage(begun=time.monotonic(), processes=frozen)
    time.sleep(seconds)
    worker.thaw(frozen)
    targets.outages.append(outage.over())


def _until_it_hits(hit: Callable[[], T]) -> T:
    """Try until there is something to hit: what was hit before has to start again first."""
    deadline = time.monotonic() + _SECONDS_TO_HIT
    while not (result := hit()):
        if time.monotonic() > deadline:
            raise RuntimeError("there was nothing to hit")
        time.sleep(0.1)
    return result


def _restart_broker(targets: Targets, dice: Random) -> None:
    with targets.broker_lock:
        targets.broker.stop()
        time.sleep(dice.uniform(0, 2))
        targets.broker.start()


def _kill_broker(targets: Targets, dice: Random) -> None:
    with targets.broker_lock:
        targets.broker.kill()
        time.sleep(dice.uniform(0, 2))
        targets.broker.start()


def _freeze_broker(targets: Targets, dice: Random) -> None:
    with targets.broker_lock:
        targets.broker.freeze()
        time.sleep(dice.uniform(1, 4))
        targets.broker.thaw()


def _wipe_broker(targets: Targets, dice: Random) -> None:
    with targets.broker_lock:
        targets.broker.wipe()


def _hit_database(targets: Targets, hit: Callable[[float], None], dice: Random) -> None:
    with targets.database_lock:
        outage = Outage(begun=time.monotonic(), processes=None)
        hit(dice.uniform(0, 1.5))
        targets.outages.append(outage.over())
