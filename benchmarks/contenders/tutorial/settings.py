"""Settings of the tutorial's benchmark: PostgreSQL and Redis; with `TODOS_LIGHT` the light path."""

from __future__ import annotations

import os
from typing import Any

from sample_project.settings import LOGGING, database

__all__ = ["LOGGING"]

SECRET_KEY = "of a benchmark"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "motia_django.urls"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "rest_framework",
    "motia_django",
    "benchmarks.contenders.tutorial",
]
DATABASES = {"default": database(os.environ.get("DATABASE_URL"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": os.environ.get("REDIS_URL"),
    }
}
CELERY_BROKER_URL = os.environ.get("TODOS_BROKER")
CELERY_DB_REUSE_MAX = 1000

MOTIA: dict[str, Any] = {"PREPARE": True}
if os.environ.get("TODOS_LIGHT"):
    MOTIA |= {
        "RECORD": "failures",
        "STATE": {"BACKEND": "motia_django.stores.redis.RedisState", "CACHE": "default"},
    }
