"""Settings of the journeys of answers that are sent part by part, or kept to be given again."""

from __future__ import annotations

from tests.journeys.settings import *  # noqa: F403
from tests.journeys.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.journeys.sending"]
