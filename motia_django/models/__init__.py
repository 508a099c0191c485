"""The tables: runs and all about them, workers, state, streams; and what has no table."""

from motia_django.models.answers import Answer
from motia_django.models.fields import ExactCharField, FilledIndex, JSONTextField
from motia_django.models.items import StateItem, StreamEvent, StreamItem
from motia_django.models.ledger import Run, RunKey, Turn, Worker
from motia_django.models.online import AddIndexOnline
from motia_django.models.operators import Batch, Override, Pause, Start
from motia_django.models.places import DeadLetter, Flow, Overview, Schedule, Step, Unstored
from motia_django.models.tallies import Refusal, Unheard
from motia_django.models.widening import WidenField

__all__ = [
    "AddIndexOnline",
    "Answer",
    "Batch",
    "DeadLetter",
    "ExactCharField",
    "FilledIndex",
    "Flow",
    "JSONTextField",
    "Override",
    "Overview",
    "Pause",
    "Refusal",
    "Run",
    "RunKey",
    "Schedule",
    "Start",
    "StateItem",
    "Step",
    "StreamEvent",
    "StreamItem",
    "Turn",
    "Unheard",
    "Unstored",
    "WidenField",
    "Worker",
]
