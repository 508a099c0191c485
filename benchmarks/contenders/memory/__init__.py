"""A project as most are, with REST framework, Celery and the admin; with motia_django if asked."""

from benchmarks.contenders.memory.celery import app

__all__ = ["app"]
