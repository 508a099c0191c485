"""The Celery app of the benchmark of worker processes."""

from __future__ import annotations

from celery import Celery

app = Celery("scaling")
app.config_from_object("django.conf:settings", namespace="CELERY")
