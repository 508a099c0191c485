"""`motia_steps new`: what it writes is a Step that loads, and a test that passes."""

from __future__ import annotations

import importlib
import io
import unittest

import pytest

from motia_django.commands.new import KINDS
from tests.commands.conftest import Fails, Steps
from tests.projects import Project
from tests.web.serving import served

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]
ODD = 'Say "Hi" \\ 🙂 to all'


def written(project: Project, name: str) -> None:
    """Run the test that was written for a Step, in the project as it is now."""
    module = importlib.import_module(f"{project.name}.{name}")
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    said = io.StringIO()
    done = unittest.TextTestRunner(said).run(suite)
    assert done.testsRun and done.wasSuccessful(), said.getvalue()


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
    [test] = project.folder.glob("test_*.py")
    with served():
        written(project, test.stem)


def test_an_http_step_may_have_parameters_in_its_path(project: Project, steps: Steps) -> None:
    steps("new", "PayOrder", "--path", "/orders/:id/pay", "--method", "put")
    assert project.only_step().triggers[0].source == "PUT /orders/:id/pay"
    with served():
        written(project, "test_pay_order_step")


def test_tests_go_where_the_apps_tests_are_and_no_file_is_written_over(
    project: Project, steps: Steps, fails: Fails
) -> None:
    project.write("tests/__init__.py", "")
    steps("new", "PayOrder")
    assert (project.folder / "tests/test_pay_order_step.py").is_file()
    _, error, _ = fails("new", "PayOrder")
    assert "pay_order_step.py exists already; nothing was written." in error
