"""`batches`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone

from motia_django import batches, models
from motia_django.ledger.selections import Selection
from tests.commands.conftest import Fails, Steps

pytestmark = pytest.mark.django_db

DEAD = Selection(wanted={"status__in": ["dead"]})


def test_batches_are_listed_the_newest_first(steps: Steps) -> None:
    assert steps("batches") == "There is no batch.\n"
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


def test_it_is_told_how_many_runs_were_dealt_with_by_others(steps: Steps) -> None:
    batches.begin("redrive", DEAD, by="ada", total=7)
    [batch] = json.loads(steps("batches", "--format", "json"))
    assert batch["meanwhile"] == 0, "it may still come to them"
    models.Batch.objects.update(finished_at=timezone.now(), done=3, refused=1)
    [batch] = json.loads(steps("batches", "--format", "json"))
    assert batch["meanwhile"] == 3
    head, line = (each.split() for each in steps("batches").splitlines())
    assert head[3:7] == ["DONE", "REFUSED", "MEANWHILE", "OF"]
    assert line[3:7] == ["3", "1", "3", "7"]


@pytest.mark.parametrize("values", [{"stopped_by": "ada"}, {"done": 6}, {"done": 9}], ids=str)
def test_where_none_were_or_it_was_stopped_there_is_no_number(
    steps: Steps, values: dict[str, Any]
) -> None:
    batches.begin("redrive", DEAD, by="ada", total=7)
    ended = {"finished_at": timezone.now(), "done": 3, "refused": 1}
    models.Batch.objects.update(**ended | values)
    line = steps("batches").splitlines()[1].split()
    assert line[3:6] == [str(values.get("done", 3)), "1", "7"]


def test_a_batch_is_stopped(steps: Steps, fails: Fails) -> None:
    batch = batches.begin("redrive", DEAD, by="ada")
    number = str(batch.id)
    assert f"Batch {number} is stopped: 0 done" in steps("batches", "--stop", number)
    assert models.Batch.objects.get().stopped_by.startswith("motia_steps (")
    assert "had ended already" in fails("batches", "--stop", number)[1]


@pytest.mark.parametrize("number", ["0", "-1", "999", "9" * 30])
def test_a_batch_that_is_not_there_cannot_be_stopped(fails: Fails, number: str) -> None:
    assert f"no batch {number}" in fails("batches", "--stop", number)[1]
