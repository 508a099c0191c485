"""Settings of the benchmark of streams: the sample project's, with its cache on Redis."""

from __future__ import annotations

import os

from sample_project.settings import *  # noqa: F403

DEBUG = False
if os.environ.get("REDIS_URL"):
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": os.environ["REDIS_URL"],
        }
    }
