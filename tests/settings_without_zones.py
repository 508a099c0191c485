"""Settings of the tests in a project without time zones, where clocks are turned twice a year."""

from __future__ import annotations

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

USE_TZ = False
TIME_ZONE = "Europe/Berlin"
if DATABASES["default"]["NAME"] != ":memory:":  # what the other tests have a database of
    DATABASES["default"]["NAME"] += "_without_zones"
