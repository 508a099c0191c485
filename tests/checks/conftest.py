"""Fixtures for the checks: a Celery app as the project's, and servers that are silent."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from celery import Celery

from motia_django import celery_app

MakeApp = Callable[..., Celery]


@pytest.fixture
def project_app(monkeypatch: pytest.MonkeyPatch) -> MakeApp:
    """Make a Celery app the project's: `project_app("redis://...", task_queue_max_priority=9)`."""

    def make(broker: str, **conf: object) -> Celery:
        app = Celery("ours", broker=broker, set_as_current=False)
        app.conf.update(conf)
        monkeypatch.setattr(celery_app, "_app", app)
        return app

    return make


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
