"""From `*_step.py` files in the installed apps to a registry of Steps."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from django.apps import AppConfig, apps

from motia_django.declarations import Problem
from motia_django.exceptions import StepFilesError
from motia_django.registry import Registry
from motia_django.steps import Step, read_step

CANNOT_IMPORT = "motia.E001"
BAD_FILE_NAME = "motia.E010"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFile:
    """A file that is a Step by its name, and the module it becomes."""

    file: Path
    module: str
    app: str


def discover() -> Registry:
    """Load every Step file of every installed app, once, and return what came of it.

    Nothing is raised: what is wrong with the files is in the registry's `problems`.
    """
    steps: list[Step] = []
    problems: list[Problem] = []
    for step_file in step_files():
        step, found = _load(step_file)
        problems += found
        if step is not None:
            steps.append(step)
    return Registry(steps, problems)


def step_files() -> Iterator[StepFile]:
    """Yield the `*_step.py` files below `steps/` of each app, by app, then by path."""
    for config in apps.get_app_configs():
        folder = Path(config.path) / "steps"
        for file in sorted(folder.rglob("*_step.py")):
            parts = file.relative_to(folder).parts
            if file.is_file() and not any(part.startswith((".", "__")) for part in parts):
                yield StepFile(file=file, module=_module_name(config, file), app=config.label)


def refuse_to_start(registry: Registry) -> None:
    """Raise `StepFilesError` that lists every problem, if there is one."""
    if not registry.problems:
        return
    count = len(registry.problems)
    title = f"{count} problem{'s' * (count > 1)} in Step files, so nothing was started:"
    raise StepFilesError("\n\n".join([title, *map(str, registry.problems)]))


def _module_name(config: AppConfig, file: Path) -> str:
    relative = file.relative_to(config.path).with_suffix("")
    return ".".join([config.name, *relative.parts])


def _load(step_file: StepFile) -> tuple[Step | None, list[Problem]]:
    if step_file.module.count(".") != _expected_dots(step_file):
        return None, [_bad_name(step_file)]
    try:
        module = import_module(step_file.module)
    except (Exception, SystemExit) as error:
        return None, [_import_problem(step_file, error)]
    return read_step(module, step_file.file, step_file.app)


def _expected_dots(step_file: StepFile) -> int:
    config = apps.get_app_config(step_file.app)
    return config.name.count(".") + len(step_file.file.relative_to(config.path).parts)


def _bad_name(step_file: StepFile) -> Problem:
    return Problem(
        id=BAD_FILE_NAME,
        message="this file cannot be imported: there is a dot in its name or in a folder's",
        hint="Use letters, digits, _ and - in the names of Step files and their folders.",
        file=step_file.file,
        line=1,
    )


def _import_problem(step_file: StepFile, error: BaseException) -> Problem:
    hint = ""
    if isinstance(error, ModuleNotFoundError) and "is not a package" in str(error):
        hint = "A module named steps.py beside the folder steps/ hides it: rename one of them."
    message = f"importing this file failed: {type(error).__name__}: {error}"
    line = _line_of(error, step_file.file)
    return Problem(id=CANNOT_IMPORT, message=message, hint=hint, file=step_file.file, line=line)


def _line_of(error: BaseException, file: Path) -> int:
    """Return the last line of `file` that the error's traceback passed through."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == file:
        return error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == file]
    return (lines[-1] if lines else None) or 1
