"""The first five minutes: what README says to type, typed on an empty machine, line by line.

    python -m benchmarks.newcomer

A shell in an empty folder is given the lines of "A project from nothing". Measured is how long each
takes, up to where the admin shows that the background run, too, has succeeded. What is installed is
the wheel of this very code; its requirements come from wherever pip finds them.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from benchmarks import report
from tests.journeys.running import free_port
from tests.packaging.distribution import wheel

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = '```sh title="{}"\n(.*?)```'
_DONE = "newcomer: done"
_READY = "Stop with Ctrl-C"
_PATIENCE = 30.0
USER = {
    "DJANGO_SUPERUSER_USERNAME": "ada",
    "DJANGO_SUPERUSER_EMAIL": "ada@example.com",
    "DJANGO_SUPERUSER_PASSWORD": "lovelace",
}


def lines(title: str) -> list[str]:
    """Return the lines of that block of README."""
    found = re.search(_BLOCK.format(title), (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert found is not None, title
    return found[1].splitlines()


class Terminal:
    """A shell in a folder, which does one line after the other."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.printed: list[str] = []
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, line: str, until: str | None = None) -> None:
        """Do a line to its end, or until it has printed a text; raise if it fails before."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{line}\necho {_DONE} $?\n")
        self._shell.stdin.flush()
        for printed in self._shell.stdout:
            self.printed.append(printed)
            if until is not None and until in printed:
                return
            if printed.startswith(_DONE):
                if printed.split()[-1] == "0" and until is None:
                    return
                break
        raise RuntimeError(f"{line}\n{''.join(self.printed)}")

    def close(self) -> None:
        """End it with all that runs in it, as closing a terminal's window does."""
        os.killpg(self._shell.pid, signal.SIGHUP)
        self._shell.communicate(timeout=_PATIENCE)
        deadline = time.monotonic() + _PATIENCE
        while _is_there(self._shell.pid) and time.monotonic() < deadline:
            time.sleep(0.1)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def play(terminal: Terminal, typed: list[str], port: int) -> Iterator[tuple[str, float]]:
    """Type the lines, send the first order, look into the admin; yield each with its seconds."""
    for line in typed:
        is_last = "motia_steps dev" in line
        asked = line.replace("createsuperuser", "createsuperuser --noinput")
        more = f" --port {port}" if is_last else ""
        yield line, _timed(terminal.run, asked + more, _READY if is_last else None)
    [order] = lines("a first order")
    base = f"http://localhost:{port}"
    curl = order.replace("http://localhost:8000", base)
    yield order, _timed(subprocess.run, ["bash", "-c", curl], check=True, capture_output=True)
    yield "both runs are seen in the admin", _timed(_see, base, ["CreateOrder", "PackOrder"])


def _timed(deed: Callable[..., object], *args: Any, **kwargs: Any) -> float:
    began = time.perf_counter()
    deed(*args, **kwargs)
    return time.perf_counter() - began


def _see(base: str, steps: list[str]) -> None:
    """Log in, and look at the list of runs until each Step has one that succeeded."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = _read(browser, f"{base}/admin/login/?next=/admin/")
    [token] = re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', page)
    name, password = USER["DJANGO_SUPERUSER_USERNAME"], USER["DJANGO_SUPERUSER_PASSWORD"]
    form = {"username": name, "password": password, "csrfmiddlewaretoken": token}
    browser.open(f"{base}/admin/login/?next=/admin/", urllib.parse.urlencode(form).encode())
    deadline = time.monotonic() + 60
    missing = steps
    while missing:
        if time.monotonic() > deadline:
            raise RuntimeError(f"The admin shows no run that succeeded of: {', '.join(missing)}")
        shown = _read(browser, f"{base}/admin/motia/run/?status=succeeded")
        missing = [step for step in missing if step not in shown]
        time.sleep(0.1)


def _read(browser: urllib.request.OpenerDirector, url: str) -> str:
    with closing(browser.open(url, timeout=30)) as answer:
        return str(answer.read().decode())


def main() -> int:
    """Build the wheel, play, print the table."""
    with tempfile.TemporaryDirectory(prefix="newcomer-") as folder:
        built = str(wheel())
        typed = [line.replace("motia-django[", f"{built}[") for line in lines("a new project")]
        kept = ("PATH", "HOME", "LANG", *(name for name in os.environ if name.startswith("PIP_")))
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        with closing(Terminal(Path(folder), environment | USER)) as terminal:
            taken = list(play(terminal, typed, free_port()))
    rows = [[line.replace(built, "motia-django"), f"{seconds:.1f} s"] for line, seconds in taken]
    rows.append(["**all of it**", f"**{sum(seconds for _, seconds in taken):.0f} s**"])
    text = (
        f"{report.machine('django', 'celery')}\n\n{report.table(('what is typed', 'takes'), rows)}"
    )
    print(text)
    if "--write-docs" in sys.argv:
        report.write("newcomer", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
