"""From `*_step.py` and `*_stream.py` files in the installed apps to a registry."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.apps import AppConfig, apps

from motia_django.declarations import Problem
from motia_django.dialects import dotted, siblings
from motia_django.exceptions import StepFilesError
from motia_django.registry import Registry
from motia_django.steps import read_step
from motia_django.stream_config import read_stream

T = TypeVar("T")

CANNOT_IMPORT = "motia.E001"
BAD_FILE_NAME = "motia.E010"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaringFile:
    """A file that is a Step or a stream by its name, and the module it becomes."""

    file: Path
    module: str
    app: str


def discover() -> Registry:
    """Load every Step and stream file of every installed app, once; return what came of it.

    Nothing is raised: what is wrong with the files is in the registry's `problems`.
    """
    siblings.install()
    streams, problems = _loaded(stream_files(), read_stream)
    steps, more_problems = _loaded(step_files(), read_step)
    return Registry(steps, [*problems, *more_problems], streams)


def step_files() -> Iterator[DeclaringFile]:
    """Yield the files `*_step.py`, or `*.step.py`, of each app, by app and path.

    They lie below `steps/`, or `src/`, where Motia's later projects have them.
    """
    for config in apps.get_app_configs():
        yield from _files(config, "steps", "*[_.]step.py")
        yield from _files(config, "src", "*[_.]step.py")


def stream_files() -> Iterator[DeclaringFile]:
    """Yield the files `*_stream.py`, or `*.stream.py`, which may lie below `streams/`, as well."""
    for config in apps.get_app_configs():
        for folder in ("steps", "src", "streams"):
            yield from _files(config, folder, "*[_.]stream.py")


def refuse_to_start(registry: Registry) -> None:
    """Raise `StepFilesError` that lists every problem, if there is one."""
    if not registry.problems:
        return
    count = len(registry.problems)
    title = f"{count} problem{'s' * (count > 1)} in Step files, so nothing was started:"
    raise StepFilesError("\n\n".join([title, *map(str, registry.problems)]))


def _files(config: AppConfig, name: str, pattern: str) -> Iterator[DeclaringFile]:
    folder = Path(config.path) / name
    for file in sorted(folder.rglob(pattern)):
        parts = file.relative_to(folder).parts
        if file.is_file() and not any(part.startswith((".", "__")) for part in parts):
            yield DeclaringFile(file=file, module=_module_name(config, file), app=config.label)


def _module_name(config: AppConfig, file: Path) -> str:
    relative = file.relative_to(config.path).with_suffix("")
    return ".".join([config.name, *relative.parts[:-1], dotted.undotted(relative.name)])


def _loaded(
    files: Iterator[DeclaringFile],
    read: Callable[[Any, Path, str], tuple[T | None, list[Problem]]],
) -> tuple[list[T], list[Problem]]:
    """Import the files and read what they declare; return that, and every problem."""
    declared: list[T] = []
    problems: list[Problem] = []
    for file in files:
        module = _module(file)
        if isinstance(module, Problem):
            problems.append(module)
            continue
        one, found = read(module, file.file, file.app)
        problems += found
        declared += [] if one is None else [one]
    return declared, problems


def _module(file: DeclaringFile) -> Any:
    """Import a file; return its module, or the problem that it has."""
    if file.module.count(".") != _expected_dots(file):
        return _bad_name(file)
    try:
        return dotted.load(file.module, file.file)
    except (Exception, SystemExit) as error:
        return _import_problem(file, error)


def _expected_dots(file: DeclaringFile) -> int:
    config = apps.get_app_config(file.app)
    return config.name.count(".") + len(file.file.relative_to(config.path).parts)


def _bad_name(file: DeclaringFile) -> Problem:
    return Problem(
        id=BAD_FILE_NAME,
        message="this file cannot be imported: there is a dot in its name or in a folder's",
        hint="Use letters, digits, _ and - in the names of Step files and their folders.",
        file=file.file,
        line=1,
    )


def _import_problem(file: DeclaringFile, error: BaseException) -> Problem:
    hint = ""
    if isinstance(error, ModuleNotFoundError) and "is not a package" in str(error):
        folder = file.module.removeprefix(apps.get_app_config(file.app).name).split(".")[1]
        hint = f"A module named {folder}.py beside the folder {folder}/ hides it: rename one."
    message = f"importing this file failed: {type(error).__name__}: {error}"
    line = _line_of(error, file.file)
    return Problem(id=CANNOT_IMPORT, message=message, hint=hint, file=file.file, line=line)


def _line_of(error: BaseException, file: Path) -> int:
    """Return the last line of `file` that the error's traceback passed through."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) == file:
        return error.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == file]
    return (lines[-1] if lines else None) or 1
