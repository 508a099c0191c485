"""What the page for contributors says of commands, hooks and rules is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import README, ROOT, named

PAGE = ROOT / "CONTRIBUTING.md"
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = dict(re.findall(r"^([a-z]+):.*?(?:## (.+))?$", MAKEFILE, re.MULTILINE))
MODULES = [
    (file, file.read_text("utf-8"))
    for file in sorted((ROOT / "motia_django").rglob("*.py"))
    if "migrations" not in file.parts
]
LONGEST = 300
"""Lines of a module, without blank ones."""


def test_every_target_of_make_says_what_it_is_for() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert phony and set(phony[1].split()) == set(TARGETS)
    assert [name for name, told in TARGETS.items() if not told] == []


@pytest.mark.parametrize("page", [PAGE, README], ids=named)
def test_every_target_that_a_page_names_is_there(page: Path) -> None:
    told = set(re.findall(r"^make (\w+)|`make (\w+)`", page.read_text("utf-8"), re.MULTILINE))
    names = {first or second for first, second in told}
    assert names and names <= set(TARGETS)


def test_the_hooks_ask_what_lint_asks() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    asked = [each["entry"] for repo in hooks["repos"] for each in repo["hooks"]]
    lint = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    lines = re.findall(r"@\$\(BIN\)/(.+)", lint)
    assert {each.replace(" --force-exclude", "") for each in asked} == {
        f".venv/bin/{line}" for line in lines
    }
    assert all(each["language"] == "system" for repo in hooks["repos"] for each in repo["hooks"])


def test_every_folder_of_tests_that_is_named_is_there() -> None:
    folders = re.findall(r"`(tests/\w+)`", PAGE.read_text("utf-8"))
    assert folders and [each for each in folders if not (ROOT / each).is_dir()] == []


def test_no_module_is_too_long() -> None:
    lengths = {file: sum(map(bool, map(str.strip, text.splitlines()))) for file, text in MODULES}
    assert [named(file) for file, length in lengths.items() if length > LONGEST] == []


def test_every_module_opens_with_a_sentence() -> None:
    openings = {file: (ast.get_docstring(ast.parse(text)) or "") for file, text in MODULES if text}
    bare = [file for file, said in openings.items() if not said.partition("\n\n")[0].endswith(".")]
    assert list(map(named, bare)) == []
