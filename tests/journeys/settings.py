"""Settings of the journeys: the sample project's, impatient, with Steps that are slow or many."""

from __future__ import annotations

import os

from sample_project.settings import *  # noqa: F403
from sample_project.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.journeys.slow"]
LEASE = int(os.environ.get("LEASE", "3"))
MOTIA = {"PREPARE": True, "LEASE": LEASE, "PUBLISH_PATIENCE": 3, "UPKEEP_INTERVAL": 0.3}
CELERY_WORKER_LOST_WAIT = 1
# Not by its trigger: that would be its lease as well, and upkeep could be quicker than its worker.
CELERY_TASK_ANNOTATIONS = {"motia.Hasty": {"soft_time_limit": 0.02}}
if "TASK_TIME_LIMIT" in os.environ:
    CELERY_TASK_TIME_LIMIT = int(os.environ["TASK_TIME_LIMIT"])
if "STATE_IN_REDIS" in os.environ:
    CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": os.environ["STATE_IN_REDIS"],
        }
    }
    MOTIA["STATE"] = {"BACKEND": "motia_django.stores.redis.RedisState"}
