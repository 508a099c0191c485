"""Testing Steps: by the real runner and the real ledger, with the test where Celery stands.

Nothing is loaded before it is asked for, since pytest imports this before Django is set up.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motia_django.testing.asking import Answer as Answer
    from motia_django.testing.asking import OpenAnswer as OpenAnswer
    from motia_django.testing.cases import MotiaMixin as MotiaMixin
    from motia_django.testing.followers import Follower as Follower
    from motia_django.testing.kit import Motia as Motia
    from motia_django.testing.post import Letter as Letter
    from motia_django.testing.ran import Log as Log
    from motia_django.testing.ran import Ran as Ran
    from motia_django.testing.trace import Trace as Trace

_HOMES = {
    "Answer": "asking",
    "Follower": "followers",
    "Letter": "post",
    "Log": "ran",
    "Motia": "kit",
    "MotiaMixin": "cases",
    "OpenAnswer": "asking",
    "Ran": "ran",
    "Trace": "trace",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    check_set_up()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def check_set_up() -> None:
    """Raise `NotSetUp` if Django is not."""
    from django.apps import apps

    from motia_django.exceptions import NotSetUp

    if not apps.ready:
        raise NotSetUp(
            "The testing kit needs Django, which is not set up. For pytest, have pytest-django"
            " (pip install 'motia-django[testing]') and name the settings in a pytest.ini beside"
            " manage.py:\n\n"
            "    [pytest]\n"
            "    DJANGO_SETTINGS_MODULE = shop.settings\n"
            "    python_files = tests.py test_*.py\n\n"
            "Without pytest, the tests are run by manage.py test."
        )


def check_step_files() -> None:
    """Raise `StepFilesError` or `SettingsError`, which lists all that is wrong, if anything is."""
    from motia_django.discovery import refuse_to_start
    from motia_django.registry import registry

    refuse_to_start(registry())


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
