"""The sample project: the tutorial's Todo API and an order flow."""

from sample_project.celery import app as celery_app

__all__ = ["celery_app"]
