"""Settings of the benchmarks of jobs: only what is measured, its connections kept."""

from __future__ import annotations

import os

from sample_project.settings import database

_BROKER = os.environ["JOBS_BROKER"]

SECRET_KEY = "of a benchmark"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    *filter(None, os.environ["JOBS_APPS"].split(",")),
    "benchmarks.contenders.jobs",
]
_PREPARED = {"server_side_binding": True, "prepare_threshold": 5}
_DATABASE = os.environ.get("JOBS_DATABASE")
DATABASES = {
    "default": {
        **database(_DATABASE),
        "CONN_MAX_AGE": None,
        **({"OPTIONS": _PREPARED} if _DATABASE else {}),
    }
}
MOTIA = {"PREPARE": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CELERY_BROKER_URL = _BROKER
CELERY_DB_REUSE_MAX = 1_000_000_000
if os.environ["JOBS_CONTENDER"] == "results":
    CELERY_RESULT_BACKEND = "django-db"
HUEY = {"huey_class": "huey.RedisHuey", "url": _BROKER, "immediate": False, "results": False}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
