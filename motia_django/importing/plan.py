"""What is to be done with each file of a Motia project, before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from motia_django.exceptions import ImportRefused
from motia_django.importing import folder, leftovers, modules, places, scripts, siblings
from motia_django.importing.constants import Constants

MOST_BYTES = 1_000_000
"""How large a file of code may be."""
_OUTSIDE = "a link that leads out of the project"


class Deed(StrEnum):
    """What is done with a file."""

    COPY = "copy"
    SAME = "same"
    """It is there already, as it would be written."""
    SKELETON = "skeleton"
    SCRIPT = "script"
    """A Step in another language, of which no skeleton is written."""
    LEFT = "left"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file of the project."""

    source: Path
    """Relative to the project."""
    deed: Deed
    target: Path | None = None
    """Where it is written, or stands already."""
    text: bytes = b""
    notes: tuple[str, ...] = ()

    def refused(self, why: str) -> Item:
        """Return the same file, not to be written, and why."""
        return replace(self, deed=Deed.REFUSED, notes=(why, *self.notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All files that are told of; and how many others no Step needs."""

    items: tuple[Item, ...]
    others: int

    def of(self, *deeds: Deed) -> list[Item]:
        """Return the files that this is done with."""
        return [each for each in self.items if each.deed in deeds]


def made(root: Path, app: Path, *, skeletons: bool) -> Plan:
    """Return what an import of a project into an app's folder would do; write nothing."""
    found = folder.files(root)
    project = _Project(root, found, app)
    items = [item for file in found if (item := project.item(file, skeletons)) is not None]
    refused = places.checked(app, [each for each in items if each.deed in _WRITTEN])
    final = tuple(_settled(item, app, refused.get(item.source, "")) for item in items)
    return Plan(items=final, others=len(found) - len(final))


_WRITTEN = (Deed.COPY, Deed.SKELETON)


class _Project:
    """A project's Python files, each read once."""

    def __init__(self, root: Path, found: list[Path], app: Path) -> None:
        self.root = root
        self.app = app
        self.read: dict[Path, modules.Module | str] = {}
        self.constants = Constants(found, lambda file: text_of(root, file).decode())
        files = frozenset(each for each in found if each.suffix == ".py")
        self.siblings = siblings.Siblings(files)
        self.wanted = self.siblings.reached(self._imports)

    def item(self, file: Path, skeletons: bool) -> Item | None:
        """Return what is done with a file; None if nothing is told of it."""
        if file in self.wanted:
            return self._copy(file)
        if file.suffix in scripts.SUFFIXES and folder.is_declaring(file):
            return self._script(file, skeletons)
        if (self.root / file).is_symlink() and file.parts[0] in folder.ROOTS:
            return _link(self.root, file)
        why = leftovers.reason(self.root, file) or self._named(file)
        return Item(source=file, deed=Deed.LEFT, notes=(why,)) if why else None

    def _named(self, file: Path) -> str:
        """Return that a file may be read by one that is copied, if it is no Python and is named."""
        if file.suffix == ".py":
            return ""
        for each in sorted(self.wanted):
            module = self._module(each)
            if isinstance(module, modules.Module) and file.name in module.texts:
                return f"named in {each}: copy it if it is read there"
        return ""

    def _copy(self, file: Path) -> Item:
        module = self._module(file)
        if isinstance(module, str):
            return Item(source=file, deed=Deed.REFUSED, notes=(module,))
        notes = tuple(dict.fromkeys((*_renamed(module), *module.notes, *self._notes(file, module))))
        return Item(source=file, deed=Deed.COPY, text=module.text, notes=notes)

    def _script(self, file: Path, skeletons: bool) -> Item:
        try:
            known = self.constants.of(file)
        except ImportRefused as error:
            deed = Deed.REFUSED if skeletons else Deed.LEFT
            return Item(source=file, deed=deed, notes=(str(error),))
        text, notes = scripts.skeleton(known, file)
        deed = Deed.SKELETON if skeletons and text else Deed.SCRIPT
        return Item(source=file, deed=deed, text=text.encode(), notes=notes)

    def _notes(self, file: Path, module: modules.Module) -> Iterator[str]:
        for each in module.imports:
            note = siblings.note_of(each, self.siblings.is_own(each, file), self.app)
            if note:
                yield note
        if folder.kind(file) == "stream":
            yield from module.compared
        yield from places.notes(file)

    def _imports(self, file: Path) -> tuple[modules.Imported, ...]:
        module = self._module(file)
        return () if isinstance(module, str) else module.imports

    def _module(self, file: Path) -> modules.Module | str:
        """Return a file as it is to be written, or why it cannot be read."""
        if file not in self.read:
            try:
                self.read[file] = modules.read(text_of(self.root, file))
            except ImportRefused as error:
                self.read[file] = str(error)
        return self.read[file]


def text_of(root: Path, file: Path) -> bytes:
    """Return a file of code; raise `ImportRefused` if it is none that can be copied."""
    path = root / file
    try:
        if folder.leads_out(root, file):
            raise ImportRefused(_OUTSIDE)
        if not path.is_file():
            raise ImportRefused("no regular file")
        if path.stat().st_size > MOST_BYTES:
            raise ImportRefused(f"larger than {MOST_BYTES:,} bytes")
        text = path.read_bytes()
        text.decode("utf-8")
    except OSError as error:
        raise ImportRefused(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ImportRefused(f"not UTF-8: {error.reason} at byte {error.start}") from error
    return text


def _link(root: Path, file: Path) -> Item:
    if folder.leads_out(root, file):
        return Item(source=file, deed=Deed.REFUSED, notes=(_OUTSIDE,))
    return Item(source=file, deed=Deed.LEFT, notes=("a link, which is not followed",))


def _renamed(module: modules.Module) -> tuple[str, ...]:
    count = module.renamed
    return (f"{count} import{'s' * (count > 1)} of motia renamed",) if count else ()


def _settled(item: Item, app: Path, why_not: str) -> Item:
    """Return what is done in the end, once it is known what stands at the target."""
    if item.deed not in _WRITTEN:
        return item
    if why_not:
        return item.refused(why_not)
    target = app / places.target(item.source)
    return replace(item, target=target, deed=Deed.SAME if target.is_file() else item.deed)
