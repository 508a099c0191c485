"""Settings of the journeys: the sample project's, impatient, with a slow Step."""

from __future__ import annotations

from sample_project.settings import *  # noqa: F403
from sample_project.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.journeys.slow"]
MOTIA = {"LEASE": 3, "PUBLISH_PATIENCE": 3, "UPKEEP_INTERVAL": 0.3}
