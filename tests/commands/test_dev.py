"""`motia_steps dev`, as far as it takes no broker: what it looks after, and what it tells."""

from __future__ import annotations

import importlib
import io
import os
import socket
import subprocess
import sys
import tempfile
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.test import override_settings
from kombu import Queue

from motia_django.commands import dev, dev_broker, dev_server, dev_worker
from motia_django.commands.dev_files import Files, _trials
from motia_django.commands.processes import Part, stop
from tests.factories import QUEUE, installed, make_step, nothing, routing
from tests.journeys.running import ROOT, eventually

pytestmark = pytest.mark.one_database
WAITS = [sys.executable, "-c", "input()"]
"""A process that waits until it is told to end."""
SOUND = "SECRET_KEY = 'x'\n"
BROKEN = "import that_is_not_there\n"
STEPS = (
    make_step(nothing, {**QUEUE, "config": {"queue": "hooks"}}, name="Hook"),
    make_step(nothing, QUEUE, {"type": "cron", "expression": "* * * * *"}, name="Bill"),
    make_step(nothing, {"type": "http", "path": "/x"}, name="Door"),
)


@pytest.fixture
def parts() -> Iterator[list[Part]]:
    """A process that waits, in the place of web server, worker and beat."""
    parts = [Part("web", WAITS)]
    yield parts
    stop(parts)


def ends(code: int) -> Part:
    """Return a process that ends at once."""
    return Part("worker", [sys.executable, "-c", f"import sys; sys.exit({code})"])


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file of a small project, its settings, that is watched, and sound so far."""
    file = tmp_path / "settings_that_change.py"
    file.write_text(SOUND)
    os.utime(file, (0, 0))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", file.stem)
    monkeypatch.setattr("sys.argv", [str(ROOT / "manage.py")])
    importlib.import_module(file.stem)
    yield file
    del sys.modules[file.stem]


@contextmanager
def mended_once_nothing_runs(file: Path, said: io.StringIO) -> Iterator[None]:
    """Mend the file from beside, as soon as it is said that nothing runs until then."""

    def mend() -> None:
        eventually(lambda: "dev    | nothing runs until" in said.getvalue(), said.getvalue)
        file.write_text(SOUND)

    mending = threading.Thread(target=mend)
    mending.start()
    yield
    mending.join()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a small project's package, with its settings."""
    folder = tmp_path / "site_of_dev"
    folder.mkdir()
    for name in ("__init__.py", "settings.py", "asgi.py"):
        (folder / name).write_text("")
        os.utime(folder / name, (0, 0))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", f"{folder.name}.settings")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    importlib.import_module(folder.name)
    with override_settings(SETTINGS_MODULE=f"{folder.name}.settings"):
        yield folder
    del sys.modules[folder.name]


def test_files_that_nobody_has_imported_yet_are_watched(package: Path) -> None:
    files = Files()
    new = package / "shop" / "apps.py"
    new.parent.mkdir()
    ours = [package / "asgi.py", package / "signals.py", new]
    theirs = [package / "test_shop.py", package / "tests" / "urls.py", package / ".cache" / "a.py"]
    for each in [*ours, *theirs, package / "notes.txt"]:
        each.parent.mkdir(exist_ok=True)
        each.write_text("# changed")
    assert files.changed() == sorted(map(str, ours))
    assert files.changed() == []


def test_an_asgi_module_that_cannot_be_imported_is_a_problem(package: Path) -> None:
    (package / "asgi.py").write_text(BROKEN)
    with override_settings(ASGI_APPLICATION=f"{package.name}.asgi.application"):
        *_, last = _trials({package / "asgi.py"})
        done = subprocess.run(last, capture_output=True, text=True)
        assert "No module named 'that_is_not_there'" in done.stderr
        assert len([*_trials({package / "urls.py"})]) == 1
    assert [*_trials(set())] == []


def test_a_change_starts_all_anew_unless_it_would_not_start(parts: list[Part], file: Path) -> None:
    said, files = io.StringIO(), Files()
    command = dev.Dev(OutputWrapper(said))
    command._start(parts)
    first = parts[0].process
    file.write_text(BROKEN)
    command._restart(parts, files, files.changed())
    assert parts[0].process is first and parts[0].exit_code is None
    assert f"dev    | changed: {file}" in said.getvalue()
    assert "No module named 'that_is_not_there'" in said.getvalue()
    assert "dev    | still running what ran before; waiting" in said.getvalue()
    file.write_text(SOUND)
    command._restart(parts, files, files.changed())
    assert first is not None and first.poll() is not None
    assert parts[0].process is not first and parts[0].exit_code is None
    assert "nothing runs" not in said.getvalue()


