"""The project's Celery app, and the task that a view of REST framework sends."""

from __future__ import annotations

from typing import Any

from celery import Celery

app = Celery("http")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()


@app.task
def process(todo: dict[str, Any]) -> None:
    """Do nothing: nobody works it off here."""
