"""A project that sends messages: to Steps, and to a plain Celery task that does as little."""

from benchmarks.contenders.sending.celery import app

__all__ = ["app"]