def test_files_that_are_broken_while_all_is_stopped_are_waited_for(
    parts: list[Part], file: Path
) -> None:
    said, files = io.StringIO(), Files()
    command = dev.Dev(OutputWrapper(said))
    spoils = f"pathlib.Path({str(file)!r}).write_text({BROKEN!r})"
    stops = f"signal.signal(signal.SIGTERM, lambda *_: ({spoils}, sys.exit()))"
    code = f"import pathlib, signal, sys; {stops}; print('on', flush=True); input()"
    parts[:] = [Part("web", [sys.executable, "-c", code])]
    command._start(parts)
    eventually(lambda: "web    | on" in said.getvalue(), said.getvalue)
    first = parts[0].process
    file.write_text(f"{SOUND}# changed\n")
    with mended_once_nothing_runs(file, said):
        command._restart(parts, files, files.changed())
    assert "No module named 'that_is_not_there'" in said.getvalue()
    assert "still running" not in said.getvalue()
    assert parts[0].process is not first and parts[0].exit_code is None


def test_processes_that_end_since_files_are_broken_are_not_given_up(
    parts: list[Part], file: Path
) -> None:
    said, files = io.StringIO(), Files()
    command = dev.Dev(OutputWrapper(said))
    parts.append(Part("worker", [sys.executable, "-c", f"import {file.stem}; input()"]))
    file.write_text(BROKEN)
    command._start(parts)
    first = parts[0].process
    eventually(lambda: parts[1].exit_code == 1, said.getvalue)
    with mended_once_nothing_runs(file, said):
        command._revive(parts[1], parts, files)
    assert "dev    | worker ended with exit code 1\n" in said.getvalue()
    assert first is not None and first.poll() is not None
    assert [part.exit_code for part in parts] == [None, None]
    assert parts[1].ends == []


def test_a_process_that_ends_by_itself_ends_all(parts: list[Part]) -> None:
    command, gone = dev.Dev(OutputWrapper(io.StringIO())), ends(3)
    parts.append(gone)
    command._start(parts)
    with pytest.raises(CommandError, match="worker ended with exit code 3"):
        command._watch([], parts)
    with pytest.raises(CommandError, match="worker ended with exit code 3"):
        dev._wait_for_port("127.0.0.1", 1, gone)


def test_a_process_that_does_not_want_to_end_is_killed() -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True)"
    said: list[str] = []
    part = Part("web", [sys.executable, "-c", f"{deaf}; input()"])
    stop([part])  # before it is started there is nothing to do
    part.start(lambda _, line: said.append(line))
    while not said:
        assert part.exit_code is None
    stop([part, ends(0)], patience=0.1, last_patience=0.1)
    assert part.exit_code == -9


def test_where_nothing_is_included_nothing_is_told_of() -> None:
    urls = ModuleType("urls_of_nobody")
    urls.urlpatterns = []  # type: ignore[attr-defined]
    assert [*dev._routes("")] and [*dev._streams()] and dev._admin()
    with override_settings(ROOT_URLCONF=urls):
        assert ([*dev._routes("")], [*dev._streams()], dev._admin()) == ([], [], "")


def test_a_project_without_asgi_is_served_by_djangos_own_server() -> None:
    options = {"host": "127.0.0.1", "port": 8000}
    with override_settings(ASGI_APPLICATION="sample_project.asgi.application"):
        assert dev_server.path() and "uvicorn" in dev._web(options)
    with override_settings(ASGI_APPLICATION="nowhere.asgi.application"):
        assert dev_server.path() is None
        assert dev._web(options)[2:] == ["runserver", "--noreload", "127.0.0.1:8000"]


