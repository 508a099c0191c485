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
from motia_django.stores import state_store
from motia_django.stores.memory import MemoryState
from motia_django.testing import Motia, MotiaMixin, plugin
from tests.factories import installed, make_step


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


def test_the_plugin_loads_no_django_before_it_is_set_up() -> None:
    script = (
        "import sys, motia_django.testing.plugin\n"
        "print([name for name in ('django.db', 'rest_framework', 'celery') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
