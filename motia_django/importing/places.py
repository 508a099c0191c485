"""Where in an app each file of a Motia project goes, and what stands in the way there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from motia_django.dialects.dotted import undotted
from motia_django.importing.folder import kind

_READ_BY_OTHERS = frozenset(
    {"admin", "apps", "management", "migrations", "models", "tasks", "templatetags", "urls"}
)


class Placed(Protocol):
    """A file that is to be written."""

    @property
    def source(self) -> Path:
        """Its path in the project."""

    @property
    def text(self) -> bytes:
        """What is written."""


def target(file: Path) -> Path:
    """Return where a file goes, in the app: no folder keeps a dot in its name, nor does a skeleton.

    `steps/v1.0/a.b.step.ts` becomes `steps/v1_0/a_b_step.py`; `a.step.py` stays as it is.
    """
    folders = [part.replace(".", "_") for part in file.parts[:-1]]
    return Path(*folders, _name(file))


def notes(file: Path) -> Iterator[str]:
    """Yield what a person has to know of where a file goes."""
    if Path(file.parts[0]).stem in _READ_BY_OTHERS:
        yield f"Django, or Celery, reads `{Path(file.parts[0]).stem}` of an app by itself"


def checked(app: Path, items: Sequence[Placed]) -> dict[Path, str]:
    """Return why files cannot be written, by their paths in the project."""
    by_target: dict[Path, list[Path]] = defaultdict(list)
    for item in items:
        by_target[target(item.source)].append(item.source)
    refused = {}
    for item in items:
        same = [each for each in by_target[target(item.source)] if each != item.source]
        why = f"would be the same file as {same[0]}" if same else _in_the_way(app, item)
        if why:
            refused[item.source] = why
    return refused


def _name(file: Path) -> str:
    return f"{undotted(file.stem)}.py" if kind(file) and file.suffix != ".py" else file.name


def _in_the_way(app: Path, item: Placed) -> str:
    """Return what stands where a file is to go; an empty text if nothing does, or the same."""
    path = app / target(item.source)
    for folder in path.parents[: len(path.parents) - len(app.parents) - 1]:
        if folder.exists() and not folder.is_dir():
            return f"{folder} is no folder"
        if not folder.is_dir() and folder.with_suffix(".py").exists():
            return f"it would hide {folder.with_suffix('.py')}, or be hidden by it"
    if path.is_symlink() or path.exists():
        return "" if _holds(path, item.text) else f"{path} is there already, and is another"
    if path.with_suffix("").is_dir():
        return f"{path.with_suffix('')} is there already, a folder of that name"
    return ""


def _holds(path: Path, text: bytes) -> bool:
    try:
        return path.is_file() and path.read_bytes() == text
    except OSError:
        return False
