"""Settings of Motia's clients: those of `rooms`, and the apps that Motia projects come into."""

from __future__ import annotations

from tests.journeys.rooms_settings import *  # noqa: F403
from tests.journeys.rooms_settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "flat_shop", "alpha_shop", "release_shop"]
