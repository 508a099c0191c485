"""Tracebacks begin where the project's own code does."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest

from motia_django import enqueue
from motia_django.exceptions import InvalidInput
from motia_django.testing import Motia
from motia_django.tracebacks import shown
from tests.factories import QUEUE, deliver, installed, make_step, row

ONCE = {**QUEUE, "config": {"maxRetries": 0}}


def plain(input: Any, ctx: Any) -> None:
    raise LookupError("not here")


async def awaited(input: Any, ctx: Any) -> None:
    raise LookupError("not here")


def ours(input: Any, ctx: Any) -> None:
    ctx.state.set("", "", 1)


def functions_of(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(shown(error)[2])]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("handler", "first"), [(plain, "plain"), (awaited, "awaited"), (ours, "ours")]
)
def test_what_is_logged_and_kept_begins_in_the_handler(
    handler: Any, first: str, caplog: pytest.LogCaptureFixture
) -> None:
    with installed(make_step(handler, ONCE)):
        [run_id] = enqueue("work")
        deliver([run_id])
    [record] = [each for each in caplog.records if each.name == "motia.runs"]
    assert record.exc_info is not None
    assert traceback.extract_tb(record.exc_info[2])[0].name == first
    kept = row(run_id).error.splitlines()
    assert kept[0] == "Traceback (most recent call last):"
    assert kept[1].endswith(f"in {first}")


def test_an_error_keeps_its_own_traceback() -> None:
    with pytest.raises(LookupError) as raised:
        plain(None, None)
    before = raised.value.__traceback__
    assert functions_of(raised.value) == ["test_an_error_keeps_its_own_traceback", "plain"]
    assert raised.value.__traceback__ is before


def raised_within(error: Exception) -> Exception:
    """Return an error that was raised by code of a package only."""
    source = compile("def fails(error):\n    raise error\n", "asgiref/sync.py", "exec")
    namespace: dict[str, Any] = {"__name__": "asgiref.sync"}
    exec(source, namespace)
    with pytest.raises(type(error)) as raised:
        namespace["fails"](error)
    caught: Exception = raised.value
    within = caught.__traceback__ and caught.__traceback__.tb_next
    return caught.with_traceback(within)


def test_where_nothing_is_the_projects_own_only_our_errors_have_no_traceback() -> None:
    assert functions_of(raised_within(ValueError("x"))) == ["fails"]
    assert functions_of(raised_within(InvalidInput("x", {}))) == []
    assert shown(ValueError("never raised"))[2] is None


@pytest.mark.django_db
def test_the_testing_kit_logs_failures_in_a_line(
    motia: Motia, caplog: pytest.LogCaptureFixture
) -> None:
    with installed(make_step(plain, ONCE)):
        with Motia() as inner:
            inner.queue("work", raises=False)
        [run] = motia.queue("work", raises=False)
        told = [each for each in caplog.records if each.name == "motia.runs"]
    assert [each.getMessage() for each in told] == [
        "[Work] attempt 1 failed, it is dead: LookupError: not here"
    ] * 2
    assert [each.exc_info for each in told] == [None, None]
    assert run.error == "LookupError: not here"


@pytest.mark.django_db
def test_tracebacks_are_logged_again_after_the_kit(caplog: pytest.LogCaptureFixture) -> None:
    with Motia():
        pass
    logging.getLogger("motia.runs").error("x", exc_info=ValueError())
    assert caplog.records[-1].exc_info is not None
