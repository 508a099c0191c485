"""Asking a server from a check, which may neither wait for ever nor fail."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from kombu import Connection

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that a check waits for the answers of one server."""


def ask(question: Callable[[], T]) -> T:
    """Return the answer, or raise what the question raises; `TimeoutError` if it takes too long.

    It is asked in a thread that is left behind, since nothing else ends every kind of silence.
    """
    answer: Future[T] = Future()

    def put() -> None:
        try:
            answer.set_result(question())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=put, name="motia-check", daemon=True).start()
    try:
        failed = answer.exception(PATIENCE)
    except TimeoutError:
        raise TimeoutError(f"no answer within {PATIENCE:g} seconds") from None
    if failed is not None:
        raise failed
    return answer.result()


def reach(connection: Connection) -> None:
    """Connect to a broker, trying once more if that fails; raise what keeps it from answering."""
    connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
