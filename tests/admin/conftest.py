"""Users with chosen permissions, runs to look at, and Steps that are on no disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from motia_django import models, registry
from motia_django.steps import Step, read_step

MakeRun = Callable[..., models.Run]
MakeStep = Callable[..., Step]


@pytest.fixture
def client_of(db: None) -> Callable[..., Client]:
    """Return a logged-in client of a staff user who has just these permissions."""

    def client_of(*codenames: str) -> Client:
        user = User.objects.create_user("staff", is_staff=True)
        wanted = Permission.objects.filter(content_type__app_label="motia", codename__in=codenames)
        assert wanted.count() == len(codenames)
        user.user_permissions.set(wanted)
        client = Client()
        client.force_login(user)
        return client

    return client_of


@pytest.fixture
def make_run(db: None) -> MakeRun:
    """Return a function that inserts a run, a succeeded one unless told otherwise."""

    born = int(timezone.now().timestamp() * 1000) << 80
    numbers = count(born)

    def make_run(**values: Any) -> models.Run:
        now = timezone.now()
        usual: dict[str, Any] = {
            "id": UUID(int=next(numbers)),
            "step": "CreateTodo",
            "trigger": "http",
            "source": "POST /todos",
            "status": "succeeded",
            "attempt": 1,
            "trace_id": "a" * 32,
            "created_at": now,
            "started_at": now,
            "finished_at": now,
        }
        return models.Run.objects.create(**{**usual, **values})

    return make_run


@pytest.fixture
def install() -> Iterator[Callable[..., None]]:
    """Return a function that makes the Steps of these configs the only ones of the process."""
    before = registry.registry()

    def install(*configs: dict[str, Any], problems: Any = ()) -> None:
        steps = [_step(config) for config in configs]
        registry.install(registry.Registry(steps, problems))

    yield install
    registry.install(before)


def _step(config: dict[str, Any]) -> Step:
    handler = config.pop("handler", lambda: None)
    module = SimpleNamespace(config=config, handler=handler)
    step, problems = read_step(module, Path(__file__), "shop")
    assert step is not None, problems
    return step
