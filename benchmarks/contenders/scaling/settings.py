"""Settings of the benchmark of worker processes: nothing but what is measured."""

from __future__ import annotations

import os
from typing import Any

from sample_project.settings import database

SECRET_KEY = "of a benchmark"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "rest_framework",
    "motia_django",
    "benchmarks.contenders.scaling",
]
DATABASES = {"default": {**database(os.environ.get("DATABASE_URL")), "CONN_MAX_AGE": None}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CELERY_BROKER_URL = os.environ.get("REDIS_URL")
CELERY_DB_REUSE_MAX = 1_000_000_000
MOTIA: dict[str, Any] = {"PREPARE": True, "PUBLISH_PATIENCE": 600}
