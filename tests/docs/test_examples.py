from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings

from motia_django import models
from motia_django.testing import Motia
from motia_django.webhooks import signed_by
from tests.docs.pages import DOCS, README, ROOT, Block, blocks, named, pages
from tests.projects import Project
from tests.web.serving import served

TUTORIAL = DOCS / "tutorial.md"
HTTP = DOCS / "http.md"
INSTALL = DOCS / "install.md"
SAMPLE = "sample_project/"
MIGRATING = "migrating-"
"""Pages that begin so show code that `tests/migrating` runs."""


def step_blocks(*, of_the_sample: bool) -> list[Any]:
    """Return the blocks that show whole Step or stream files."""
    return [
        pytest.param(block, id=f"{named(page)}-{Path(block.title).stem}")
        for page in pages()
        for block in blocks(page)
        if block.title.endswith(("_step.py", "_stream.py"))
        and not page.name.startswith(MIGRATING)
        and of_the_sample is block.title.startswith(SAMPLE)
    ]


@pytest.mark.parametrize("block", step_blocks(of_the_sample=True))
def test_a_step_of_the_sample_project_is_shown_as_it_is(block: Block) -> None:
    assert block.text == (ROOT / block.title).read_text("utf-8")


def test_the_tutorial_shows_every_step_but_the_one_it_does_not_need() -> None:
    shown = {block.title for block in blocks(TUTORIAL)}
    files = {str(file.relative_to(ROOT)) for file in (ROOT / SAMPLE).rglob("*_step.py")}
    assert files - shown == {"sample_project/greetings/steps/count_greeting_step.py"}


@pytest.mark.parametrize("block", step_blocks(of_the_sample=False))
def test_a_step_that_is_shown_loads(block: Block, project: Project) -> None:
    """A stream that a Step follows is declared by a block of its own, or taken as declared."""
    project.step(Path(block.title).name, block.text)
    if block.title.endswith("_stream.py"):
        assert len(project.load().streams) == 1
        return
    project.stream("orders_stream.py", 'config = {"name": "orders"}')
    assert len(project.load()) == 1


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_python_block_is_python(page: Path) -> None:
    for block in blocks(page):
        if block.language == "python":
            source = block.text.replace("return ctx.match", "ctx.match")
            compile(source, f"{named(page)}", "exec")


# -- what the curl lines answer


