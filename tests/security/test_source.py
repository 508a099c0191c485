"""The package's own source, read for what is dangerous wherever it stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

import motia_django

PACKAGE = Path(motia_django.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

RUNS_WHAT_IT_READS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "jsonpickle", "marshal",
                      "shelve", "yaml", "code", "codeop", "pty", "telnetlib", "xmlrpc"}  # fmt: skip
STARTS_PROCESSES = {
    "commands/dev_files.py",
    "commands/processes.py",
    "commands/tied.py",
}
"""Of `motia_steps dev`, with lists of words and no shell."""
COMPOSES_STATEMENTS = {
    "admin/groups.py",
    "admin/parts.py",
    "by_hand.py",
    "checks/database_facts.py",
    "ledger/errors.py",
    "ledger/figures.py",
    "ledger/meters.py",
    "ledger/statements.py",
    "ledger/workers.py",
    "live/postgresql_waker.py",
    "models/online.py",
    "prepared.py",
    "stores/orm.py",
    "stores/rows.py",
}
"""Those that write SQL; `test_statements` watches that it holds nothing but our own words."""
MAKES_HTML = {
    "admin/source.py",
    "graph/drawing.py",
    "graph/lettering.py",
    "graph/lines.py",
}
"""Those that call text safe: what Pygments has escaped, and numbers of a drawing."""


@cache
def nodes(module: Path) -> list[ast.AST]:
    """Return all there is in a module."""
    return [*ast.walk(ast.parse(module.read_text("utf-8"), str(module)))]


def named(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def found(is_one: Callable[[ast.AST], bool]) -> set[str]:
    """Return the modules in which there is such a thing."""
    return {named(each) for each in MODULES if any(map(is_one, nodes(each)))}


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the top of what is imported."""
    if isinstance(node, ast.Import):
        yield from (each.name.partition(".")[0] for each in node.names)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield (node.module or "").partition(".")[0]


def called(node: ast.AST) -> str:
    """Return what is called: its last name, or an empty text."""
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def calls_itself(node: ast.AST, *names: str) -> bool:
    """Return whether one of Python's own functions of these names is called, by that name alone."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and called(node) in names


def test_nothing_is_imported_that_runs_what_it_reads() -> None:
    assert found(lambda node: bool(RUNS_WHAT_IT_READS & set(imported(node)))) == set()


def test_no_text_is_run_as_code() -> None:
    runs = ("eval", "exec", "compile", "__import__", "breakpoint", "execfile")
    assert found(lambda node: calls_itself(node, *runs)) == set()


def test_only_the_development_server_starts_processes_and_none_by_a_shell() -> None:
    assert found(lambda node: "subprocess" in set(imported(node))) == STARTS_PROCESSES
    assert found(lambda node: called(node) in ("system", "popen", "spawnl", "execv")) == set()
    assert found(lambda node: isinstance(node, ast.keyword) and node.arg == "shell") == set()


def test_sql_is_written_in_few_places_and_never_by_the_orms_back_doors() -> None:
    """(`log.raw` is our own: a column as it is. What the ledger unites is composed by the ORM.)"""
    raw = found(lambda node: called(node) in ("raw", "extra", "RawSQL"))
    assert raw == {"ledger/pulse.py", "ledger/turns.py", "live/log.py", "live/pictures.py"}
    sources = "\n".join((PACKAGE / each).read_text("utf-8") for each in raw)
    calls = set(re.findall(r"[\w.)]*\b(?:raw|extra|RawSQL)\((?:\*united\()?", sources))
    assert calls == {"raw(", "log.raw(", ").raw(*united("}
    assert found(lambda node: called(node) in ("execute", "executemany")) == COMPOSES_STATEMENTS


def test_what_is_composed_by_hand_is_composed_of_constants() -> None:
    which_is_sql = {"exists": 2, "delete": 2, "execute": 1}
    seen = []

    def is_made_of_more(node: ast.AST) -> bool:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        if not isinstance(node.func.value, ast.Name) or node.func.value.id != "by_hand":
            return False
        seen.append(node)
        sql = node.args[which_is_sql[node.func.attr]]
        is_named = isinstance(sql, ast.Name) and sql.id.isupper()
        return not (is_named or isinstance(sql, ast.Constant))

    assert found(is_made_of_more) == set()
    assert len(seen) > 10


def test_text_is_called_safe_in_few_places_and_in_no_template() -> None:
    assert found(lambda node: called(node) in ("mark_safe", "SafeString")) <= MAKES_HTML
    templates = list((PACKAGE / "templates").rglob("*.*"))
    assert len(templates) > 20
    unsafe = re.compile(r"\|\s*safe|autoescape\s+off|<script(?![^>]*\bsrc=)|\son\w+=|style=")
    assert [each.name for each in templates if unsafe.search(each.read_text("utf-8"))] == []


def test_what_has_to_be_unguessable_is_not_made_by_chance_that_can_be_guessed() -> None:
    """`random` spreads pauses; ids of traces and tokens are `secrets` and Django's signing."""
    chance = found(lambda node: "random" in set(imported(node)))
    for module in chance:
        source = (PACKAGE / module).read_text("utf-8")
        assert set(re.findall(r"\brandom\.(\w+)", source)) == {"uniform"}, module


@pytest.mark.parametrize(
    ("source", "is_seen"),
    [("import pickle", True), ("from pickle import loads", True), ("from .pickle import x", False)],
)
def test_an_import_would_be_seen(source: str, is_seen: bool) -> None:
    parsed = ast.walk(ast.parse(source))
    assert any("pickle" in set(imported(node)) for node in parsed) is is_seen
