from __future__ import annotations

import ast
import inspect
import re
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import fields
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import OutputWrapper
from django.dispatch import Signal

from motia_django import Request, StateChange, signals
from motia_django.commands.base import Subcommand
from motia_django.conf import Settings
from motia_django.context import AsyncContext, BaseContext, Context
from motia_django.declarations import Reader, camel
from motia_django.loggers import Logger
from motia_django.management.commands.motia_steps import ALL
from motia_django.metrics.collector import MotiaCollector
from motia_django.steps import read_step
from motia_django.stores.face import State
from motia_django.triggers import KINDS
from motia_django.triggers.base import TriggerInfo
from tests.docs.pages import DOCS, ROOT, blocks, headings, prose, rows, section, words

SETTINGS = DOCS / "reference/settings.md"
CHECKS = DOCS / "reference/checks.md"
COMMANDS = DOCS / "reference/commands.md"
CONFIG = DOCS / "reference/config.md"
CONTEXT = DOCS / "reference/context.md"


# -- settings


def test_every_setting_has_a_heading_and_no_other_has() -> None:
    known = [each.name.upper() for each in fields(Settings)]
    assert headings(SETTINGS)[1:] == known


@pytest.mark.parametrize("name", [each.name for each in fields(Settings)])
def test_the_default_of_a_setting_is_the_one_that_is_printed(name: str) -> None:
    printed = re.search(r"^Default: `(.+)`$", section(SETTINGS, name.upper()), re.MULTILINE)
    assert printed
    assert ast.literal_eval(printed[1]) == getattr(Settings(), name)


# -- checks


def test_every_check_has_a_heading_and_no_other_has() -> None:
    sources = "".join(file.read_text() for file in (ROOT / "motia_django").rglob("*.py"))
    used = set(re.findall(r"motia\.[EWI]\d{3}", sources))
    assert used
    assert {each for each in headings(CHECKS) if each.startswith("motia.")} == used


# -- metrics


@pytest.mark.django_db
def test_every_metric_is_in_the_table_with_its_labels_and_no_other_is() -> None:
    table = section(DOCS / "observability.md", "Metrics")
    cells = [line.split("|") for line in table.splitlines() if line.startswith("| `motia_")]
    told = {
        name.strip(" `"): set(re.findall("`([a-z]+)`", labels)) for _, name, labels, *_ in cells
    }
    found: Any = MotiaCollector().collect()
    assert told == {each.name: set(each._labelnames) for each in found}


# -- signals


def test_every_signal_is_told_of() -> None:
    told = words(section(DOCS / "operating.md", "Telling other systems"))
    known = {name for name, each in vars(signals).items() if isinstance(each, Signal)}
    assert known
    assert known - told == set()


# -- commands


def options_of(subcommand: type[Subcommand]) -> set[str]:
    """Return the options of a subcommand."""
    parser = ArgumentParser()
    subcommand(OutputWrapper(StringIO())).add_arguments(parser)
    options = {option for action in parser._actions for option in action.option_strings}
    return options - {"-h", "--help"}


def test_every_subcommand_has_a_heading_and_no_other_has() -> None:
    assert headings(COMMANDS)[1:] == [each.name for each in ALL]


@pytest.mark.parametrize("subcommand", ALL, ids=lambda each: each.name)
def test_every_option_of_a_subcommand_is_told_of(subcommand: type[Subcommand]) -> None:
    told = section(COMMANDS, subcommand.name)
    assert {option for option in options_of(subcommand) if f"`{option}" not in told} == set()


@pytest.mark.django_db
def test_the_list_of_steps_looks_as_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    out = StringIO()
    call_command("motia_steps", "list", "--flow", "todos", stdout=out)
    printed = next(each.text for each in blocks(COMMANDS) if "list --flow todos" in each.text)
    assert printed.partition("\n")[2].strip() == out.getvalue().strip()


# -- config

