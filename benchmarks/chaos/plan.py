"""What is going to happen, decided by a seed: which messages are sent, which faults fall when."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

VARIABLE = "CHAOS_PLAN"
PRODUCERS = 3
WORKERS = 3
GROUPS_PER_PRODUCER = 4
LEASE = 4.0
"""Seconds, the setting `LEASE` of the project under fire."""
CONCURRENCY = 3
"""Most runs at once of the limited Step."""

_TOPICS = ("plain", "plain", "atomic", "fifo", "limited")
_SIZES = (1, 1, 1, 2, 3)
_ROLLED_BACK = 0.1


def home() -> Path:
    """Return the directory that all processes of one pair share."""
    return Path(os.environ["CHAOS_HOME"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One battle: so many messages and faults, within so many seconds."""

    messages: int
    faults: int
    seed: int
    seconds: float

    @classmethod
    def from_environment(cls) -> Plan:
        """Return the plan that the harness gave this process."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def to_environment(self) -> dict[str, str]:
        """Return what a process is given to know the plan."""
        return {VARIABLE: json.dumps(asdict(self))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, which a business row goes with."""

    producer: int
    number: int
    topic: str
    group: str

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from all others."""
        return self.producer, self.number

    @property
    def dice(self) -> Random:
        """Chance that falls the same way in every attempt at this message."""
        return Random(f"{self.topic} {self.producer} {self.number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Messages that are sent together, or not at all."""

    messages: Sequence[Message]
    rolled_back: bool


def transactions(plan: Plan, producer: int) -> Iterator[Transaction]:
    """Yield what a producer does, until its share of the messages is committed."""
    random = Random(f"{plan.seed} producer {producer}")
    left = plan.messages // PRODUCERS + (producer < plan.messages % PRODUCERS)
    number = 0
    while left:
        rolled_back = random.random() < _ROLLED_BACK
        size = min(random.choice(_SIZES), left)
        messages = [_message(random, producer, number + each) for each in range(size)]
        yield Transaction(messages=messages, rolled_back=rolled_back)
        number += size
        left -= 0 if rolled_back else size


def _message(random: Random, producer: int, number: int) -> Message:
    topic = random.choice(_TOPICS)
    group = f"{producer}-{random.randrange(GROUPS_PER_PRODUCER)}" if topic == "fifo" else ""
    return Message(producer=producer, number=number, topic=topic, group=group)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """A fault, when it falls, and the chance that decides its details."""

    at: float
    """Seconds after the producers have begun."""
    kind: str
    seed: str

    @property
    def dice(self) -> Random:
        """Chance that falls the same way for the same seed."""
        return Random(self.seed)


def faults(plan: Plan, pair: str, kinds: Sequence[str]) -> list[PlannedFault]:
    """Return the faults of one pair, spread over its time; the first kinds fall even if few do."""
    random = Random(f"{plan.seed} {pair}")
    chosen = [kinds[each % len(kinds)] for each in range(plan.faults)]
    random.shuffle(chosen)
    step = plan.seconds / max(plan.faults, 1)
    return [
        PlannedFault(
            at=step * (index + random.uniform(0.1, 0.9)),
            kind=kind,
            seed=f"{plan.seed} {pair} {index}",
        )
        for index, kind in enumerate(chosen)
    ]
