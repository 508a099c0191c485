"""The system checks: what is wrong with Steps and settings, and what will hurt once deployed.

What they take is loaded when they are made: few processes ever are asked for them.
"""

from __future__ import annotations

import traceback
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage

from motia_django.conf import are_readable

_HEEDLESS = "celery.fixups.django"
"""Has each worker and beat make all checks as it starts, and looks at nothing that they find."""


def usual(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Tell of what is wrong at every `check`; of settings that are wrong alone."""
    if _is_unheeded():
        return []
    from motia_django.checks import project
    from motia_django.checks.counting import counted_keys
    from motia_django.checks.reach import reach
    from motia_django.checks.webhooks import webhooks

    if not are_readable():
        return project.project_settings(app_configs)
    parts = (
        project.project_settings,
        project.who_may,
        project.step_files,
        project.step_warnings,
        counted_keys,
        webhooks,
        reach,
        project.celery_app,
    )
    return [message for part in parts for message in part(app_configs)]


def deployment(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn of what will hurt in production; it asks the broker, the database and Redis."""
    if not are_readable():
        return []
    from motia_django.checks.broker import broker
    from motia_django.checks.database import database
    from motia_django.checks.state import state
    from motia_django.checks.streams import streams

    return [*broker(), *database(), *state(), *streams()]


def register() -> None:
    """Add these checks to Django's, under the tag `motia`."""
    checks.register(usual, "motia")
    checks.register(deployment, "motia", deploy=True)


def _is_unheeded() -> bool:
    frames = traceback.walk_stack(None)
    return any(frame.f_globals.get("__name__") == _HEEDLESS for frame, _ in frames)