def test_the_web_server_tells_of_broken_step_files_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raises = "from motia_django.exceptions import StepFilesError\nraise StepFilesError('1 problem')"
    (tmp_path / "asgi_of_broken_steps.py").write_text(raises)
    monkeypatch.syspath_prepend(tmp_path)
    with (
        override_settings(ASGI_APPLICATION="asgi_of_broken_steps.application"),
        pytest.raises(SystemExit, match="^1 problem$"),
    ):
        dev_server.application()


def test_a_broker_that_the_project_names_is_its_broker_unless_another_is_asked_for() -> None:
    assert dev._broker({"embedded": False}) == ([], {})
    [redis], environment = dev._broker({"embedded": True})
    assert environment == {"CELERY_BROKER_URL": f"redis://127.0.0.1:{redis.command[-1]}/0"}


@pytest.mark.parametrize("app", ["nowhere", "sample_project.settings"])
@pytest.mark.django_db
def test_an_app_that_celery_would_not_find_is_refused_before_anything_starts(app: str) -> None:
    with pytest.raises(CommandError, match=f"--app: expected a Celery app.*got '{app}'") as error:
        call_command("motia_steps", "dev", app=app)
    assert error.value.returncode == 2


def test_an_address_is_given_as_to_runserver() -> None:
    def given(*words: str) -> Any:
        parser = ArgumentParser()
        dev.Dev(OutputWrapper(io.StringIO())).add_arguments(parser)
        return parser.parse_args(words).address

    assert given("8080") == {"port": 8080}
    assert given("0.0.0.0:8080") == {"host": "0.0.0.0", "port": 8080}
    assert given() is None
    for wrong in ("localhost", "a:b", "99999", ":0"):
        with pytest.raises(SystemExit):
            given(wrong)


def test_the_worker_is_told_the_queues_as_celery_is() -> None:
    with routing(task_queues=None, task_routes=None), installed(*STEPS):
        celery = dev_worker.command(["--quiet", "-A", "shop", "worker"])
    assert celery == ["celery", "--quiet", "-A", "shop", "worker", "-Q", "celery,hooks"]


@pytest.mark.parametrize(
    ("conf", "queues"),
    [
        ({"task_routes": {"motia.Bill": "billing"}}, ["celery", "billing", "hooks"]),
        ({"task_routes": {"motia_django.tick": "ticks"}}, ["celery", "hooks", "ticks"]),
        ({"task_routes": {"motia.Door": "of no worker"}}, ["celery", "hooks"]),
        ({"task_routes": lambda name, args, *rest, **more: 1 / 0}, ["celery", "hooks"]),
        ({"task_queues": [Queue("shop"), Queue("hooks")]}, ["shop", "hooks", "celery"]),
        (
            {"task_queues": [Queue("celery")], "task_create_missing_queues": False},
            ["celery"],
        ),
    ],
    ids=["by route", "of ticks", "of http", "not to be known", "declared", "not to be made"],
)
def test_the_worker_consumes_all_that_steps_lead_to(
    conf: dict[str, Any], queues: list[str]
) -> None:
    usual = {"task_queues": None, "task_routes": None}
    with routing(**{**usual, **conf}), installed(*STEPS):
        assert dev_worker.queues() == queues


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `dev` tells this user's commands of its broker."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"motia-dev-{os.getuid()}"


@pytest.mark.usefixtures("place")
def test_commands_find_the_broker_while_it_runs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        assert dev_broker.find() is None
        with dev_broker.announced(url):
            assert dev_broker.find() == url
        assert dev_broker.find() is None
    with dev_broker.announced(url):
        assert dev_broker.find() is None  # it was killed
    with dev_broker.announced("redis://127.0.0.1:no-port"):
        assert dev_broker.find() is None


@pytest.mark.parametrize("what", ["a file", "a link", "a folder that all may write to"])
def test_nothing_is_told_where_others_may_write(what: str, place: Path, tmp_path: Path) -> None:
    if what == "a file":
        place.write_text("")
    elif what == "a link":
        place.symlink_to(tmp_path)
    else:
        place.mkdir()
        place.chmod(0o777)
    with dev_broker.announced("redis://127.0.0.1:6379/0"):
        assert dev_broker.find() is None
        assert [each for each in tmp_path.rglob("*") if each != place] == []


def test_output_that_nobody_reads_any_more_ends_a_command_without_a_word() -> None:
    shown = f"{sys.executable} manage.py motia_steps list | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shown], cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stderr) == (1, b"")
