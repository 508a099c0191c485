"""The tutorial's Todo API, served by ours and by Motia; each on a port, with servers of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import report
from tests.servers import fresh_postgresql, fresh_rabbitmq, fresh_redis

HERE = Path(__file__).resolve().parent
PACKAGE = "benchmarks.contenders.tutorial"
MOTIA = "0.17.6-beta.187"
PROJECT = f"""{{"private": true, "type": "module", "dependencies": {{"motia": "{MOTIA}"}}}}\n"""
PATIENCE = 60


@contextmanager
def ours(
    done: Path,
    *,
    light: bool = False,
    rabbitmq: bool = False,
    pool: Sequence[str] = ("--concurrency=1",),
) -> Iterator[int]:
    """Serve our project by two gunicorn processes, and a Celery worker that does one job at once.

    By default that has a process of its own for the jobs.
    """
    redis = fresh_redis()
    environment = {
        "DJANGO_SETTINGS_MODULE": f"{PACKAGE}.settings",
        "DATABASE_URL": fresh_postgresql(),
        "REDIS_URL": redis,
        "TODOS_BROKER": fresh_rabbitmq() if rabbitmq else redis,
        "TODOS_DONE": str(done),
        "TODOS_LIGHT": "1" if light else "",
    }
    port = free_port()
    web = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--workers=2", f"{PACKAGE}.wsgi"]
    worker = ["celery", "-A", f"{PACKAGE}.celery", "worker", *pool, "--loglevel=error"]
    _run([sys.executable, "-m", "django", "migrate", "--verbosity=0"], environment)
    with ExitStack() as stack:
        for command in (web, worker):
            stack.enter_context(
                _process([sys.executable, "-m", *command], report.PROJECT, environment)
            )
        _await(port)
        yield port


@contextmanager
def motia(language: str, done: Path) -> Iterator[int]:
    """Serve our Steps for Motia by `motia start`: one process, which starts one for each call."""
    folder = installed() / language
    _write_project(folder, language)
    redis = urlsplit(fresh_redis())
    environment = {
        "MOTIA_ANALYTICS_DISABLED": "true",
        "MOTIA_DISABLE_MEMORY_SERVER": "true",
        "MOTIA_DOCKER_DISABLE_WORKBENCH": "1",
        "MOTIA_REDIS_PORT": str(redis.port),
        "MOTIA_REDIS_DB": redis.path.removeprefix("/"),
        "TODOS_DONE": str(done),
    }
    port = free_port()
    command = ["node", "node_modules/.bin/motia", "start", "--port", str(port)]
    with _process(command, folder, environment):
        _await(port)
        yield port


def installed() -> Path:
    """Return the folder that npm has installed Motia into; install it at first.

    Raise `OSError` or `CalledProcessError` where that cannot be done.
    """
    folder = report.LAST / "motia"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(PROJECT)
    if not (folder / "node_modules" / ".bin" / "motia").exists():
        # Its own Redis would be fetched and built: it gets ours.
        command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
        _run(command, {"REDISMS_DISABLE_POSTINSTALL": "1"}, folder)
    return folder


def _write_project(folder: Path, language: str) -> None:
    """Put the Steps of one language into a project, as `motia create` would lay it out."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / "motia" / language, folder / "steps")
    (folder / "package.json").write_text(PROJECT)
    (folder / "motia.config.js").write_text("export default { plugins: [] }\n")
    (folder / "node_modules").symlink_to(folder.parent / "node_modules")
    if language == "python":
        _run([sys.executable, "-m", "venv", "python_modules"], {}, folder)
        needs = "node_modules/motia/dist/requirements-core.txt"
        _run(["python_modules/bin/pip", "install", "--quiet", "-r", needs], {}, folder)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: Sequence[str], extra: Mapping[str, str], folder: Path = report.PROJECT) -> None:
    subprocess.run(
        command, cwd=folder, env={**os.environ, **extra}, check=True, capture_output=True
    )


@contextmanager
def _process(command: Sequence[str], folder: Path, extra: Mapping[str, str]) -> Iterator[None]:
    """Have a process, and all that it starts, until the end; what they say is thrown away."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **extra},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(port: int) -> None:
    """Wait until somebody listens."""
    until = time.monotonic() + PATIENCE
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > until:
            raise TimeoutError(f"nobody listens on port {port}")
        time.sleep(0.1)
