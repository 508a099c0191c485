"""What stands before either of our applications: Django set up, with the app in it."""

from __future__ import annotations

import django
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured


def set_up(kind: str) -> None:
    """Set Django up for the application of a server: `kind` is `"wsgi"` or `"asgi"`.

    Raise `ImproperlyConfigured` if the project is without `motia_django`.
    """
    django.setup(set_prefix=False)
    if not apps.is_installed("motia_django"):
        raise ImproperlyConfigured(
            f'motia_django.{kind}: "motia_django" is not in INSTALLED_APPS. Add it, or import'
            f" get_{kind}_application from django.core.{kind}"
        )
