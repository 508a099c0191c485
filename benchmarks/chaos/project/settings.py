"""Settings of the project under fire: the pair's database and broker, and little patience."""

from __future__ import annotations

import json
import os

from benchmarks.chaos.plan import LEASE

SECRET_KEY = "only-for-the-chaos"
INSTALLED_APPS = ["motia_django", "benchmarks.chaos.project.shop"]
DATABASES = {"default": json.loads(os.environ["CHAOS_DATABASE"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

CELERY_BROKER_URL = os.environ["CHAOS_BROKER"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_DB_REUSE_MAX = 1000

MOTIA = {"PREPARE": True, "LEASE": LEASE, "PUBLISH_PATIENCE": 3, "UPKEEP_INTERVAL": 0.3}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {process} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"motia": {"handlers": ["console"], "level": "INFO", "propagate": False}},
}
