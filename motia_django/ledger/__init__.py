"""The ledger: the table of runs as a queue, as the record of who may run, and as history."""

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
from motia_django.ledger.history import find, has_ticked, prunable, prune, rows, trace, unfinished
from motia_django.ledger.interventions import cancel, discard, move, pause, paused, redrive, resume
from motia_django.ledger.overrides import (
    override_of,
    overrides,
    pause_schedule,
    restore_timing,
    resume_schedule,
    retime,
)
from motia_django.ledger.rows import database
from motia_django.ledger.turns import recall, sweep, turns_of
from motia_django.ledger.workers import forget, see, workers

__all__ = [
    "LONGEST_PATIENCE",
    "call_up",
    "cancel",
    "claim",
    "database",
    "discard",
    "find",
    "finish",
    "forget",
    "has_ticked",
    "hashed",
    "holds",
    "keep",
    "keep_failed",
    "keep_once",
    "keep_or_find",
    "lost_outcome",
    "move",
    "override_of",
    "overrides",
    "patience",
    "pause",
    "pause_schedule",
    "paused",
    "prunable",
    "prune",
    "publish_soon",
    "recall",
    "record",
    "redrive",
    "renew",
    "restore_timing",
    "resume",
    "resume_schedule",
    "retime",
    "rows",
    "see",
    "sweep",
    "take_due",
    "take_in",
    "take_lost",
    "trace",
    "turns_of",
    "unfinished",
    "wake",
    "workers",
]
