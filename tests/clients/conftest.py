"""One server and one worker, which all clients of these tests follow."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.browser.chromium import browser, page
from tests.clients import imported
from tests.journeys.running import Project, sample_project
from tests.servers import fresh_redis

__all__ = ["browser", "page"]


@pytest.fixture(scope="package")
def listening() -> Iterator[socket.socket]:
    """A socket that goes on listening while no server is there, as systemd keeps one."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture(scope="package")
def project(
    tmp_path_factory: pytest.TempPathFactory, redis_server: str, listening: socket.socket
) -> Iterator[Project]:
    """The sample project with a worker, under uvicorn, with `rooms` and what was imported."""
    folder = tmp_path_factory.mktemp("clients")
    with sample_project(folder, None, fresh_redis()) as started:
        started.environment["DJANGO_SETTINGS_MODULE"] = "tests.clients.settings"
        started.port = listening.getsockname()[1]
        imported.bring_in(started, folder)
        started.start_asgi(listening=listening)
        started.start_worker()
        yield started
        assert "Exception in ASGI" not in started.log("asgi"), started.log("asgi")
