from __future__ import annotations

import re
from collections.abc import Iterator
from configparser import ConfigParser

import motia_django
from motia_django.runs import MOVES
from tests.docs.pages import DOCS, ROOT, blocks

PAGE = DOCS / "architecture.md"
PACKAGE = ROOT / "motia_django"


def test_the_picture_of_a_runs_life_has_every_legal_move_and_no_other() -> None:
    picture = (DOCS / "images/run-life.svg").read_text("utf-8")
    assert "images/run-life.svg" in PAGE.read_text("utf-8")
    drawn = re.findall(r'data-from="(\w+)" data-to="(\w+)"', picture)
    assert sorted(drawn) == sorted((a, b) for a in MOVES for b in MOVES[a])
    assert set(re.findall(r'class="status".*>(\w+)<', picture)) == set(MOVES)


def shown_modules() -> Iterator[str]:
    """Yield the paths of the files and folders that the page's tree shows."""
    tree = next(each.text for each in blocks(PAGE) if each.text.startswith("motia_django/"))
    folders: list[str] = []
    for line in tree.splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 4
        name = line.split()[0]
        if name != "--":
            folders[depth - 1 :] = [name]
            yield "".join(folders)


def modules() -> Iterator[str]:
    """Yield the paths of the package's modules; a subpackage stands for its `__init__.py`."""
    for file in PACKAGE.rglob("*.py"):
        path = file.relative_to(PACKAGE)
        if path.parts[0] == "migrations":
            continue
        is_subpackage = path.name == "__init__.py" and path.parent.name
        yield f"{path.parent}/" if is_subpackage else str(path)


def test_the_tree_shows_every_module_and_no_other() -> None:
    assert set(shown_modules()) == {*modules(), "migrations/"}


def test_every_module_in_the_tree_has_a_line_that_says_what_it_is_for() -> None:
    tree = next(each.text for each in blocks(PAGE) if each.text.startswith("motia_django/"))
    bare = [line for line in tree.splitlines()[1:] if len(line.split()) < 2]
    assert {line.strip() for line in bare} <= {"management/", "commands/"}


def test_the_layers_are_those_of_the_contract() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    layers = setup["importlinter:contract:layers"]["layers"].strip()
    assert layers in [each.text.strip() for each in blocks(PAGE)]


def test_the_public_words_are_all_in_the_reference() -> None:
    text = (DOCS / "reference/context.md").read_text() + (DOCS / "reference/config.md").read_text()
    assert [word for word in motia_django.__all__ if word not in text] == []
