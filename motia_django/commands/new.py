"""`new`: a Step file to begin with, and its test; for a stream that is new, its file too."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from django.apps import AppConfig, apps
from django.core.management.base import CommandError

from motia_django.commands import new_http
from motia_django.commands.base import Subcommand
from motia_django.registry import registry
from motia_django.sources import near
from motia_django.triggers.cron import CronExpression
from motia_django.triggers.http import METHODS

KINDS = ("http", "queue", "cron", "state", "stream")
_KIND_OF = {
    "path": "http",
    "method": "http",
    "topic": "queue",
    "schedule": "cron",
    "group": "state",
    "stream": "stream",
}
"""The options that are of one kind of trigger."""
_SENDING = '    ctx.enqueue({{"topic": {}, "data": {{"id": ctx.run_id}}}})\n'


class New(Subcommand):
    """`motia_steps new <name> --trigger ...`."""

    name = "new"
    help = "Write a Step file and its test."
    needs_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "step_name", metavar="step", help="the Step's name, such as CreateInvoice"
        )
        parser.add_argument("--trigger", choices=KINDS, default="http")
        parser.add_argument("--app", help="the label of the Django app it goes into")
        parser.add_argument("--path", help="of an http Step; default: /<step-name>")
        parser.add_argument(
            "--method", type=str.upper, choices=METHODS, help="of an http Step; default: POST"
        )
        parser.add_argument("--topic", help="of a queue Step; default: <step.name>")
        parser.add_argument(
            "--schedule", type=_schedule, help="of a cron Step; default: 0 * * * *, hourly"
        )
        parser.add_argument("--group", help="of state, of a state Step; default: orders")
        parser.add_argument("--stream", help="of a stream Step; default: orders")
        parser.add_argument(
            "--enqueues", metavar="TOPIC", action="append", default=[], help="what it sends; again"
        )

    def run(self, options: Mapping[str, Any]) -> None:
        _refuse_others(options)
        words = _words(options["step_name"])
        config = chosen_app(options.get("app"))
        if options["step_name"] in registry():
            raise CommandError(f"There is a Step named {options['step_name']!r} already.")
        texts = {"name": options["step_name"]} | {
            option: options.get(option) or usual for option, usual in _usual(words).items()
        }
        templates = _files(Path(config.path), "_".join(words), options["trigger"], texts["stream"])
        for file in templates:
            if file.exists():
                raise CommandError(f"{near(file)} exists already; nothing was written.")
        values = {key: _quoted(text)[1:-1] for key, text in texts.items()} | {
            "class_name": _class_name(words),
            "topics": _quoted(options["enqueues"]),
            "sending": "".join(_SENDING.format(_quoted(each)) for each in options["enqueues"]),
        }
        if options["trigger"] == "http":
            values |= new_http.values(
                values["name"], values["class_name"], values["method"], values["path"]
            )
        for file, template in templates.items():
            self._write(file, template, values)

    def _write(self, file: Path, template: str, values: Mapping[str, str]) -> None:
        source = files("motia_django.commands").joinpath("templates", template).read_text("utf-8")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(Template(source).substitute(values), "utf-8")
        self.say(f"wrote {near(file)}")


def _refuse_others(options: Mapping[str, Any]) -> None:
    """Raise `CommandError` for an option of another trigger: left out, another Step would do."""
    for option, kind in _KIND_OF.items():
        if options.get(option) is not None and kind != options["trigger"]:
            raise CommandError(
                f"--{option} is an option of --trigger {kind}, got --trigger {options['trigger']}",
                returncode=2,
            )


def _usual(words: Sequence[str]) -> dict[str, str]:
    """Return what the options are that nobody gives, of a Step whose name is of these words."""
    return {
        "path": f"/{'-'.join(words)}",
        "method": "POST",
        "topic": ".".join(words),
        "schedule": "0 * * * *",
        "group": "orders",
        "stream": "orders",
    }


def _files(app: Path, name: str, kind: str, stream: str) -> dict[Path, str]:
    """Return the files that are to be written, each with its template."""
    templates = {
        app / "steps" / f"{name}_step.py": f"{kind}_step.py.tpl",
        _tests_folder(app) / f"test_{name}_step.py": f"test_{kind}_step.py.tpl",
    }
    if kind == "stream" and stream not in registry().streams:
        templates[app / "streams" / f"{'_'.join(_words(stream))}_stream.py"] = "stream.py.tpl"
    return templates


def _words(name: str) -> list[str]:
    """Split `CreateInvoice` or `create invoice` into lower-case words."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)
    if not words:
        raise CommandError(f"{name!r}: expected a name such as CreateInvoice", returncode=2)
    return [word.lower() for word in words]


def _schedule(text: str) -> str:
    """Return a cron expression as it was written, if it is one."""
    try:
        return CronExpression.parse(text).text
    except ValueError as error:
        raise ArgumentTypeError(
            f"expected a cron expression, got {text!r:.100}: {error}"
        ) from error


def _class_name(words: Sequence[str]) -> str:
    """Return what a class of these words is called; no name begins with a digit."""
    name = "".join(word.capitalize() for word in words)
    return name if name.isidentifier() else f"Step{name}"


def _quoted(value: Any) -> str:
    """Return a text, or a list of texts, as Python reads it."""
    return json.dumps(value, ensure_ascii=False)


def chosen_app(label: str | None) -> AppConfig:
    """Return the app that files go into: the one asked for, or the project's only one."""
    if label:
        try:
            return apps.get_app_config(label)
        except LookupError as error:
            raise CommandError(str(error)) from error
    own = [config for config in apps.get_app_configs() if _is_the_projects(config)]
    if len(own) != 1:
        labels = ", ".join(config.label for config in own) or "none of the project's own"
        raise CommandError(f"Say which app it goes into with --app: {labels}.", returncode=2)
    return own[0]


def _is_the_projects(config: AppConfig) -> bool:
    return "site-packages" not in Path(config.path).parts and config.label != "motia"


def _tests_folder(app: Path) -> Path:
    """Return the app's package of tests, or the app itself: a new package would hide a tests.py."""
    tests = app / "tests"
    return tests if tests.is_dir() else app
