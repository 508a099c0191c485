"""The mixin for Django's `TestCase`, and the plugin's part in pytest's reports."""

from __future__ import annotations

import subprocess
import sys
import unittest
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import SimpleTestCase, TestCase, TransactionTestCase

from motia_django import broker, enqueue
from motia_django.exceptions import StepFilesError
from motia_django.stores import state_store
from motia_django.stores.memory import MemoryState
from motia_django.testing import Motia, MotiaMixin, plugin
from tests.factories import installed, make_step
from tests.projects import Project


class WorkTest(MotiaMixin, TestCase):
    motia_state = "memory"

    def setUp(self) -> None:
        super().setUp()
        self.enterContext(installed(make_step(lambda input: input)))
        enqueue("work", "from setUp")

    def test_a_message_is_run(self) -> None:
        [run] = self.motia.queue("work", "from the test")
        assert run.output == "from the test"
        assert self.motia.enqueued("work") == ["from setUp", "from the test"]

    def test_each_test_has_its_own(self) -> None:
        assert [run.output for run in self.motia.drain()] == ["from setUp"]
        assert isinstance(state_store(), MemoryState)

    async def test_an_async_test(self) -> None:
        trace = await sync_to_async(self.motia.drain)()
        assert len(trace) == 1


class ForgetfulTest(MotiaMixin, SimpleTestCase):
    """Does not call `super().setUp()`, and asks no database."""

    motia_state = "memory"

    def setUp(self) -> None:
        self.client_of_setup = self.motia.client

    def test_the_kit_is_there(self) -> None:
        assert self.motia.client is self.client_of_setup

    async def test_an_async_test(self) -> None:
        assert self.motia.client is self.client_of_setup


class CommittedTest(MotiaMixin, TransactionTestCase):
    def setUp(self) -> None:
        self.enterContext(installed(make_step(lambda input: input)))

    def test_a_message_is_run(self) -> None:
        assert self.motia.queue("work", 1)[0].output == 1


class FailingTest(MotiaMixin, TestCase):
    """What pytest is not to collect by itself: run below."""

    __test__ = False

    def test_that_fails(self) -> None:
        with installed(make_step(lambda input: input)):
            self.motia.queue("work")
            raise AssertionError("not so")


@pytest.mark.django_db
def test_the_error_of_a_case_that_fails_is_told_with_what_ran() -> None:
    result = unittest.TestResult()
    FailingTest("test_that_fails").run(result)
    [(_, text)] = result.failures
    assert text.count("File ") == 1, text
    assert 'raise AssertionError("not so")' in text
    assert text.endswith("not so\nMotia: what ran\nWork by queue work: succeeded\n"), text


@pytest.mark.django_db
def test_the_kit_is_gone_after_a_case() -> None:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(WorkTest).run(result)
    assert (result.testsRun, result.failures, result.errors) == (3, [], [])
    assert not broker.is_replaced()


def report_of(funcargs: dict[str, Any], outcome: Any = "failed") -> pytest.TestReport:
    """Return the report of a test as the plugin leaves it."""
    report = pytest.TestReport("t", ("f", 1, "t"), {}, outcome, None, "call")
    item: Any = SimpleNamespace(funcargs=funcargs)
    call: Any = SimpleNamespace(when="call")
    asked: Any = plugin.pytest_runtest_makereport(item, call)
    next(asked)
    with pytest.raises(StopIteration):
        asked.send(report)
    return report


@pytest.mark.django_db
def test_what_ran_is_shown_below_a_test_that_failed(motia: Motia) -> None:
    def handler(input: Any, ctx: Any) -> None:
        ctx.logger.info("Working")

    with installed(make_step(handler)):
        motia.queue("work")
        [(title, text)] = report_of({"motia": motia}).sections
        assert title == "Motia: what ran"
        assert text == "Work by queue work: succeeded\n   info: Working"
    assert report_of({"motia": motia}, "passed").sections == []
    assert report_of({}).sections == []


@pytest.mark.django_db
@pytest.mark.motia(state="memory")
def test_the_marker_says_where_state_lives(motia: Motia) -> None:
    assert isinstance(state_store(), MemoryState)


def item_of(nodeid: str, stash: pytest.Stash, fixtures: tuple[str, ...] = (), **rest: Any) -> Any:
    """Return a test as the plugin sees it before it is set up."""
    marker = rest.pop("marker", None)
    return SimpleNamespace(
        nodeid=nodeid,
        config=SimpleNamespace(stash=stash),
        fixturenames=fixtures,
        get_closest_marker=lambda name: marker,
        **rest,
    )


@pytest.fixture
def broken(project: Project) -> None:
    """A stream file that cannot be imported, and one with a key that is misspelt."""
    project.stream("oops_stream.py", "config = {")
    project.stream("readings_stream.py", 'config = {"name": "readings", "shema": {}}')
    assert len(project.problems()) == 2


def test_who_uses_the_kit_fails_while_files_are_broken(broken: None) -> None:
    stash = pytest.Stash()
    with pytest.raises(pytest.fail.Exception) as listed:
        plugin.pytest_runtest_setup(item_of("first", stash, ("motia",)))
    assert "oops_stream.py:1: (motia.E001)" in str(listed.value)
    assert "HINT: Did you mean 'schema'?" in str(listed.value)
    with pytest.raises(pytest.fail.Exception, match=r"which are listed at first$"):
        plugin.pytest_runtest_setup(item_of("second", stash, cls=WorkTest))
    with pytest.raises(StepFilesError, match="2 problems in Step files"), Motia():
        pass
    result = unittest.TestResult()
    ForgetfulTest("test_the_kit_is_there").run(result)
    [(_, text)] = result.errors
    assert "HINT: Did you mean 'schema'?" in text


def test_who_uses_the_kit_fails_while_the_settings_are_wrong(settings: Any) -> None:
    settings.MOTIA = {"LEASE": "a minute"}
    stash = pytest.Stash()
    with pytest.raises(pytest.fail.Exception) as listed:
        plugin.pytest_runtest_setup(item_of("first", stash, ("motia",)))
    assert str(listed.value).startswith("MOTIA['LEASE']: expected")
    with pytest.raises(pytest.fail.Exception, match=r"which are listed at first$"):
        plugin.pytest_runtest_setup(item_of("second", stash, ("motia",)))


class BrokenFilesTest(MotiaMixin, SimpleTestCase):
    """Wants broken files; run below, when there are some."""

    __test__ = False
    motia_broken_files = True
    motia_state = "memory"

    def test_the_kit_is_there(self) -> None:
        assert self.motia


def test_who_uses_no_kit_or_wants_broken_files_has_them(broken: None) -> None:
    stash = pytest.Stash()
    plugin.pytest_runtest_setup(item_of("none", stash))
    plugin.pytest_runtest_setup(item_of("mixin", stash, cls=BrokenFilesTest))
    marker = pytest.mark.motia(broken_files=True)
    plugin.pytest_runtest_setup(item_of("marked", stash, ("motia",), marker=marker))
    with Motia(broken_files=True, state="memory"):
        pass
    result = unittest.TestResult()
    BrokenFilesTest("test_the_kit_is_there").run(result)
    assert result.wasSuccessful(), result.errors


def test_the_plugin_loads_no_django_before_it_is_set_up() -> None:
    script = (
        "import sys, motia_django.testing.plugin\n"
        "print([name for name in ('django.db', 'rest_framework', 'celery') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
