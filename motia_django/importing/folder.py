"""A Motia project's folder: its files, and which of them are Steps and streams."""

from __future__ import annotations

import os
import re
from pathlib import Path

from motia_django.exceptions import ImportRefused

ROOTS = ("steps", "src", "streams")
"""The folders that Motia looks for Steps and streams in."""
SCRIPTS = frozenset({".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts"})
_SKIPPED = frozenset({"node_modules", "python_modules", "venv", "env", "dist", "build"})
_DECLARING = re.compile(r".+[._](step|stream)\.(py|ts|js|rb|tsx|jsx)", re.DOTALL)


def files(root: Path) -> list[Path]:
    """Return the project's files, relative to it; raise `ImportRefused` if it is no Motia project.

    Links to folders are returned as they are, and not followed. What is hidden, installed or built
    is left out, but for `.env` and its likes.
    """
    if not root.is_dir():
        raise ImportRefused(f"{root} is no folder")
    found = sorted(_walked(root))
    if any(is_declaring(each) for each in found):
        return found
    meant = _meant(root, found)
    hint = f": did you mean {meant}?" if meant else ""
    raise ImportRefused(
        f"{root} is no Motia project: there is no file such as x_step.py, x.step.ts or"
        f" x_stream.py below its steps/, src/ or streams/{hint}"
    )


def _meant(root: Path, found: list[Path]) -> Path | None:
    """Return the folder of a project that this one is in, or that is in this one."""
    steps = [each for each in found if kind(each)]
    if steps and root.name in ROOTS:
        return root.resolve().parent
    below = (
        root.joinpath(*each.parts[:at])
        for each in steps
        for at, part in enumerate(each.parts[:-1])
        if part in ROOTS
    )
    return next(below, None)


def is_declaring(file: Path) -> bool:
    """Return whether a file is a Step or a stream, in whatever language, or how one is drawn."""
    return file.parts[0] in ROOTS and len(file.parts) > 1 and kind(file) != ""


def kind(file: Path) -> str:
    """Return `step` or `stream`, as a file's name says; an empty text if it says neither."""
    match = _DECLARING.fullmatch(file.name)
    return match[1] if match else ""


def leads_out(root: Path, file: Path) -> bool:
    """Return whether a file is a link to what is not in the project."""
    path = root / file
    return path.is_symlink() and not path.resolve().is_relative_to(root.resolve())


def printable(text: object) -> str:
    """Return a path, or a text, as it can be shown on one line."""
    return str(text) if str(text).isprintable() else ascii(str(text))


def _walked(root: Path) -> list[Path]:
    found = []
    for folder, folders, names in os.walk(root, onerror=_raise):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = [each for each in folders if _is_entered(each) and each not in links]
        told = [each for each in names if not each.startswith(".") or each.startswith(".env")]
        found += [(here / name).relative_to(root) for name in (*told, *links)]
    return found


def _is_entered(name: str) -> bool:
    return not name.startswith((".", "__")) and name not in _SKIPPED


def _raise(error: OSError) -> None:
    raise ImportRefused(f"{error.filename} cannot be read: {error.strerror}") from error
