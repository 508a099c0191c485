"""Settings of the project.

The environment says whether motia_django is in it: `BENCHMARK_MOTIA` is empty if not. The module
`BENCHMARK_SCHEMA` has what an order is checked by, in the Step and in the view.
"""

import json
import os

SECRET_KEY = "benchmark"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "benchmarks.contenders.memory.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "rest_framework",
    *(["motia_django"] if os.environ.get("BENCHMARK_MOTIA") else []),
    "benchmarks.contenders.memory",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {"default": json.loads(os.environ["BENCHMARK_DATABASE"])}
CELERY_BROKER_URL = os.environ["BENCHMARK_BROKER"]
CELERY_TASK_IGNORE_RESULT = True
