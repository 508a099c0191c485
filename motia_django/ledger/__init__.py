"""The ledger: the table of runs as a queue, as the record of who may run, and as history."""

from motia_django.ledger.batches import (
    advance_batch,
    leave_batch,
    open_batch,
    prune_batches,
    stop_batch,
    take_batch,
    waiting_batches,
)
from motia_django.ledger.births import (
    hashed,
    keep,
    keep_failed,
    keep_once,
    keep_or_find,
    record,
    take_in,
)
from motia_django.ledger.claims import claim, finish, holds, lost_outcome, renew, take_lost
from motia_django.ledger.due import (
    LONGEST_PATIENCE,
    call_up,
    patience,
    publish_soon,
    take_due,
    wake,
)
from motia_django.ledger.errors import dead_by, dead_by_error
from motia_django.ledger.history import find, has_ticked, prunable, prune, rows, trace, unfinished
from motia_django.ledger.interventions import (
    cancel,
    discard,
    move,
    pause,
    paused,
    redrive,
    rerun,
    resume,
    retry,
)
from motia_django.ledger.keys import found as found_by_key
from motia_django.ledger.rows import database
from motia_django.ledger.turns import recall, sweep, turns_of
from motia_django.ledger.workers import forget, see, workers

__all__ = [
    "LONGEST_PATIENCE",
    "advance_batch",
    "call_up",
    "cancel",
    "claim",
    "database",
    "dead_by",
    "dead_by_error",
    "discard",
    "find",
    "finish",
    "forget",
    "found_by_key",
    "has_ticked",
    "hashed",
    "holds",
    "keep",
    "keep_failed",
    "keep_once",
    "keep_or_find",
    "leave_batch",
    "lost_outcome",
    "move",
    "open_batch",
    "patience",
    "pause",
    "paused",
    "prunable",
    "prune",
    "prune_batches",
    "publish_soon",
    "recall",
    "record",
    "redrive",
    "renew",
    "rerun",
    "resume",
    "retry",
    "rows",
    "see",
    "stop_batch",
    "sweep",
    "take_batch",
    "take_due",
    "take_in",
    "take_lost",
    "trace",
    "turns_of",
    "unfinished",
    "waiting_batches",
    "wake",
    "workers",
]