class Reading:
    """A page read from top to bottom, doing what it says.

    What is printed stands for what really came: an id that was printed in an answer is replaced, in
    all that follows, by the one that was really answered.
    """

    def __init__(
        self,
        client: Client,
        page: Path,
        committed: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.client = client
        self.committed = committed
        self.blocks = list(blocks(page))
        self.replaced: dict[str, str] = {}
        self.requests = 0

    def really(self, text: str) -> str:
        """Return the text with what was printed replaced by what came."""
        for printed, came in self.replaced.items():
            text = text.replace(printed, came)
        return text

    def follow(self) -> list[str]:
        """Do the curl lines, compare their answers; return the log lines that are promised.

        A block with a title is for another project: `tests.journeys.test_newcomer` types it.
        """
        promised: list[str] = []
        for block, after in zip(self.blocks, [*self.blocks[1:], None], strict=True):
            if block.language == "sh" and "curl " in block.text and not block.title:
                assert after is not None
                self._request(block.text, after)
            elif block.language == "text" and " | [" in block.text:
                promised += block.text.splitlines()
        lines = [self.really(line).partition(" | ")[2] for line in promised]
        return [line for line in lines if line.startswith("[")]

    def _request(self, command: str, printed: Block) -> None:
        with self.committed():
            answer = self._curl(self.really(command))
        self.requests += 1
        if printed.language == "http":
            head, _, body = printed.text.partition("\n\n")
            assert head == f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"
            assert json.loads(body) == answer.json()
        else:
            assert printed.language == "json"
            assert answer.status_code < 300, answer.content
            self._compare(json.loads(printed.text), answer.json())

    def _curl(self, command: str) -> Any:
        """Do what curl would, with the options that the pages use and no others."""
        *assignments, command = command.replace("\\\n", " ").strip().splitlines()
        for name, value in (line.split("=", 1) for line in assignments):
            command = command.replace(f"${name}", value)
        words = shlex.split(command)
        assert words.pop(0) == "curl"
        method, headers, data, url = "GET", {}, "", ""
        while words:
            word = words.pop(0)
            if word == "-X":
                method = words.pop(0)
            elif word == "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            elif word == "-d":
                data = words.pop(0)
            elif word != "-i":
                assert word.startswith("http://localhost:8000/"), word
                url = word.removeprefix("http://localhost:8000")
        kind = headers.pop("Content-Type", "application/x-www-form-urlencoded")
        return self.client.generic(method, url, data, content_type=kind, headers=headers)

    def _compare(self, printed: Any, came: Any) -> None:
        """Compare two values by their shape, and remember which string stands for which."""
        if isinstance(printed, dict):
            assert list(printed) == list(came)
            for key, value in printed.items():
                self._compare(value, came[key])
        elif isinstance(printed, list):
            assert len(printed) == len(came)
            for one, other in zip(printed, came, strict=True):
                self._compare(one, other)
        else:
            assert type(printed) is type(came), (printed, came)
            if isinstance(printed, str) and printed != came:
                self.replaced[printed] = came


@pytest.mark.django_db
@pytest.mark.parametrize("page", [README, TUTORIAL], ids=named)
def test_the_curl_lines_answer_and_the_steps_log_as_printed(
    page: Path,
    django_capture_on_commit_callbacks: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("motia"), "propagate", True)
    reading = Reading(
        Client(raise_request_exception=False),
        page,
        committed=lambda: django_capture_on_commit_callbacks(execute=True),
    )
    with override_settings(CELERY_TASK_ALWAYS_EAGER=True):
        promised = reading.follow()
    assert reading.requests
    assert promised
    assert [line for line in promised if line not in caplog.messages] == []


@pytest.mark.django_db
def test_the_step_of_the_readme_answers_as_printed(project: Project) -> None:
    shown = next(block for block in blocks(README) if block.title.endswith("_step.py"))
    project.step(Path(shown.title).name, shown.text)
    project.load()
    with served() as client:
        reading = Reading(client, README)
        reading.follow()
    assert reading.requests == 1


# -- the whole of install.md, in a project of its own


def shell(folder: Path, *command: str) -> str:
    """Run a Python command in a folder that knows only this package; return what it prints."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")},
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def append(file: Path, text: str) -> None:
    file.write_text(f"{file.read_text()}\n{text}")


@pytest.mark.journey
def test_a_new_project_that_follows_the_page_on_installing_works(tmp_path: Path) -> None:
    by_title = {block.title: block.text for block in blocks(INSTALL) if block.title}
    step = next(block for block in blocks(README) if block.title.endswith("_step.py"))
    shell(tmp_path, "-m", "django", "startproject", "site_of_mine", ".")
    shell(tmp_path, "manage.py", "startapp", "billing")
    shell(tmp_path, "manage.py", "startapp", "shop")
    package = tmp_path / "site_of_mine"
    append(package / "settings.py", by_title["settings.py"])
    append(package / "settings.py", 'INSTALLED_APPS += ["billing", "shop"]')
    append(package / "urls.py", by_title["urls.py"])
    _follow_celerys_guide(package)
    (tmp_path / step.title).parent.mkdir()
    (tmp_path / step.title).write_text(step.text)

    shell(tmp_path, "manage.py", "migrate")
    new = [line for block in blocks(INSTALL) for line in block.text.splitlines() if " new " in line]
    shell(tmp_path, *shlex.split(new[0])[1:])
    listed = shell(tmp_path, "manage.py", "motia_steps")
    assert "CreateInvoice" in listed
    assert "CreateTodo" in listed
    shell(tmp_path, "manage.py", "test", "billing")
    printed = shell(
        tmp_path, "manage.py", "motia_steps", "run", "CreateTodo", "--input", '{"title": "x"}'
    )
    assert json.loads(printed)["status"] == 201


def _follow_celerys_guide(package: Path) -> None:
    """Write what https://docs.celeryq.dev/en/stable/django/first-steps-with-django.html shows."""
    (package / "celery.py").write_text(
        "import os\n"
        "from celery import Celery\n"
        f'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{package.name}.settings")\n'
        f'app = Celery("{package.name}")\n'
        'app.config_from_object("django.conf:settings", namespace="CELERY")\n'
        "app.autodiscover_tasks()\n"
    )
    (package / "__init__.py").write_text(
        'from .celery import app as celery_app\n\n__all__ = ("celery_app",)\n'
    )


# -- HTTP Steps


def shown(page: Path, file: str) -> Block:
    """Return the block of a page that shows a file of this name."""
    return next(block for block in blocks(page) if block.title.endswith(file))


@pytest.mark.django_db
def test_the_webhook_that_is_shown_takes_what_is_signed(
    project: Project, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    project.step("payment_webhook_step.py", shown(HTTP, "payment_webhook_step.py").text)
    project.step("told_step.py", TOLD)
    project.load()
    body = b'{"id":  "evt_1", "amount":\t12.50}'
    settings.PAYMENTS_SECRET = "of the payments"
    headers = signed_by("X-Signature", "PAYMENTS_SECRET").sign(body)
    path, kind = "/webhooks/payments", "application/json"
    with served() as client, django_capture_on_commit_callbacks():
        answer = client.post(path, body, kind, headers=headers)
        assert (answer.status_code, answer.json()) == (202, {"received": "evt_1"})
        assert client.post(path, body + b" ", kind, headers=headers).status_code == 401
        assert client.post(path, body, kind).status_code == 401
    [told] = models.Run.objects.filter(step="Told")
    assert told.input == {"id": "evt_1", "amount": 12.5}


@pytest.mark.django_db
def test_each_tenant_of_the_page_has_a_secret_of_his_own(project: Project) -> None:
    project.step("tenant_event_step.py", shown(HTTP, "tenant_event_step.py").text)
    project.load()
    signed = signed_by("X-Signature", lambda: "of acme").sign(b"{}")
    with served() as client, override_settings(TENANT_SECRETS={"acme": "of acme", "globex": "x"}):
        statuses = {
            tenant: client.post(
                f"/webhooks/tenants/{tenant}", b"{}", "application/json", headers=signed
            ).status_code
            for tenant in ("acme", "globex", "unknown")
        }
    assert statuses == {"acme": 202, "globex": 401, "unknown": 401}


@pytest.fixture
def acme(project: Project) -> Iterator[Project]:
    """Serve the Step with a signature of its own: before `settings` is asked for."""
    project.step("acme_event_step.py", shown(HTTP, "acme_event_step.py").text)
    project.load()
    with served():
        yield project


@pytest.mark.django_db
def test_the_test_of_a_scheme_of_ones_own_that_is_shown_passes(
    acme: Project, settings: Any, motia: Motia
) -> None:
    namespace: dict[str, Any] = {}
    text = shown(HTTP, "test_acme_event.py").text
    exec(text.replace("shop.steps", f"{acme.name}.steps"), namespace)
    namespace["test_an_event_is_taken_and_an_old_one_is_not"](motia, settings)


@pytest.fixture
def webhook(project: Project) -> Iterator[None]:
    """Serve the Step of the page: before `settings` is asked for, so that it ends after that."""
    project.step("payment_webhook_step.py", shown(HTTP, "payment_webhook_step.py").text)
    project.step("told_step.py", TOLD)
    project.load()
    with served():
        yield


@pytest.mark.django_db
def test_the_test_of_the_webhook_that_is_shown_passes(
    webhook: None, settings: Any, motia: Motia
) -> None:
    namespace: dict[str, Any] = {}
    exec(shown(HTTP, "test_payment_webhook.py").text, namespace)
    namespace["test_a_payment_is_told"](motia, settings)


TOLD = """
config = {"name": "Told", "triggers": [{"type": "queue", "topic": "payment.told"}]}


def handler(input):
    pass
"""
