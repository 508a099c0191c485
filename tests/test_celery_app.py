"""The project's Celery app."""

from __future__ import annotations

from django.test import override_settings

from motia_django.celery_app import project_app


def test_a_test_may_ask_for_eager_tasks_though_celery_has_read_its_settings() -> None:
    conf = project_app().conf
    assert not conf.task_always_eager
    for _ in range(2):
        with override_settings(CELERY_TASK_ALWAYS_EAGER=True, CELERY_TASK_EAGER_PROPAGATES=True):
            assert conf.task_always_eager
            assert conf.task_eager_propagates
        assert not conf.task_always_eager
        assert not conf.task_eager_propagates
