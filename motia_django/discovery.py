"""From `*_step.py` and `*_stream.py` files in the installed apps to a registry."""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from django.apps import AppConfig, apps

from motia_django.conf import settings
from motia_django.declarations import Problem
from motia_django.dialects import by_name, dotted, several, siblings
from motia_django.exceptions import StepFilesError, did_you_mean
from motia_django.registry import Registry
from motia_django.steps import read_step
from motia_django.stream_config import StreamConfig, named_stream, read_stream

T = TypeVar("T")

CANNOT_IMPORT = "motia.E001"
BAD_FILE_NAME = "motia.E010"
_STEP, _STREAM = ("_step.py", ".step.py"), ("_stream.py", ".stream.py")
"""What the names of files end with."""
_HIDDEN = (".", "__")
"""What the names of files and folders begin with that are nobody's Steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaringFile:
    """A file that is a Step or a stream by its name, and the module it becomes."""

    file: Path
    parts: tuple[str, ...]
    """The way to its module from its app's."""
    module: str
    app: str


def discover() -> Registry:
    """Load every Step and stream file of every installed app, once; return what came of it.

    Nothing is raised: what is wrong with the files is in the registry's `problems`.
    """
    siblings.install()
    with _garbage_left(), by_name.listening():
        streams, problems = _loaded(stream_files(), several.STREAMS, read_stream)
        steps, more_problems = _loaded(step_files(), several.STEPS, read_step)
    return Registry(steps, [*problems, *more_problems], [*streams, *_named(streams)])


def step_files() -> Iterator[DeclaringFile]:
    """Yield the files `*_step.py`, or `*.step.py`, of each app, by app and path.

    They lie below `steps/`, or `src/`, where Motia's later projects have them.
    """
    for config in apps.get_app_configs():
        yield from _files(config, "steps", _STEP)
        yield from _files(config, "src", _STEP)


def stream_files() -> Iterator[DeclaringFile]:
    """Yield the files `*_stream.py`, or `*.stream.py`, which may lie below `streams/`, as well."""
    for config in apps.get_app_configs():
        for folder in ("steps", "src", "streams"):
            yield from _files(config, folder, _STREAM)


def refuse_to_start(registry: Registry) -> None:
    """Raise `SettingsError`, or `StepFilesError` that lists every problem, if there is one."""
    settings()
    if not registry.problems:
        return
    count = len(registry.problems)
    title = f"{count} problem{'s' * (count > 1)} in Step files, so nothing was started:"
    raise StepFilesError("\n\n".join([title, *map(str, registry.problems)]))


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Keep Python from looking for garbage meanwhile: nearly all that is loaded is there to stay.

    It would go through all of it again and again, for a fifth of the time that loading takes. What
    is frozen and thawed counts as old: it is gone through when all is, and not at once.
    """
    if not gc.isenabled() or gc.get_freeze_count():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.enable()


def _files(config: AppConfig, root: str, endings: tuple[str, ...]) -> list[DeclaringFile]:
    """Return the files below a folder of an app whose names end so, in the order of their paths."""
    found = []
    for place, folders, files in os.walk(Path(config.path, root)):
        folders[:] = [each for each in folders if not each.startswith(_HIDDEN)]
        folder = Path(place)
        way = folder.relative_to(config.path).parts
        wanted = [each for each in files if each.endswith(endings) and not each.startswith(_HIDDEN)]
        for each, name in dotted.module_names(wanted).items():
            found.append(_declaring(config, folder / each, (*way, name)))
    return sorted(found, key=lambda each: each.parts)


def _declaring(config: AppConfig, file: Path, parts: tuple[str, ...]) -> DeclaringFile:
    module = ".".join([config.name, *parts])
    return DeclaringFile(file=file, parts=parts, module=module, app=config.label)


def _loaded(
    files: Iterator[DeclaringFile],
    kind: str,
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
        by_name.look(module, file.file)
        for part in several.parts(module, kind):
            one, found = read(part, file.file, file.app)
            problems += found
            declared += [] if one is None else [one]
    return declared, problems


def _named(declared: list[StreamConfig]) -> list[StreamConfig]:
    """Return the streams that files of the apps name, and none declares.

    What is nearly the name of one that is declared is taken for a slip of the pen.
    """
    known = {each.name for each in declared}
    named: dict[str, StreamConfig] = {}
    for each in by_name.found():
        app = _app_of(each.file)
        if app is None or did_you_mean(each.name, known):
            continue
        stream = named_stream(each.name, each.file, each.line, app)
        if stream is not None:
            named.setdefault(each.name, stream)
    return list(named.values())


def _app_of(file: Path) -> str | None:
    """Return the label of the app that a file is part of, if it is of any."""
    for config in apps.get_app_configs():
        if file.is_relative_to(config.path):
            return str(config.label)
    return None


def _module(file: DeclaringFile) -> Any:
    """Import a file; return its module, or the problem that it has."""
    if any("." in part for part in file.parts):
        return _bad_name(file)
    try:
        return dotted.load(file.module, file.file)
    except (Exception, SystemExit) as error:
        return _import_problem(file, error)


def _bad_name(file: DeclaringFile) -> Problem:
    return Problem(
        id=BAD_FILE_NAME,
        message="this file cannot be imported: there is a dot in the name of its folder",
        hint="Use letters, digits, _ and - in the names of the folders of Step files.",
        file=file.file,
        line=1,
    )


def _import_problem(file: DeclaringFile, error: BaseException) -> Problem:
    hint = ""
    if isinstance(error, ModuleNotFoundError) and "is not a package" in str(error):
        folder = file.parts[0]
        hint = f"A module named {folder}.py beside the folder {folder}/ hides it: rename one."
    message = f"importing this file failed: {type(error).__name__}: {error}"
    place, line = _place_of(error, file.file)
    return Problem(id=CANNOT_IMPORT, message=message, hint=hint, file=place, line=line)


def _place_of(error: BaseException, file: Path) -> tuple[Path, int]:
    """Return the last line of `file` that the error's traceback passed through.

    Where a package above it is no Python, there is none: then the place is that of the mistake.
    """
    mistake = error if isinstance(error, SyntaxError) and error.filename else None
    if mistake is not None and _is_same(str(mistake.filename), file):
        return file, mistake.lineno or 1
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if _is_same(frame.filename, file)]
    if mistake is not None and not lines and Path(str(mistake.filename)).is_file():
        return Path(str(mistake.filename)), mistake.lineno or 1
    return file, (lines[-1] if lines else None) or 1


def _is_same(name: str, file: Path) -> bool:
    """Return whether that is the file's name, too: symbolic links may lead to it by another."""
    return os.path.realpath(name) == os.path.realpath(file)
