"""The system checks: what is wrong with Steps and settings, and what will hurt once deployed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage

from motia_django.checks.counting import counted_keys
from motia_django.checks.project import (
    celery_app,
    project_settings,
    step_files,
    step_warnings,
    who_may,
)
from motia_django.checks.reach import reach
from motia_django.checks.webhooks import webhooks
from motia_django.conf import are_readable

Check = Callable[..., list[CheckMessage]]


def _where_settings_can_be_read(check: Check) -> Check:
    """Return the check, which says nothing while the settings are wrong: that is said alone."""

    @wraps(check)
    def guarded(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
        return check(app_configs, **kwargs) if are_readable() else []

    return guarded


ALL: tuple[Check, ...] = (
    project_settings,
    *map(
        _where_settings_can_be_read,
        (who_may, step_files, step_warnings, counted_keys, webhooks, reach, celery_app),
    ),
)
"""What every `check` looks at."""


@_where_settings_can_be_read
def deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn of what will hurt in production; it asks the broker, the database and Redis.

    No other process than that of `check --deploy` needs what it takes.
    """
    from motia_django.checks.broker import broker
    from motia_django.checks.database import database
    from motia_django.checks.state import state
    from motia_django.checks.streams import streams

    return [*broker(), *database(), *state(), *streams()]


def register() -> None:
    """Add these checks to Django's, under the tag `motia`."""
    for check in ALL:
        checks.register(check, "motia")
    checks.register(deployment, "motia", deploy=True)
