"""`batches`."""

from __future__ import annotations

import json

import pytest

from motia_django import batches, models
from motia_django.ledger.selections import Selection
from tests.commands.conftest import Fails, Steps

pytestmark = pytest.mark.django_db

DEAD = Selection(wanted={"status__in": ["dead"]})


def test_batches_are_listed_the_newest_first(steps: Steps) -> None:
    batches.begin("redrive", DEAD, by="ada (admin)", reason="it is back", total=7)
    batches.work_off()
    batches.begin("discard", DEAD, by="bob", total=3)
    lines = [line.split() for line in steps("batches").splitlines()]
    assert lines[0][:3] == ["BATCH", "DEED", "STATE"]
    assert [line[1:3] for line in lines[1:]] == [["discard", "waits"], ["redrive", "done"]]
    newest, oldest = json.loads(steps("batches", "--format", "json"))
    assert (newest["state"], newest["total"], newest["by"]) == ("waits", 3, "bob")
    assert (oldest["state"], oldest["reason"]) == ("done", "it is back")
    assert len(json.loads(steps("batches", "--format", "json", "--limit", "1"))) == 1


def test_a_batch_is_stopped(steps: Steps, fails: Fails) -> None:
    batch = batches.begin("redrive", DEAD, by="ada")
    number = str(batch.id)
    assert f"Batch {number} is stopped: 0 done" in steps("batches", "--stop", number)
    assert models.Batch.objects.get().stopped_by.startswith("motia_steps (")
    assert "had ended already" in fails("batches", "--stop", number)[1]


@pytest.mark.parametrize("number", ["0", "-1", "999", "9" * 30])
def test_a_batch_that_is_not_there_cannot_be_stopped(fails: Fails, number: str) -> None:
    assert f"no batch {number}" in fails("batches", "--stop", number)[1]
