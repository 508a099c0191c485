"""Settings of the benchmark of waiting: nothing but what is measured."""

from __future__ import annotations

SECRET_KEY = "of a benchmark"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "benchmarks.contenders.waiting.urls"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "rest_framework",
    "motia_django",
    "benchmarks.contenders.waiting",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
