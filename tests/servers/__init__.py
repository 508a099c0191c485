"""Real servers for the tests: started at first use, shared by a run's processes, gone with it.

Load the fixtures by `pytest_plugins = ["tests.servers"]`; the functions work in any script too.
(PYTEST_DONT_REWRITE: tests/settings.py imports this before pytest can.)
"""

from tests.servers.base import ServerFailed, ServerUnavailable
from tests.servers.fixtures import (
    mariadb_server,
    postgresql_server,
    pytest_configure,
    rabbitmq_server,
    redis_server,
)
from tests.servers.mariadb import fresh_mariadb, mariadb_settings, mariadb_url
from tests.servers.postgresql import (
    PREPARED,
    django_settings,
    fresh_postgresql,
    postgresql_settings,
    postgresql_url,
)
from tests.servers.rabbitmq import fresh_rabbitmq, rabbitmq_url
from tests.servers.redis import fresh_redis, redis_url

__all__ = [
    "PREPARED",
    "ServerFailed",
    "ServerUnavailable",
    "django_settings",
    "fresh_mariadb",
    "fresh_postgresql",
    "fresh_rabbitmq",
    "fresh_redis",
    "mariadb_server",
    "mariadb_settings",
    "mariadb_url",
    "postgresql_server",
    "postgresql_settings",
    "postgresql_url",
    "pytest_configure",
    "rabbitmq_server",
    "rabbitmq_url",
    "redis_server",
    "redis_url",
]
