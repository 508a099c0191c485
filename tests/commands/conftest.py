"""What the tests of the subcommands share."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

Steps = Callable[..., str]
Fails = Callable[..., tuple[str, str, int]]


@pytest.fixture
def steps(db: None) -> Steps:
    """Return a function that runs `manage.py motia_steps ...` and returns what it prints."""

    def steps(*words: str) -> str:
        out = io.StringIO()
        call_command("motia_steps", *words, stdout=out)
        return out.getvalue()

    return steps


@pytest.fixture
def fails(db: None) -> Fails:
    """Return a function that runs what fails: what it prints, its error and its exit code."""

    def fails(*words: str) -> tuple[str, str, int]:
        out = io.StringIO()
        with pytest.raises(CommandError) as error:
            call_command("motia_steps", *words, stdout=out)
        return out.getvalue(), str(error.value), error.value.returncode

    return fails


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return a function that sits somebody at the terminal who gives this answer."""

    def answer(text: str) -> list[str]:
        asked: list[str] = []

        def ask(question: str) -> str:
            asked.append(question)
            return text

        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr("builtins.input", ask)
        return asked

    return answer
