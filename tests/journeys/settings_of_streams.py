"""Settings of the journeys of streams: a stream, and the cache and the pool that are asked for."""

from __future__ import annotations

import os

from tests.journeys.settings import *  # noqa: F403
from tests.journeys.settings import DATABASES, INSTALLED_APPS, MOTIA

INSTALLED_APPS = [*INSTALLED_APPS, "tests.journeys.shouting"]
MOTIA = {**MOTIA, "STREAMS": {"RECHECK": 0.5}}
if os.environ.get("CACHE_URL"):
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": os.environ["CACHE_URL"],
        }
    }
if os.environ.get("POOL_SIZE"):
    size = int(os.environ["POOL_SIZE"])
    DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 1, "max_size": size, "timeout": 10}}
    del DATABASES["default"]["CONN_MAX_AGE"]
