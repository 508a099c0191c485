"""The test servers as pytest fixtures: each the URL of a server, or a skip that says why not."""

import os
from collections.abc import Callable

import pytest

from tests.servers.base import ServerUnavailable
from tests.servers.mariadb import mariadb_url
from tests.servers.postgresql import postgresql_url
from tests.servers.rabbitmq import rabbitmq_url
from tests.servers.redis import redis_url
from tests.servers.run_directory import run_directory


def pytest_configure() -> None:
    """Make the run's directory in the process that will start the xdist workers."""
    run_directory()


@pytest.fixture(scope="session")
def redis_server() -> str:
    """Return the URL of a real Redis."""
    return _url_or_skip(redis_url)


@pytest.fixture(scope="session")
def postgresql_server() -> str:
    """Return the URL of a real PostgreSQL."""
    return _url_or_skip(postgresql_url)


@pytest.fixture(scope="session")
def mariadb_server() -> str:
    """Return the URL of a real MariaDB."""
    return _url_or_skip(mariadb_url)


@pytest.fixture(scope="session")
def rabbitmq_server() -> str:
    """Return the URL of a real RabbitMQ."""
    return _url_or_skip(rabbitmq_url)


def _url_or_skip(url: Callable[[], str]) -> str:
    try:
        return url()
    except ServerUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason} (compulsory where CI=true)", pytrace=False)
        pytest.skip(str(reason))
