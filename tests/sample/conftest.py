"""Fixtures for the tests of the sample project."""

from __future__ import annotations

import asyncio
import time

import pytest


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that pretend to work for a while do not."""

    async def at_once(seconds: float) -> None:
        pass

    monkeypatch.setattr(asyncio, "sleep", at_once)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
