"""Where a running `motia_steps dev` leaves the address of its embedded broker."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit


@contextmanager
def announced(url: str) -> Iterator[None]:
    """Let commands of the same project and user find the broker at `url` during the block."""
    file = _file()
    with suppress(FileExistsError):  # what is no folder stands there
        file.parent.mkdir(mode=0o700, exist_ok=True)
    if not _is_ours(file.parent):
        yield
        return
    file.write_text(url, "utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find() -> str | None:
    """Return the URL of the broker of this project's running `dev`, if there is one."""
    file = _file()
    try:
        if not _is_ours(file.parent):
            return None
        url = file.read_text("utf-8")
        parts = urlsplit(url)
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1).close()
    except (OSError, ValueError):
        return None
    return url


def _file() -> Path:
    """Return the file for this project, told by the path of its manage.py, and this user."""
    project = hashlib.sha256(str(Path(sys.argv[0]).resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"motia-dev-{os.getuid()}" / project


def _is_ours(folder: Path) -> bool:
    """Return whether it is a folder, and nobody else could have written what lies in it."""
    facts = folder.lstat()
    is_private = facts.st_uid == os.getuid() and not facts.st_mode & 0o022
    return is_private and stat.S_ISDIR(facts.st_mode)
