"""The plain Celery task."""

from typing import Any

from celery import shared_task


@shared_task
def job(data: Any) -> None:
    """Do nothing."""
