"""Settings of the project that sends: which broker and which database is for the environment."""

import json
import os

SECRET_KEY = "benchmark"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "motia_django",
    "benchmarks.contenders.sending",
]
DATABASES = {"default": json.loads(os.environ["BENCHMARK_DATABASE"])}
CELERY_BROKER_URL = os.environ["BENCHMARK_BROKER"]
CELERY_TASK_IGNORE_RESULT = True
MOTIA = {"PUBLISH_TIMEOUT": 10}
"""So that on a busy machine, too, all messages are sent and none is left to upkeep."""
