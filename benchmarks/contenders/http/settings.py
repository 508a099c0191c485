"""Settings of the benchmark of http: nothing but what is measured; nobody is asked who it is."""

from __future__ import annotations

import json
import os
from typing import Any

SECRET_KEY = "of a benchmark"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "benchmarks.contenders.http.urls"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "rest_framework",
    "motia_django",
    "benchmarks.contenders.http",
]
MIDDLEWARE: list[str] = []
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
DATABASES = {"default": json.loads(os.environ["BENCHMARK_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CELERY_BROKER_URL = os.environ.get("BENCHMARK_BROKER", "memory://")
CELERY_TASK_IGNORE_RESULT = True
