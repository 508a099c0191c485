"""Settings of the journeys of WebSockets: the sample project's, with a stream that may refuse."""

from __future__ import annotations

from tests.journeys.settings import *  # noqa: F403
from tests.journeys.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.journeys.rooms"]
CSRF_TRUSTED_ORIGINS = ["https://shop.example", "https://*.shop.example"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "tests.journeys.rooms.authentication.ByName",
    ],
}
