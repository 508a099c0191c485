"""A Django app on disk whose Step files a test writes and loads as a real project would."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from textwrap import dedent

from django.apps import AppConfig, apps

from motia_django import celery_app, registry, tasks
from motia_django.declarations import Problem
from motia_django.discovery import discover
from motia_django.registry import Registry
from motia_django.steps import Step

_numbers = count(1)


@contextmanager
def modules_forgotten() -> Iterator[None]:
    """Forget afterwards the modules that the block imports; ours, some of which load late, stay."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] != "motia_django":
            del sys.modules[name]


class Project:
    """The only installed app that has Steps: `project.step("greet_step.py", source)`, `load()`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.registry = Registry()

    def write(self, path: str, source: str) -> Path:
        """Write any file of the app; the source may be indented like the test around it."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(source).lstrip("\n"), encoding="utf-8")
        return file

    def step(self, path: str, source: str) -> Path:
        """Write a file below `steps/`."""
        return self.write(f"steps/{path}", source)

    def stream(self, path: str, source: str) -> Path:
        """Write a file below `streams/`."""
        return self.write(f"streams/{path}", source)

    def load(self) -> Registry:
        """Discover the Steps anew and make them those of this process, with their Celery tasks.

        Fail, with the text that a person would see, if their files have problems.
        """
        problems = self.problems()
        assert not problems, "\n\n".join(map(str, problems))
        return self.registry

    def only_step(self) -> Step:
        """Load, and return the one Step that there is."""
        (step,) = self.load()
        return step

    def problems(self) -> list[Problem]:
        """Discover the Steps anew, and return what is wrong with their files."""
        self.forget()
        self.registry = discover()
        registry.install(self.registry)
        tasks.register(self.registry)
        return list(self.registry.problems)

    def forget(self) -> None:
        """Drop what was imported and registered, so that files can be written anew."""
        for step in self.registry:
            celery_app.project_app().tasks.pop(celery_app.task_name(step.name), None)
        for module in list(sys.modules):
            if module.startswith(f"{self.name}."):
                del sys.modules[module]
        importlib.invalidate_caches()


@contextmanager
def temporary_project(parent: Path) -> Iterator[Project]:
    """Make a new app below `parent` the only one with Steps; put all back afterwards."""
    project = Project(parent / f"project_{next(_numbers)}")
    project.write("__init__.py", "")
    sys.path.insert(0, str(parent))
    try:
        with registry.installed(registry.registry()), _only_app(project.name):
            yield project
    finally:
        project.forget()
        tasks.register(registry.registry())  # a Step of the same name had that task before
        sys.modules.pop(project.name, None)
        sys.path.remove(str(parent))


@contextmanager
def _only_app(name: str) -> Iterator[None]:
    """Install an app in the place of the sample project's, as far as an app without models needs.

    Django's own `override_settings(INSTALLED_APPS=...)` makes all apps ready anew.
    """
    app = AppConfig.create(name)
    app.apps = apps
    app.models = {}
    before = apps.app_configs
    others = {
        label: each for label, each in before.items() if not each.name.startswith("sample_project.")
    }
    apps.app_configs = {**others, app.label: app}
    try:
        yield
    finally:
        apps.app_configs = before
