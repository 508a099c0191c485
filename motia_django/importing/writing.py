"""Writing what is to be written: all of it, or, if anything goes wrong, nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from importlib.util import cache_from_source
from pathlib import Path

from motia_django.exceptions import ImportRefused


def write(texts: Iterable[tuple[Path, bytes]]) -> Callable[[], None]:
    """Write files that are not there yet; raise `ImportRefused`, with nothing written, otherwise.

    No file that is there, not even one that somebody else writes meanwhile, is written over. Return
    what takes them, and the folders that were made for them, away again.
    """
    with ExitStack() as undone:
        for path, text in texts:
            try:
                _make(path.parent, undone)
                with path.open("xb") as file:
                    undone.callback(_delete, path)
                    file.write(text)
            except OSError as error:
                raise ImportRefused(
                    f"{path} cannot be written: {error.strerror}; nothing was written"
                ) from error
        return undone.pop_all().close
    raise AssertionError("an ExitStack of ours holds nothing back")


def _make(folder: Path, undone: ExitStack) -> None:
    """Make a folder, and those that it lies in, so that they can be taken away again."""
    if folder.is_dir():
        return
    _make(folder.parent, undone)
    folder.mkdir(exist_ok=True)
    undone.callback(_remove, folder)


def _delete(path: Path) -> None:
    """Delete a file, and what Python has kept of it if it was imported meanwhile."""
    path.unlink(missing_ok=True)
    if path.suffix == ".py":
        compiled = Path(cache_from_source(str(path)))
        compiled.unlink(missing_ok=True)
        _remove(compiled.parent)


def _remove(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        pass  # it is not there, or somebody else has put something into it
