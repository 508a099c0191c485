"""The Steps that `new` writes, and their tests, which are run."""

from __future__ import annotations

import io
import unittest

import pytest
from django.contrib.auth.models import User
from rest_framework.permissions import IsAuthenticated

from motia_django.commands.new import KINDS
from motia_django.registry import registry
from motia_django.testing import Motia
from motia_django.triggers.http import METHODS
from motia_django.web.views import StepView
from tests.commands.conftest import Fails, Steps
from tests.projects import Project
from tests.web.serving import served

ODD = 'Say "Hi" \\ 🙂 to all'
PATHS = {"Plain": "/{}/orders", "Named": "/{}/orders/:id/", "Hard": "/{}/:from/:_to/:json/:title"}


def run_tests(project: Project) -> unittest.TestResult:
    """Run the tests that were written, as `manage.py test` does, and return what came of them."""
    names = [f"{project.name}.{file.stem}" for file in project.folder.glob("test_*.py")]
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    return unittest.TextTestRunner(stream=io.StringIO()).run(suite)


def text_of(project: Project, file: str) -> str:
    return (project.folder / file).read_text("utf-8")


def test_an_http_step_of_any_method_and_path_passes_its_tests(
    project: Project, steps: Steps
) -> None:
    for method in METHODS:
        for kind, path in PATHS.items():
            name = f"{kind} {method} Order"
            steps("new", name, "--method", method.lower(), "--path", path.format(method.lower()))
    assert len(project.load()) == len(METHODS) * len(PATHS)
    with served():
        result = run_tests(project)
    assert [text for _, text in result.failures + result.errors] == []
    assert result.testsRun == (len(METHODS) + 3) * len(PATHS)


def test_its_tests_pass_where_the_project_asks_for_a_user(
    project: Project, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StepView, "permission_classes", [IsAuthenticated])
    project.load()
    steps("new", "CreateOrder", "--path", "/orders/:id")
    steps("new", "ReadOrder", "--path", "/orders/:id", "--method", "GET")
    project.load()
    with served() as client:
        assert client.get("/orders/1").status_code == 403
        result = run_tests(project)
    assert [text for _, text in result.failures + result.errors] == []
    assert result.testsRun == 3


def test_an_http_step_asks_for_what_its_method_and_path_have(
    project: Project, steps: Steps
) -> None:
    project.load()
    steps("new", "ReadOrder", "--method", "GET", "--path", "/orders/:id")
    steps("new", "SayHello", "--method", "GET")
    steps("new", "CreateOrder", "--enqueues", "order.created")
    project.load()
    read, hello, create = (
        registry().step(name).triggers[0] for name in ("ReadOrder", "SayHello", "CreateOrder")
    )
    assert (read.source, hello.source) == ("GET /orders/:id", "GET /say-hello")
    assert "paramsSchema" in text_of(project, "steps/read_order_step.py")
    assert "bodySchema" not in text_of(project, "steps/read_order_step.py")
    assert "pydantic" not in text_of(project, "steps/say_hello_step.py")
    assert 'kwargs={"id": "1"}' in text_of(project, "test_read_order_step.py")
    assert create.schema is not None
    assert 'ctx.enqueue({"topic": "order.created"' in text_of(project, "steps/create_order_step.py")


@pytest.mark.parametrize("path", ["orders", "/orders/{id}", "/:id/:id"])
def test_a_path_that_is_none_is_refused(path: str, project: Project, fails: Fails) -> None:
    _, error, code = fails("new", "ReadOrder", "--path", path)
    assert error.startswith('--path: expected a path such as "/todos/:id"')
    assert code == 2
    assert not (project.folder / "steps").exists()


def test_a_method_that_is_none_is_refused(project: Project, fails: Fails) -> None:
    assert "invalid choice: 'FETCH'" in fails("new", "ReadOrder", "--method", "fetch")[1]


def test_a_schedule_that_is_none_is_refused(project: Project, fails: Fails) -> None:
    project.load()
    error = fails("new", "Nightly", "--trigger", "cron", "--schedule", "61 * * * *")[1]
    assert "--schedule: expected a cron expression, got '61 * * * *'" in error
    assert not list(project.folder.rglob("*_step.py"))


@pytest.mark.parametrize(
    ("kind", "name"),
    [*((kind, ODD) for kind in KINDS), ("http", "orders::Pay order"), ("queue", "2nd try")],
)
def test_a_step_of_any_name_loads_and_its_test_passes(
    kind: str, name: str, project: Project, steps: Steps
) -> None:
    project.load()  # it has no stream yet
    said = steps("new", name, "--trigger", kind, "--enqueues", 'a "quoted" 🙂 topic')
    assert said.count("wrote ") == (3 if kind == "stream" else 2)
    step = project.only_step()
    assert step.name == name
    assert [*step.topics] == ['a "quoted" 🙂 topic']
    with served():
        result = run_tests(project)
    assert [text for _, text in result.failures + result.errors] == []
    assert result.testsRun


@pytest.mark.parametrize(
    ("option", "kind"),
    [("--topic", "queue"), ("--schedule", "cron"), ("--group", "state"), ("--stream", "stream")],
)
def test_an_option_of_another_trigger_is_refused(
    option: str, kind: str, project: Project, fails: Fails
) -> None:
    said, error, code = fails("new", "PackOrder", option, "@daily")
    assert (said, code) == ("", 2)
    assert error == f"{option} is an option of --trigger {kind}, got --trigger http"
    _, error, code = fails("new", "PackOrder", "--trigger", kind, "--path", "/orders")
    assert error == f"--path is an option of --trigger http, got --trigger {kind}"
    assert not (project.folder / "steps").exists()


def test_the_files_are_named_as_seen_from_here(
    project: Project, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder.parent)
    said = steps("new", "PayOrder", "--trigger", "queue", "--topic", "order.placed")
    assert said == (
        f"wrote {project.name}/steps/pay_order_step.py\n"
        f"wrote {project.name}/test_pay_order_step.py\n"
    )


def test_a_stream_that_it_writes_lets_in_who_is_logged_in(
    project: Project, steps: Steps, motia: Motia
) -> None:
    project.load()
    steps("new", "Watcher", "--trigger", "stream", "--stream", "pings")
    project.load()
    assert motia.follow("pings", "all").refused
    assert not motia.follow("pings", "all", user=User.objects.create_user("ann")).refused


def test_tests_go_where_the_apps_tests_are_and_no_file_is_written_over(
    project: Project, steps: Steps, fails: Fails
) -> None:
    project.write("tests/__init__.py", "")
    steps("new", "PayOrder")
    assert (project.folder / "tests/test_pay_order_step.py").is_file()
    _, error, _ = fails("new", "PayOrder")
    assert "pay_order_step.py exists already; nothing was written." in error
