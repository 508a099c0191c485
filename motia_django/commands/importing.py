"""`import`: a Motia project's Steps and streams copied into an app, and what is left to do."""

from __future__ import annotations

import importlib
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

from django.core import checks
from django.core.management.base import CommandError

from motia_django.checks import usual
from motia_django.commands.base import Subcommand, add_format
from motia_django.commands.new import chosen_app
from motia_django.commands.steps import described_message
from motia_django.discovery import discover
from motia_django.exceptions import ImportRefused
from motia_django.importing import plan
from motia_django.importing.folder import printable
from motia_django.importing.plan import Deed, Item, Plan
from motia_django.importing.remarks import remarks
from motia_django.importing.writing import write
from motia_django.registry import installed


class Import(Subcommand):
    """`motia_steps import <folder>`."""

    name = "import"
    help = "Copy a Motia project's Steps and streams into an app, and say what is left to you."
    needs_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="the Motia project's root")
        parser.add_argument("--app", help="the label of the Django app it goes into")
        parser.add_argument(
            "--skeletons",
            action="store_true",
            help="write a Python file, without its handler, for each Step in another language",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument(
            "--or-nothing",
            action="store_true",
            help="take all of it away again if the project has errors with it",
        )
        add_format(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        app = Path(chosen_app(options.get("app")).path)
        try:
            found = plan.made(options["folder"], app, skeletons=options["skeletons"])
        except ImportRefused as error:
            raise CommandError(str(error), returncode=2) from error
        is_done = not options["dry_run"] and not found.of(Deed.REFUSED)
        done = _Done(found) if is_done else None
        if done and options["or_nothing"] and done.errors:
            done.undo()
        if options["format"] == "json":
            self.json(_described(found, done))
        else:
            self._report(found, options)
            if done:
                self._tell(app, done)
        _fail_if_any(found, done)
        if options["dry_run"] and options["format"] != "json":
            self.say("", "Nothing was written, since this was a dry run.")

    def _report(self, found: Plan, options: Mapping[str, Any]) -> None:
        """Say what is done, file by file, and what a person has to know of each."""
        for item in found.items:
            self.say(f"{item.deed:9} {_shown(item)}")
            for note in item.notes:
                self.say(f"{'':12}{printable(note)}")
            if options["dry_run"] and item.deed is Deed.SKELETON:
                self.say(*indent(item.text.decode().rstrip("\n"), " " * 14).split("\n"))
        if found.others:
            self.say(f"{'':9} and {_counted(found.others, 'other file')}, not imported by any")
        scripts = len(found.of(Deed.SCRIPT))
        if scripts and not options["skeletons"]:
            self.say(
                "",
                f"{scripts} in TypeScript or JavaScript: --skeletons writes what Python their"
                " configs say already.",
            )

    def _tell(self, app: Path, done: _Done) -> None:
        """Say what was written, and what the project makes of it."""
        steps, streams = _counted(done.steps, "Step"), _counted(done.streams, "stream")
        self.say("", f"Written into {app}: {_counted(len(done.written), 'file')}.")
        self.say(f"What is there of this project loads as {steps} and {streams}.")
        for remark in done.remarks:
            self.say("", remark)
        for each in done.messages:
            kind = "ERROR" if each.level >= checks.ERROR else "WARNING"
            self.say("", *f"{kind}  {each}".split("\n"))


class _Done:
    """What was written, and what the project makes of it: all Steps loaded anew, and checked."""

    def __init__(self, found: Plan) -> None:
        with installed(discover()):
            before = set(map(str, _said()))
        self._write(found)
        importlib.invalidate_caches()
        files = {each.target for each in found.of(Deed.COPY, Deed.SKELETON, Deed.SAME)}
        with installed(discover()) as known:
            said = _said()
        own = set(map(str, files))
        self.messages = [each for each in said if _file_of(each) in own or str(each) not in before]
        self.errors = sum(each.level >= checks.ERROR for each in self.messages)
        steps = [each for each in known if each.file in files]
        self.steps = len(steps)
        self.streams = sum(each.file in files for each in known.streams.values())
        self.remarks = list(remarks(steps))

    def _write(self, found: Plan) -> None:
        items = found.of(Deed.COPY, Deed.SKELETON)
        texts = [(item.target, item.text) for item in items if item.target is not None]
        try:
            self._take_away = write(texts)
        except ImportRefused as error:
            raise CommandError(str(error)) from error
        self.written = [target for target, _ in texts]

    def undo(self) -> None:
        """Take away what was written."""
        self._take_away()
        self.written = []


def _said() -> list[checks.CheckMessage]:
    return usual(None)


def _file_of(message: checks.CheckMessage) -> str:
    where = str(message.obj or "")
    file, _, line = where.rpartition(":")
    return file if line.isdigit() else where


def _fail_if_any(found: Plan, done: _Done | None) -> None:
    refused = len(found.of(Deed.REFUSED))
    if refused:
        raise CommandError(
            f"{_counted(refused, 'file')} cannot be imported, so nothing was written"
        )
    if done and done.errors:
        stays = "what was imported stays" if done.written else "so nothing was kept"
        raise CommandError(f"{_counted(done.errors, 'error')} with the imported files; {stays}")


def _shown(item: Item) -> str:
    """Return a file, and where it goes if that is elsewhere than in the project."""
    source = printable(item.source)
    if item.target is None:
        return source
    place = Path(*item.target.parts[-len(item.source.parts) :])
    return source if place == item.source else f"{source} as {printable(place)}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def _described(found: Plan, done: _Done | None) -> dict[str, Any]:
    return {
        "written": [str(each) for each in done.written] if done else [],
        "files": [_described_item(each) for each in found.items],
        "others": found.others,
        "remarks": done.remarks if done else [],
        "problems": [described_message(each) for each in done.messages] if done else [],
    }


def _described_item(item: Item) -> dict[str, Any]:
    is_script = item.deed in (Deed.SCRIPT, Deed.SKELETON)
    return {
        "file": printable(item.source),
        "deed": str(item.deed),
        "target": item.target and printable(item.target),
        "notes": [printable(each) for each in item.notes],
        "skeleton": item.text.decode() if is_script and item.text else None,
    }
