"""What the audit of one pair found, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Findings:
    """What became of the messages of one pair; `broken` names every promise that was not kept."""

    messages: int = 0
    """Committed messages."""
    rolled_back: int = 0
    """Messages of transactions that were rolled back on purpose."""
    finished: int = 0
    """Committed messages with exactly one run, which succeeded, and at least one effect."""
    stuck: int = 0
    """Runs that were not over at the end."""
    tries: int = 0
    """Attempts at all runs."""
    plain_repeats: int = 0
    """Effects of Steps that are not atomic beyond the first one of each message."""
    atomic: int = 0
    """Messages to the atomic Step."""
    atomic_once: int = 0
    """Those of them with exactly one effect, one message of its own, and one change of state."""
    fifo: int = 0
    """Messages with an order."""
    fifo_violations: int = 0
    """Effects out of order, and handlers of one group at work at once."""
    fifo_late: int = 0
    """Effects of handlers that were frozen for longer than their lease: their successor has won."""
    concurrency: int = 0
    """Most handlers of the limited Step at work at once, frozen ones past their lease apart."""
    concurrency_limit: int = 0
    broken: list[str] = field(default_factory=list)
