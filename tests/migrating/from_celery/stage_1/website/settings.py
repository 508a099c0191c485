import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "only-for-the-tests"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "motia_django", "orders"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

CELERY_BROKER_URL = os.environ["BROKER_URL"]
CELERY_RESULT_BACKEND = os.environ["RESULTS_URL"]
CELERY_BEAT_SCHEDULE = {
    "remind-of-carts": {"task": "orders.tasks.remind_of_carts", "schedule": 5.0},
}
MOTIA = {"PUBLISH_PATIENCE": 3}
