"""Modules that an app's files import as in a Motia project: from its root, or from beside them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType

from django.apps import apps

_FOLDERS = ("steps", "streams", "src")


class SiblingFinder(MetaPathFinder):
    """Finds `services.mail` in the folder of the app whose file imports it, after all else failed.

    A project of Motia's is run from its root, so its files say `from src.services.mail import ...`.
    In a Django project that root is an app's folder. In 0.x the folder of a file, and the one above
    it, were on the path as well, so its files say `from helpers import ...`; and files put `src`,
    `steps` or another folder there, often as seen from where the project was run.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is; None for what is not there, and for what is not top-level."""
        file = _importer() if path is None else None
        root = _folder_of(file)
        if file is None or root is None:
            return None
        beside = [str(each) for each in file.parents[:2] if each.is_relative_to(root)]
        above = [str(root), str(root / "src"), *_relative(root)]
        found = PathFinder.find_spec(fullname, [*beside, *above, str(root / "steps")])
        if found is None or found.origin is not None:
            return found
        return PathFinder.find_spec(fullname, above)  # beside a file, a mere folder is none


def install() -> None:
    """Have Python ask for siblings last of all."""
    if not any(isinstance(each, SiblingFinder) for each in sys.meta_path):
        sys.meta_path.append(SiblingFinder())


def _importer() -> Path | None:
    """Return the file that an import stands in: Python does not tell a finder who asks."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return Path(frame.f_code.co_filename) if frame is not None else None


def _relative(root: Path) -> Iterator[str]:
    """Yield what the relative paths on `sys.path` are from a folder."""
    for each in sys.path:
        if each and not Path(each).is_absolute():
            yield str(root / each)


def _folder_of(file: Path | None) -> Path | None:
    """Return the folder of the app that a file lies in, if it is one with Steps or streams."""
    if file is None or not apps.apps_ready:
        return None
    for config in apps.get_app_configs():
        folder = Path(config.path)
        if file.is_relative_to(folder) and any((folder / name).is_dir() for name in _FOLDERS):
            return folder
    return None
