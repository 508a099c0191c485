"""Settings of the real project whose workers run the Steps here."""

from __future__ import annotations

from sample_project.settings import *  # noqa: F403
from sample_project.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.conformance.both"]
MOTIA = {"UPKEEP_INTERVAL": 0.3}
