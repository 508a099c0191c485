"""The trace id: made, read from headers, carried."""

from __future__ import annotations

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from motia_django import tracing
from motia_django.runs import new_run_id
from motia_django.timeline import Timeline
from motia_django.tracing import Scope, trace_id_from

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def make_scope(step: str = "Work") -> Scope:
    """Return a scope."""
    return Scope(
        trace_id=TRACE,
        run_id=new_run_id(),
        step=step,
        depth=0,
        topics=frozenset(),
        timeline=Timeline(),
    )


@pytest.mark.parametrize(
    "header",
    [
        f"00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-00",
        f"  00-{TRACE}-{PARENT}-ff  ",
        f"01-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01-what-the-future-brings",
    ],
)
def test_a_valid_traceparent_gives_its_trace_id(header: str) -> None:
    assert trace_id_from({"traceparent": header}) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        TRACE,
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01-",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-1",
        f"01-{TRACE}-{PARENT}-01more",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
        f"00_{TRACE}_{PARENT}_01",
        f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\nx",
        f"00-{TRACE[:-1]}\u0665-{PARENT}-01",
    ],
)
def test_an_invalid_traceparent_gives_none(header: str) -> None:
    assert trace_id_from({"traceparent": header}) is None


def test_no_traceparent_gives_none() -> None:
    assert trace_id_from({}) is None


@given(st.text())
def test_any_header_is_read_without_an_error(header: str) -> None:
    trace_id = trace_id_from({"traceparent": header})
    assert trace_id is None or re.fullmatch("[0-9a-f]{32}", trace_id)


def test_the_header_is_found_among_djangos() -> None:
    request = HttpRequest()
    request.META["HTTP_TRACEPARENT"] = f"00-{TRACE}-{PARENT}-01"
    assert trace_id_from(request.headers) == TRACE


def test_new_trace_ids_are_new_and_well_formed() -> None:
    made = {tracing.new_trace_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(trace_id_from({"traceparent": f"00-{each}-{PARENT}-01"}) == each for each in made)


def test_a_trace_id_begins_with_the_time_so_that_new_ones_are_neighbours_in_an_index() -> None:
    before = time.time_ns() // 1_000_000
    made = tracing.new_trace_id()
    assert before <= int(made[:12], 16) <= time.time_ns() // 1_000_000


def test_a_scope_holds_for_its_block_and_nests() -> None:
    outer, inner = make_scope("Outer"), make_scope("Inner")
    assert tracing.current() is None
    with tracing.entered(outer):
        with pytest.raises(ValueError), tracing.entered(inner):
            assert tracing.current() is inner
            raise ValueError
        assert tracing.current() is outer
    assert tracing.current() is None


def test_a_scope_is_seen_on_both_sides_of_the_bridges_to_async() -> None:
    async def look() -> list[Scope | None]:
        return [tracing.current(), await sync_to_async(tracing.current)()]

    with tracing.entered(make_scope()) as scope:
        assert async_to_sync(look)() == [scope, scope]


def test_a_scope_is_not_seen_by_other_threads_and_tasks() -> None:
    async def in_its_own(scope: Scope) -> bool:
        with tracing.entered(scope):
            await asyncio.sleep(0)
            return tracing.current() is scope

    async def together() -> list[bool]:
        return await asyncio.gather(*(in_its_own(make_scope(str(n))) for n in range(10)))

    assert all(asyncio.run(together()))
    with tracing.entered(make_scope()), ThreadPoolExecutor(1) as pool:
        assert pool.submit(tracing.current).result() is None
