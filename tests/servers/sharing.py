"""One server for all processes of a run: the first that asks starts it, the others find it."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.servers.base import Server, ServerFailed, ServerUnavailable
from tests.servers.run_directory import locked, run_directory

SECONDS_TO_START = 60.0
TRIES = 2
REPOSITORY = Path(__file__).parents[2]

_keepers: list[subprocess.Popen[bytes]] = []


def url_of(server: type[Server]) -> str:
    """Return the server's URL, starting the server unless a process of this run already has.

    Raises ServerUnavailable if it is not installed, ServerFailed if it did not start.
    """
    if reason := server.missing():
        raise ServerUnavailable(f"no {server.name}: {reason}")
    directory = run_directory()
    with locked(directory / f"{server.name}.lock"):
        url = home_of(server) / "url"
        if not url.exists():
            _start(server.name, directory, url)
        return url.read_text()


def home_of(server: type[Server]) -> Path:
    """Return the directory that holds all of the server's files."""
    return run_directory() / server.name


def _start(name: str, directory: Path, url: Path) -> None:
    failure = directory / f"{name}.failure"
    if not failure.exists():
        for _ in range(TRIES):  # a port that was free may be another's by now
            keeper = _spawn_keeper(name, directory)
            if _comes_up(keeper, url):
                return
            _give_up(keeper, directory / name)
        log = (directory / f"{name}.log").read_text(errors="replace")
        failure.write_text(f"{name} did not start; the end of its log:\n{log[-4000:]}")
    raise ServerFailed(failure.read_text())


def _spawn_keeper(name: str, directory: Path) -> subprocess.Popen[bytes]:
    (directory / name).mkdir()
    with (directory / f"{name}.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.keeper", name, str(directory)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _keepers.append(keeper)  # so that Popen does not warn that it still runs: that is the point
    return keeper


def _comes_up(keeper: subprocess.Popen[bytes], url: Path) -> bool:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and keeper.poll() is None:
        if url.exists():
            return True
        time.sleep(0.02)
    return False


def _give_up(keeper: subprocess.Popen[bytes], home: Path) -> None:
    keeper.terminate()
    keeper.wait(SECONDS_TO_START)
    shutil.rmtree(home, ignore_errors=True)
