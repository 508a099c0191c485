"""Files named as in 0.x: `create_order.step.py`, `orders.stream.py`."""

from __future__ import annotations

import pytest

from motia_django import state
from tests.dialects.firing import sent
from tests.projects import Project

pytestmark = pytest.mark.django_db

STEP = """
    from .texts import TEXT

    config = {"type": "event", "name": "Say", "subscribes": ["say"], "emits": []}

    async def handler(input, context):
        await context.streams.said.set("g", "1", {"text": TEXT})
        await context.state.set("said", "module", __name__.partition(".")[2])
"""


def test_steps_and_streams_with_dots_are_found(project: Project) -> None:
    project.step("say/say-it.step.py", STEP)
    project.step("say/texts.py", 'TEXT = "Hello"\n')
    project.stream("said.stream.py", 'config = {"name": "said"}\n')
    project.load()
    sent("say")
    assert state.get("said", "module") == "steps.say.say-it_step"


@pytest.mark.parametrize("name", ["sweep.cron.step.py", "sweep.cron_step.py"])
def test_more_dots_are_found_as_well(project: Project, name: str) -> None:
    file = project.step(
        f"jobs/{name}",
        """
        config = {"type": "event", "name": "Sweep", "subscribes": ["sweep"], "emits": []}

        async def handler(input, context):
            await context.state.set("swept", "module", __name__.partition(".")[2])
        """,
    )
    [step] = project.load()
    assert step.file == file
    sent("sweep")
    assert state.get("swept", "module") == "steps.jobs.sweep_cron_step"


def test_files_that_differ_by_a_dot_only_are_two_steps(project: Project) -> None:
    names = ("sweep_cron_step.py", "sweep.cron_step.py", "sweep_cron.step.py")
    for name in names:
        project.step(
            name,
            f"""
            config = {{"type": "event", "name": "{name}", "subscribes": ["sweep"], "emits": []}}

            async def handler(input, context):
                await context.state.set("swept", context.step, __name__.partition(".")[2])
            """,
        )
    steps = project.load()
    assert {each.name: each.file.name for each in steps} == dict(zip(names, names, strict=True))
    sent("sweep")
    assert dict(state.items("swept")) == {
        "sweep_cron_step.py": "steps.sweep_cron_step",
        "sweep.cron_step.py": "steps.sweep_cron_step_",
        "sweep_cron.step.py": "steps.sweep_cron_step__",
    }


@pytest.mark.parametrize("name", ["a.b/c.step.py", "a.b/c_step.py"])
def test_a_dot_in_a_folder_is_still_an_error(project: Project, name: str) -> None:
    project.step(name, "raise RuntimeError('must not be imported')")
    [problem] = project.problems()
    assert problem.id == "motia.E010"


def test_a_file_that_fails_can_be_imported_again(project: Project) -> None:
    file = project.step("x.step.py", "1 / 0\n")
    [problem] = project.problems()
    assert (problem.id, problem.line, problem.file) == ("motia.E001", 1, file)
    project.step("x.step.py", 'config = {"name": "x", "type": "cron", "cron": "@daily"}\n')
    [problem] = project.problems()
    assert problem.id == "motia.E007"
