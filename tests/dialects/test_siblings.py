"""Files that import their siblings as Motia projects do: by the path from the project's root."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from motia_django import state
from tests.dialects.firing import sent
from tests.projects import Project, modules_forgotten

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Forget the modules that a test has imported, and what it has put on the path."""
    path = list(sys.path)
    with modules_forgotten():
        yield
    sys.path[:] = path


MAIL = """
    from src.services.mail_texts import TEXT

    def text():
        return TEXT
"""

STEP = """
    import os
    import sys
    {before}
    config = {{"type": "event", "name": "mail", "subscribes": ["mail"], "emits": []}}

    async def handler(input, context):
        {inside}
        await context.state.set("mail", "text", text())
"""


@pytest.mark.parametrize(
    ("before", "inside"),
    [
        ("from src.services.mail import text", "pass"),
        ("pass", "from src.services.mail import text"),
        ("import src.services.mail as mail", "text = mail.text"),
        (
            'sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "src"))',
            "from services.mail import text",
        ),
        ('sys.path.append("src")', "from services.mail import text"),
        ("from services.mail import text", "pass"),
        ("from ...src.services.mail import text", "pass"),
        ('sys.path.append("./src/services")', "from mail import text"),
    ],
)
@pytest.mark.parametrize("is_package", [True, False])
def test_a_sibling_is_found(project: Project, before: str, inside: str, is_package: bool) -> None:
    if is_package:
        project.write("src/__init__.py", "")
        project.write("src/services/__init__.py", "")
    project.write("src/services/mail.py", MAIL)
    project.write("src/services/mail_texts.py", 'TEXT = "Hello"\n')
    project.step("mail/send_step.py", STEP.format(before=before, inside=inside))
    project.load()
    sent("mail")
    assert state.get("mail", "text") == "Hello"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("steps/mail/texts.py", "from texts import text"),
        ("steps/texts.py", "from texts import text"),
        ("steps/parts/texts.py", "from parts.texts import text"),
        ("src/texts.py", "from texts import text"),
    ],
)
def test_a_module_beside_a_file_or_one_folder_above_is_found(
    project: Project, place: str, line: str
) -> None:
    project.write("steps/parts/__init__.py", "")
    project.write(place, 'def text():\n    return "Hello"\n')
    project.step("mail/send_step.py", STEP.format(before=line, inside="pass"))
    project.load()
    sent("mail")
    assert state.get("mail", "text") == "Hello"


def test_a_mere_folder_beside_a_file_is_no_package(project: Project) -> None:
    project.step("no_such_package/notes.txt", "")
    project.step("x_step.py", "from no_such_package import Client\n")
    [problem] = project.problems()
    assert "No module named 'no_such_package'" in problem.message


def test_what_can_be_imported_anyhow_is_never_a_sibling(project: Project) -> None:
    project.write("json/__init__.py", "")
    project.write("django/__init__.py", "")
    project.step(
        "x_step.py",
        """
        import json
        import django

        assert json.loads("1") and django.VERSION
        config = {"type": "event", "name": "x", "subscribes": ["x"], "emits": []}

        async def handler(input, context):
            pass
        """,
    )
    project.load()


def test_what_is_nowhere_is_an_error_of_its_file(project: Project) -> None:
    project.step("x_step.py", "import no_such_package_anywhere\n")
    [problem] = project.problems()
    assert "No module named 'no_such_package_anywhere'" in problem.message
    assert problem.line == 1


def test_only_files_of_the_app_find_its_modules(project: Project) -> None:
    project.write("only_here.py", "")
    project.step("x_step.py", "import only_here\nconfig = None\n")
    with pytest.raises(ModuleNotFoundError):
        import only_here  # type: ignore[import-not-found]  # noqa: F401
