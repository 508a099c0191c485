from __future__ import annotations

import threading
import time

import pytest

from motia_django.checks import asking


def test_an_answer_is_returned() -> None:
    assert asking.ask(lambda: 42) == 42


def test_an_error_is_raised_where_one_asked() -> None:
    with pytest.raises(ZeroDivisionError):
        asking.ask(lambda: 1 / 0)


def test_a_timeout_of_the_question_itself_is_not_taken_for_ours() -> None:
    def question() -> None:
        raise TimeoutError("theirs")

    with pytest.raises(TimeoutError, match="theirs"):
        asking.ask(question)


def test_silence_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PATIENCE", 0.05)
    let_go, start = threading.Event(), time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 seconds"):
        asking.ask(lambda: let_go.wait(20))
    let_go.set()
    assert time.monotonic() - start < 10
