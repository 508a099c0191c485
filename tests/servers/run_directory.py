"""The directory that all processes of one test run share, and the lock that tells it is alive.

The process that makes it owns it, and holds a lock on `owner.lock` that the kernel gives back
however the owner ends, `kill -9` included. Each server's keeper waits for that lock, so that no
server outlives its run.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

VARIABLE = "MOTIA_TEST_SERVERS"
PREFIX = "motia-servers-"
SECONDS_TO_STOP = 20.0


def run_directory() -> Path:
    """Return this run's directory; without one, make it, own it, and tell our child processes."""
    known = os.environ.get(VARIABLE)
    if known and Path(known).is_dir():
        return Path(known)
    _sweep_up_after_the_dead()
    directory = _make_and_own()
    os.environ[VARIABLE] = str(directory)
    return directory


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time in."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def next_number(name: str) -> int:
    """Return 1, 2, 3, ...: each number once in the whole run."""
    path = run_directory() / f"{name}.number"
    with locked(path.with_suffix(".number-lock")):
        number = int(path.read_text()) + 1 if path.exists() else 1
        path.write_text(str(number))
    return number


def wait_for_the_owner_to_end(directory: Path) -> None:
    """Return when the process that owns the directory is gone or has let go of it."""
    with (directory / "owner.lock").open() as file:
        fcntl.lockf(file, fcntl.LOCK_SH)


def leave(directory: Path, home: Path) -> None:
    """Remove a server's home; and the run's directory with it if it was the last."""
    shutil.rmtree(home, ignore_errors=True)
    if not _homes(directory):
        shutil.rmtree(directory, ignore_errors=True)


def _homes(directory: Path) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if path.is_dir()]
    except FileNotFoundError:  # the keeper of the last server has removed it meanwhile
        return []


def _make_and_own() -> Path:
    # Under another name until the lock is held, so that no other run can take it for a dead one.
    new = Path(tempfile.mkdtemp(prefix=f"new-{PREFIX}"))
    lock = (new / "owner.lock").open("w")
    # A POSIX lock, since a forked child does not inherit it.
    fcntl.lockf(lock, fcntl.LOCK_EX)
    directory = new.rename(new.with_name(new.name.removeprefix("new-")))
    atexit.register(_end_the_run, directory, lock, os.getpid())
    return directory


def _end_the_run(directory: Path, lock: IO[str], owner: int) -> None:
    if os.getpid() != owner:
        return
    lock.close()
    deadline = time.monotonic() + SECONDS_TO_STOP
    while _homes(directory) and time.monotonic() < deadline:
        time.sleep(0.02)
    _remove_by_force(directory)


def _sweep_up_after_the_dead() -> None:
    """End what a run left behind if even its keepers were killed; usually there is nothing."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _nobody_lives_in(directory):
            _remove_by_force(directory)


def _nobody_lives_in(directory: Path) -> bool:
    try:
        with (directory / "owner.lock").open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by an owner or a keeper, gone meanwhile, or another user's
        return False
    return True


def _remove_by_force(directory: Path) -> None:
    if _homes(directory):
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # ended meanwhile, or another user's
                if Path(process.cwd()).is_relative_to(directory):
                    process.kill()
    shutil.rmtree(directory, ignore_errors=True)
