"""Settings of the journeys as they were before there was a slow Step: of code not deployed yet."""

from __future__ import annotations

from tests.journeys.settings import *  # noqa: F403
from tests.journeys.settings import INSTALLED_APPS

INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "tests.journeys.slow"]
