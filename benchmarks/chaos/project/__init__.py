"""The Django project that is put under fire."""

from benchmarks.chaos.project.celery import app as celery_app

__all__ = ["celery_app"]
