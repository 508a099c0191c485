"""The Celery app of the tutorial's benchmark."""

from __future__ import annotations

from celery import Celery

app = Celery("tutorial")
app.config_from_object("django.conf:settings", namespace="CELERY")
