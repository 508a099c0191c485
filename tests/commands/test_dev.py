"""`motia_steps dev`, as far as it takes no broker: what it looks after, and what it tells."""

from __future__ import annotations

import io
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.core.management import CommandError
from django.core.management.base import OutputWrapper
from django.test import override_settings

from motia_django.commands import dev, dev_broker, dev_server
from motia_django.commands.processes import Part, stop
from tests.journeys.running import ROOT

pytestmark = pytest.mark.one_database
WAITS = [sys.executable, "-c", "input()"]
"""A process that waits until it is told to end."""


@pytest.fixture
def parts() -> Iterator[list[Part]]:
    """A process that waits, in the place of web server, worker and beat."""
    parts = [Part("web", WAITS)]
    yield parts
    stop(parts)


def ends(code: int) -> Part:
    """Return a process that ends at once."""
    return Part("worker", [sys.executable, "-c", f"import sys; sys.exit({code})"])


def test_a_change_starts_all_anew_unless_it_would_not_start(
    parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = io.StringIO()
    command = dev.Dev(OutputWrapper(said))
    monkeypatch.setattr("sys.argv", [str(ROOT / "manage.py")])
    command._start(parts)
    first = parts[0].process
    with monkeypatch.context() as broken:
        broken.setenv("DJANGO_SETTINGS_MODULE", "settings_that_are_not_there")
        command._restart(parts, ["shop/steps/pay_step.py"])
    assert parts[0].process is first and parts[0].exit_code is None
    assert "dev    | changed: shop/steps/pay_step.py" in said.getvalue()
    assert "No module named 'settings_that_are_not_there'" in said.getvalue()
    assert "dev    | still running what ran before; waiting" in said.getvalue()
    command._restart(parts, ["shop/steps/pay_step.py"])
    assert first is not None and first.poll() is not None
    assert parts[0].process is not first and parts[0].exit_code is None


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
    stop([part, ends(0)], patience=0.1)
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


def test_a_broker_that_the_project_names_is_its_broker_unless_another_is_asked_for() -> None:
    assert dev._broker({"embedded": False}) == ([], {})
    [redis], environment = dev._broker({"embedded": True})
    assert environment == {"CELERY_BROKER_URL": f"redis://127.0.0.1:{redis.command[-1]}/0"}


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
