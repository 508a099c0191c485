"""What `dev` serves by ASGI: the project's own application, and static files while DEBUG is on."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.utils.module_loading import import_string

from motia_django.exceptions import StepFilesError


def path() -> str | None:
    """Return where the project's ASGI application is, `<project>.asgi.application` if not told.

    None if there is no such module, or no uvicorn to serve it.
    """
    package = os.environ.get("DJANGO_SETTINGS_MODULE", "").partition(".")[0]
    place = str(getattr(settings, "ASGI_APPLICATION", None) or f"{package}.asgi.application")
    found = _exists("uvicorn") and _exists(place.rpartition(".")[0])
    return place if found else None


def application() -> Any:
    """Return the application, for uvicorn to serve in development.

    Where Step files have problems the process ends with these, and without a traceback.
    """
    place = path()
    assert place is not None
    try:
        own = import_string(place)
    except StepFilesError as error:
        raise SystemExit(str(error)) from None
    wants_static = settings.DEBUG and apps.is_installed("django.contrib.staticfiles")
    return ASGIStaticFilesHandler(own) if wants_static else own


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
