"""Settings of a project that tells browsers by django-eventstream."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from sample_project.settings import MIDDLEWARE, database

_redis = urlsplit(os.environ["REDIS_URL"])

SECRET_KEY = "only-for-the-benchmark"
ALLOWED_HOSTS = ["localhost"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django_eventstream",
]
MIDDLEWARE = [each for each in MIDDLEWARE if "messages" not in each]
ROOT_URLCONF = "benchmarks.contenders.eventstream.urls"
DATABASES = {"default": database(None)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
EVENTSTREAM_STORAGE_CLASS = "django_eventstream.storage.DjangoModelStorage"
EVENTSTREAM_REDIS = {
    "host": _redis.hostname,
    "port": _redis.port,
    "db": int(_redis.path.strip("/")),
}
