"""The tables, as who looks at them in a shell sees them."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db.models import Model

from motia_django import models

RUN = UUID(int=7)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (models.Run(id=RUN, step="Work"), f"Work {RUN}"),
        (models.RunKey(name="orderId", value="17"), "orderId=17"),
        (models.Turn(run_id=RUN), f"turn of {RUN}"),
        (models.Worker(name="celery@here"), "celery@here"),
        (models.Pause(step="Work"), "Work"),
        (models.Refusal(step="Work", status=401), "401 of Work"),
        (models.Unheard(step="Work", topic="t"), "t of Work"),
        (models.Answer(step="Work"), "answer of Work"),
        (models.StreamEvent(kind="set", stream="orders", group="g", item="1"), "set orders/g/1"),
        (models.StreamEvent(kind="event", stream="orders", group="g"), "event orders/g/"),
    ],
    ids=str,
)
def test_a_row_says_what_it_is(row: Model, said: str) -> None:
    assert str(row) == said
