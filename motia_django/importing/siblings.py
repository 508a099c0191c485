"""Which of a project's own modules its files import, and which packages of others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from motia_django.importing.folder import ROOTS
from motia_django.importing.modules import Imported

_ON_THE_PATH = (Path(), Path("src"), Path("steps"))
"""The folders of a project that its files put on `sys.path`; the first is there anyhow."""


@dataclass(slots=True)
class Siblings:
    """The project's Python files, asked which of them an import means."""

    files: frozenset[Path]
    """All of the project's, relative to it."""
    folders: set[Path] = field(init=False)

    def __post_init__(self) -> None:
        self.folders = {parent for each in self.files for parent in each.parents}

    def reached(self, imports: Callable[[Path], Iterable[Imported]]) -> set[Path]:
        """Return the Python files below the folders of Steps, and all that they import in turn."""
        found: set[Path] = set()
        waiting = [each for each in self.files if each.parts[0] in ROOTS and len(each.parts) > 1]
        while waiting:
            file = waiting.pop()
            if file not in found:
                found.add(file)
                waiting += [each for one in imports(file) for each in self._meant(one, file)]
        return found

    def is_own(self, imported: Imported, file: Path) -> bool:
        """Return whether an import is of the project's own modules."""
        return imported.level > 0 or any(
            self._is_there(base / imported.name.split(".")[0]) for base in _bases(imported, file)
        )

    def _meant(self, imported: Imported, file: Path) -> Iterator[Path]:
        """Yield the files that an import may mean, with the packages that they lie in."""
        parts = imported.name.split(".") if imported.name else []
        for base in _bases(imported, file):
            place = base.joinpath(*parts)
            for each in (place, *(place / name for name in imported.names)):
                yield from self._module(each)

    def _module(self, place: Path) -> Iterator[Path]:
        """Yield the file of the module at a place, if it is there, and those of its packages."""
        if not place.name:
            return
        wanted = (place.with_name(f"{place.name}.py"), place / "__init__.py")
        found = [each for each in wanted if each in self.files]
        packages = [each / "__init__.py" for each in place.parents if each.name]
        yield from (*found, *(each for each in packages if found and each in self.files))

    def _is_there(self, place: Path) -> bool:
        return place in self.folders or place.with_name(f"{place.name}.py") in self.files


def _bases(imported: Imported, file: Path) -> tuple[Path, ...]:
    """Return the folders that an import may begin in."""
    if imported.level > len(file.parts):
        return ()
    if imported.level:
        return (file.parents[imported.level - 1],)
    return (*_ON_THE_PATH, *file.parents[:2])


def note_of(imported: Imported, is_own: bool, app: Path) -> str:
    """Return what a person has to know of an import; an empty text if there is nothing."""
    package = imported.name.split(".")[0]
    if imported.level or package in ("motia", "__future__") or package in sys.stdlib_module_names:
        return ""
    places = _places(package)
    elsewhere = [each for each in places or () if not Path(each).is_relative_to(app)]
    if is_own and elsewhere:
        return (
            f"line {imported.line}: `{package}` is found elsewhere first, in {elsewhere[0]}:"
            " rename it"
        )
    if not is_own and places is None:
        return f"line {imported.line}: the package `{package}` is not installed here"
    return ""


def _places(package: str) -> Sequence[str] | None:
    """Return where a package is found without the project; None if it is nowhere."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return [package]
    if spec is None:
        return None
    return list(spec.submodule_search_locations or ()) or [spec.origin or package]
