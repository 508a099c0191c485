"""Settings of the tests: the sample project's, on SQLite or, if asked, PostgreSQL or MariaDB."""

from __future__ import annotations

import os
from importlib.util import find_spec

from sample_project.settings import *  # noqa: F403
from sample_project.settings import INSTALLED_APPS

DEBUG = False
CELERY_BROKER_URL = "memory://"
CELERY_TASK_ALWAYS_EAGER = False
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
match os.environ.get("MOTIA_TEST_DATABASE"):
    case "postgresql":
        from tests.servers import postgresql_settings

        DATABASES = {"default": postgresql_settings("motia_tests")}
    case "mariadb":
        from tests.servers import mariadb_settings

        DATABASES = {"default": mariadb_settings("motia_tests")}
INSTALLED_APPS = [*INSTALLED_APPS]
if find_spec("django_celery_beat"):  # on Django 6.1 it cannot be installed
    INSTALLED_APPS += ["django_celery_beat"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