TRIGGERS: dict[str, dict[str, Any]] = {
    "http": {"path": "/x"},
    "queue": {"topic": "x"},
    "cron": {"schedule": "@daily"},
    "state": {},
    "stream": {"streamName": "x"},
}
Taken = list[tuple[str, tuple[str, ...]]]


def keys_taken(config: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Taken]:
    """Return the keys, with their other names, that reading takes from each dict of a config."""
    taken: dict[str, Taken] = {"Step": [], "trigger": [], "Delivery": []}
    take: Callable[..., Any] = Reader.take

    def spy(self: Reader, name: str, parse: Any, *, also: Any = (), **options: Any) -> Any:
        is_trigger = "trigger" if self.place else "Step"
        where = "Delivery" if "config" in self.place else is_trigger
        taken[where].append((name, tuple(also)))
        return take(self, name, parse, also=also, **options)

    monkeypatch.setattr(Reader, "take", spy)
    module = SimpleNamespace(config=config, handler=lambda: None)
    step, problems = read_step(module, Path(__file__), "tests")
    assert step, problems
    return taken


def undocumented(keys: Taken, heading: str) -> list[str]:
    """Return the spellings of keys that no row of the section's table names."""
    told = set().union(*(words(row) for row in rows(section(CONFIG, heading))))
    spellings = {each for name, also in keys for each in (name, *also)}
    return sorted((spellings | set(map(camel, spellings))) - told)


def test_there_is_an_example_here_of_every_kind_of_trigger() -> None:
    assert set(TRIGGERS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_a_trigger_has_a_row(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"name": "X", "triggers": [{"type": kind, **TRIGGERS[kind]}]}
    assert undocumented(keys_taken(config, monkeypatch)["trigger"], kind) == []


def test_every_key_of_a_step_and_of_its_delivery_has_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trigger = {"type": "queue", "topic": "x", "config": {"maxRetries": 1}}
    taken = keys_taken({"name": "X", "triggers": [trigger]}, monkeypatch)
    assert len(taken["Delivery"]) > 1
    assert undocumented(taken["Step"], "Step") == []
    assert undocumented(taken["Delivery"], "Delivery") == []


# -- context


def public_names(*classes: type) -> set[str]:
    """Return the public names of classes, those of their slots and dataclass fields included."""
    names = {name for each in classes for name in dir(each)}
    return {name for name in names if not name.startswith("_") and name != "aliases"}


def test_everything_a_context_has_is_told_of() -> None:
    source = inspect.getsource(BaseContext)
    assigned = set(re.findall(r"self\.([a-z]\w*) = ", source))
    names = (public_names(Context, AsyncContext) | assigned) - {"get"}
    assert {name for name in names if not re.search(rf"`ctx\.{name}\b", prose(CONTEXT))} == set()


@pytest.mark.parametrize(
    ("of", "heading"),
    [(Request, "Request"), (StateChange, "A change of state"), (TriggerInfo, "ctx.trigger")],
)
def test_every_attribute_has_a_row(of: type, heading: str) -> None:
    told = " ".join(rows(section(CONTEXT, heading)))
    not_for_handlers = {"from_json", "to_json", "get"}
    missing = {name for name in public_names(of) if not re.search(rf"\b{name}\b", told)}
    assert missing - not_for_handlers == set()


def test_every_method_of_state_and_its_async_twin_is_told_of() -> None:
    methods = {name for name in public_names(State) if not name.startswith("a")}
    told = " ".join(rows(section(CONTEXT, "State")))
    assert {name for name in methods if f"`{name}(" not in told} == set()
    outside = section(CONTEXT, "Outside of handlers")
    every = public_names(State)
    assert {name for name in every if f"`state.{name}`" not in outside} == set()


def test_every_method_of_the_logger_is_told_of() -> None:
    told = words(section(CONTEXT, "The logger"))
    assert {name for name in public_names(Logger) if name not in told} == set()
