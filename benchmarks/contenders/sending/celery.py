"""The project's Celery app."""

from celery import Celery

app = Celery("sending")
app.config_from_object("django.conf:settings", namespace="CELERY")
