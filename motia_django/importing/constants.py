"""The constants of a project's scripts, those that they import from each other among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from os.path import normpath
from pathlib import Path
from typing import Any

from motia_django.exceptions import ImportRefused
from motia_django.importing.expressions import Name, constants
from motia_django.importing.references import ALL, Reference, references
from motia_django.importing.scopes import Scope

Known = dict[str, Any]

_SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
_ALIASES = ("@/", "~/")
"""What the paths of modules begin with that are meant from `src/`, or from the project's root."""


class Constants:
    """What the names in scripts stand for, each script read once."""

    def __init__(self, files: Iterable[Path], text_of: Callable[[Path], str]) -> None:
        self._files = frozenset(each for each in files if each.suffix in _SUFFIXES)
        self._text_of = text_of
        self._known: dict[Path, Known] = {}

    def of(self, file: Path) -> Known:
        """Return the constants of a script; raise `ImportRefused` if it cannot be read."""
        if file not in self._known:
            source = self._text_of(file)
            self._known[file] = {}  # which is what it finds who imports it in a circle
            with suppress(RecursionError):
                self._known[file] = self._read(source, file)
        return self._known[file]

    def _read(self, source: str, file: Path) -> Known:
        known = constants(source)
        for each in references(source):
            if each.module or each.local not in known:
                known |= self._referred(each, file)
        return known

    def _referred(self, reference: Reference, file: Path) -> Known:
        """Return what a reference makes known, all names in it resolved where it comes from."""
        if not reference.module:
            return {reference.local: Name(reference.name)}
        there = self._exported(reference.module, file)
        if reference.name in there:
            return {reference.local: _expanded(there, reference.name)}
        if not there or reference.name not in (ALL, "default"):
            return {}
        every = {name: _expanded(there, name) for name in there if name != "default"}
        return every if reference.local == ALL else {reference.local: every}

    def _exported(self, module: str, file: Path) -> Known:
        """Return what a module holds, that which it exports in one piece among it."""
        found = next((each for each in _places(module, file) if each in self._files), None)
        try:
            known = self.of(found) if found else {}
            whole = Scope(known).resolved(known.get("exports"))
        except (ImportRefused, RecursionError):
            return {}
        if not isinstance(whole, dict):
            return known
        return {name: each for name, each in whole.items() if isinstance(name, str)} | {
            "default": whole,
            **known,
        }


def _expanded(known: Known, name: str) -> Any:
    try:
        return Scope(known).expanded(Name(name))
    except RecursionError:
        return Name(name)


def _places(module: str, file: Path) -> Iterator[Path]:
    """Yield the files that a module may be in, relative to the project."""
    if module.startswith("."):
        bases = [file.parent / module]
    elif module.startswith(_ALIASES):
        bases = [Path("src", module[2:]), Path(module[2:])]
    else:
        bases = [Path(module)]
    for base in (Path(normpath(each)) for each in bases):
        yield base
        if base.suffix in _SUFFIXES:  # of what it becomes, which is not there yet
            yield from (base.with_suffix(each) for each in _SUFFIXES)
        if base.name:
            yield from (base.with_name(base.name + each) for each in _SUFFIXES)
        yield from (base / f"index{each}" for each in _SUFFIXES)
