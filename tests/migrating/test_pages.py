"""The pages on migrating show the very code that is run, all of it, and tell every difference."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, Block, blocks, prose, section
from tests.migrating.conversation import CONVERSATION

HERE = ROOT / "tests/migrating"
FROM_DRF = DOCS / "migrating-from-drf.md"
FROM_CELERY = DOCS / "migrating-from-celery.md"
STAGES = sorted((HERE / "from_celery").iterdir())
UNSHOWN = {"manage.py", "website/__init__.py", "website/celery.py"}
"""What every project has."""


def titled(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.title]


def is_part(part: str, file: Path) -> bool:
    """Return whether a file has these lines, the pieces between two blank lines each as a whole."""
    text = file.read_text("utf-8") if file.is_file() else ""
    return all(f"\n{piece.strip()}\n" in f"\n{text}" for piece in part.split("\n\n\n"))


@pytest.mark.parametrize("block", titled(FROM_DRF), ids=lambda block: block.title)
def test_what_is_shown_of_rest_framework_is_what_is_served(block: Block) -> None:
    file = HERE / "from_drf" / block.title
    assert is_part(block.text, file)
    assert block.text == file.read_text("utf-8") or not block.title.endswith("_step.py")


@pytest.mark.parametrize("block", titled(FROM_CELERY), ids=lambda block: block.title)
def test_what_is_shown_of_celery_is_what_is_run(block: Block) -> None:
    assert any(is_part(block.text, stage / block.title) for stage in STAGES)


def test_every_view_and_every_step_is_shown() -> None:
    steps = {each.name for each in (HERE / "from_drf/snippets/steps").glob("*_step.py")}
    assert steps == {Path(each.title).name for each in titled(FROM_DRF) if "_step" in each.title}
    shown = "".join(each.text for each in titled(FROM_DRF) if each.title == "snippets/views.py")
    views = ast.parse((HERE / "from_drf/snippets/views.py").read_text("utf-8")).body
    names = {each.name for each in views if isinstance(each, ast.ClassDef | ast.FunctionDef)}
    defined = {each.name for each in ast.parse(shown).body if hasattr(each, "name")}
    assert len(names) > 6
    assert defined == names


@pytest.mark.parametrize("stage", STAGES[1:], ids=lambda stage: stage.name)
def test_what_is_new_in_a_stage_is_shown_below_its_heading(stage: Path) -> None:
    heading = f"## {stage.name.replace('_', ' ').capitalize()}: "
    text = FROM_CELERY.read_text("utf-8").partition(heading)[2].partition("\n## ")[0]
    assert text
    for file in stage.rglob("*.py"):
        title = str(file.relative_to(stage))
        assert f'title="{title}"' in text or title == "website/settings.py"


def test_the_code_before_is_shown_but_for_what_every_project_has() -> None:
    files = {str(each.relative_to(STAGES[0])) for each in STAGES[0].rglob("*.py")}
    text = FROM_CELERY.read_text("utf-8").partition("## Before")[2].partition("\n## ")[0]
    missing = {each for each in files - UNSHOWN if f'title="{each}"' not in text}
    assert missing == {"orders/__init__.py", "orders/bank.py", "orders/models.py"}


def test_every_difference_is_told_and_no_other() -> None:
    told = re.findall(r"^\* \*\*(.+?)\*\*", section(FROM_DRF, "What differs"), re.MULTILINE)
    found = {ask.because for ask in CONVERSATION if ask.differs}
    assert set(told) == found


def test_the_number_of_requests_is_the_one_that_is_printed() -> None:
    assert f"the same {len(CONVERSATION)} requests" in " ".join(prose(FROM_DRF).split())
