"""Real processes for the journeys: a project's web server, worker and beat, as users run them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.journeys.migrated import migrate_once

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 45.0
IS_MEASURED = "COVERAGE_PROCESS_CONFIG" in os.environ
"""Whether processes write down, as they end, what they ran: `make coverage`."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Answer:
    """An HTTP response."""

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.text)


@dataclass
class Project:
    """A Django project on disk, its environment, and the processes started for it."""

    folder: Path
    environment: dict[str, str]
    celery_app: str
    manage: Path
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    logs: Path = Path()
    asked: subprocess.Popen[str] | None = None
    """The process that runs commands which only look."""

    def start(
        self, name: str, command: Sequence[str], pass_fds: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        """Start a process in a group of its own, its output in a file of its name."""
        with self.log_file(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        self.processes[name] = process
        return process

    def start_web(self) -> None:
        """Start Django's own server and wait until it answers."""
        address = f"127.0.0.1:{self.port}"
        self.start("web", [sys.executable, str(self.manage), "runserver", "--noreload", address])
        eventually(lambda: self.call("GET", "/admin/login/").status == 200, self.all_logs)

    def start_asgi(self, name: str = "asgi", listening: socket.socket | None = None) -> None:
        """Start uvicorn, on a socket that outlives it if one is given; wait until it answers."""
        uvicorn = [sys.executable, "-m", "uvicorn", "sample_project.asgi:application"]
        fds = [listening.fileno()] if listening else []
        place = ["--fd", str(fds[0])] if fds else ["--port", str(self.port)]
        self.start(name, [*uvicorn, *place, "--timeout-graceful-shutdown", "5"], fds)
        eventually(lambda: "Uvicorn running on" in self.log(name), self.all_logs)

    def start_worker(self, name: str = "worker", concurrency: int = 2) -> None:
        """Start a worker and wait until it is ready."""
        celery = [sys.executable, "-m", "celery", "-A", self.celery_app, "worker", "-l", "INFO"]
        options = [
            "-c",
            str(concurrency),
            "-n",
            f"{name}@%h",
            "--without-gossip",
            "--without-mingle",
        ]
        self.start(name, [*celery, *options])
        eventually(
            lambda: f"{name}@" in self.log(name) and " ready." in self.log(name), self.all_logs
        )

    def start_beat(self, name: str = "beat") -> None:
        """Start beat."""
        schedule = str(self.logs / "celerybeat-schedule")
        celery = [sys.executable, "-m", "celery", "-A", self.celery_app, "beat", "-l", "INFO"]
        self.start(name, [*celery, "--pidfile=", "-s", schedule])
        eventually(lambda: "beat: Starting" in self.log(name), self.all_logs)

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `manage.py ...` to its end."""
        command = [sys.executable, str(self.manage), *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        assert not (check and done.returncode), f"{words}: {done.stdout}\n{done.stderr}"
        return done

    def migrate(self) -> None:
        """Make the tables in the project's empty database."""
        migrate_once(self.environment, lambda: self.command("migrate", "--verbosity", "0"))

    def runs(self, **filters: str) -> list[dict[str, Any]]:
        """Return the newest runs, as `motia_steps runs --format json` gives them."""
        words = [word for key, value in filters.items() for word in (f"--{key}", value)]
        return list(json.loads(self.look("runs", "--limit", "500", "--format", "json", *words)))

    def look(self, *words: str) -> str:
        """Run `motia_steps ...`, in a process that is kept for it; return what it printed."""
        return self.ask("motia_steps", *words)

    def python(self, code: str) -> str:
        """Run Python code in that process; return what it printed."""
        return self.ask("shell", "-v", "0", "-c", code)

    def ask(self, *words: str) -> str:
        """Run `manage.py ...` in that process; return what it printed."""
        if self.asked is None:
            folders = (self.environment.get("PYTHONPATH", ""), str(self.folder), str(ROOT))
            environment = {**self.environment, "PYTHONPATH": os.pathsep.join(filter(None, folders))}
            self.asked = subprocess.Popen(
                [sys.executable, "-m", "tests.journeys.asking"],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        assert self.asked.stdin and self.asked.stdout
        print(json.dumps(words), file=self.asked.stdin, flush=True)
        answer = json.loads(self.asked.stdout.readline())
        assert "out" in answer, f"{words}: {answer}"
        return str(answer["out"])

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Send an HTTP request; a body that is no string goes as JSON."""
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body))
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if data is None else data.encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return Answer(response.status, response.read().decode(), dict(response.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(), dict(error.headers))

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a process and all its children."""
        os.killpg(self.processes[name].pid, number)
        self.processes[name].wait(30)

    def log_file(self, name: str) -> Path:
        """Return the file with a process's output."""
        return self.logs / f"{name}.log"

    def log(self, name: str) -> str:
        """Return what a process has printed."""
        file = self.log_file(name)
        return file.read_text(errors="replace") if file.exists() else ""

    def all_logs(self) -> str:
        """Return the ends of all processes' output: for failed tests."""
        return "\n".join(f"--- {name}\n{self.log(name)[-3000:]}" for name in self.processes)

    def stop(self) -> None:
        """End every process that is left."""
        asked: list[subprocess.Popen[Any]] = [self.asked] if self.asked else []
        for process in [*self.processes.values(), *asked]:
            if IS_MEASURED:
                _let_end(process)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait(30)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _let_end(process: subprocess.Popen[Any]) -> None:
    """Have a process end by itself, if it does that soon."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        pass  # it is about to be killed


@contextmanager
def sample_project(folder: Path, database: str | None, broker: str) -> Iterator[Project]:
    """Set up the sample project with its database and broker; end its processes after the block."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.journeys.settings",
        "SAMPLE_DATA": str(folder),
        "CELERY_BROKER_URL": broker,
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("DATABASE_URL", None)
    if database:
        environment["DATABASE_URL"] = database
    project = Project(ROOT, environment, "sample_project", ROOT / "manage.py", logs=folder)
    try:
        project.migrate()
        yield project
    finally:
        project.stop()


def eventually(
    done: Callable[[], T], explain: Callable[[], str] = str, patience: float = PATIENCE
) -> T:
    """Wait until `done()` is true and return it; fail with `explain()` after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        try:
            result: T | None = done()
        except (OSError, ValueError):
            result = None
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"it never happened:\n{explain()}")
        time.sleep(0.1)


def children_of(process: subprocess.Popen[Any]) -> list[psutil.Process]:
    """Return all descendants of a process."""
    return psutil.Process(process.pid).children(recursive=True)
