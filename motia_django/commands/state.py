"""`state`: look at the state and change it, with JSON in and out."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError
from django.utils.text import Truncator

from motia_django import masks, payloads
from motia_django.commands.base import Subcommand, add_format, how_many, parsed_json
from motia_django.commands.runs import use_broker_of_dev
from motia_django.exceptions import (
    InvalidInput,
    InvalidKey,
    InvalidOption,
    MotiaError,
    PayloadError,
)
from motia_django.moments import utc
from motia_django.stores.face import state

_PAGE = 100
_SHOWN = 100
"""Characters of a value that a table shows."""


class State(Subcommand):
    """`motia_steps state get|set|list|delete|groups`."""

    name = "state"
    help = "See the state, and change it: the Steps that watch it are started."

    def add_arguments(self, parser: ArgumentParser) -> None:
        words = parser.add_subparsers(dest="action", metavar="action", required=True)
        for name, (help, declare) in _ACTIONS.items():
            declare(words.add_parser(name, help=help, description=help))

    def run(self, options: Mapping[str, Any]) -> None:
        use_broker_of_dev()
        try:
            getattr(self, f"_{options['action']}")(options)
        except (InvalidInput, InvalidKey, InvalidOption, PayloadError) as error:
            raise CommandError(str(error), returncode=2) from error
        except MotiaError as error:
            raise CommandError(str(error)) from error

    def _get(self, options: Mapping[str, Any]) -> None:
        group, key = options["in_group"], options["item"]
        item = state.get_item(group, key)
        if item is None:
            raise CommandError(f"There is no item {group}/{key}")
        if options.get("format") == "json":
            facts = {
                "version": item.version,
                "expires_at": item.expires_at and utc(item.expires_at),
            }
            self.json({"key": item.key, "value": item.value, **facts})
        else:
            self.json(item.value)

    def _set(self, options: Mapping[str, Any]) -> None:
        group, key, text = options["in_group"], options["item"], options["value"]
        typed = parsed_json(_standard_input() if text == "-" else text, "value")
        value = masks.without(typed, "value")
        ttl, version = options.get("ttl"), options.get("if_version")
        changed = state.set(group, key, value, ttl=ttl, if_version=version)
        if options.get("format") == "json":
            self.json(changed)
        else:
            self.say(f"{group}/{key} is set; it has version {changed['version']} now.")

    def _list(self, options: Mapping[str, Any]) -> None:
        limit = options.get("limit")
        page = state.items(options["in_group"], after=options.get("after"), limit=limit)
        if options.get("format") == "json":
            self.json([{"key": key, "value": value} for key, value in page])
            return
        if not page:
            after = f" after {options['after']!r}" if options.get("after") else ""
            self.say(f"There is no item in the group {options['in_group']!r}{after}.")
            return
        self.table(("KEY", "VALUE"), [(repr(key)[1:-1], _shown(value)) for key, value in page])
        if len(page) == limit:
            self.say("", f"There may be more: --after {page[-1][0]!r}, or a larger --limit.")

    def _delete(self, options: Mapping[str, Any]) -> None:
        group, key = options["in_group"], options["item"]
        item = state.get_item(group, key)
        if item is None and not options.get("if_version"):
            raise CommandError(f"There is no item {group}/{key}")
        old = state.delete(group, key, if_version=options.get("if_version"))
        if options.get("format") == "json":
            self.json({"old_value": old})
        else:
            self.say(f"{group}/{key} is deleted.")

    def _groups(self, options: Mapping[str, Any]) -> None:
        groups = state.list_groups()
        if options.get("format") == "json":
            self.json(groups)
        elif not groups:
            self.say("There is no item of state.")
        else:
            self.table(("GROUP",), [(repr(group)[1:-1],) for group in groups])


def _standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise CommandError(f"value: standard input is no text: {error}", returncode=2) from error


def _shown(value: Any) -> str:
    return Truncator(payloads.dumps(value)).chars(_SHOWN)


def _item(parser: ArgumentParser) -> None:
    parser.add_argument("in_group", metavar="group")
    parser.add_argument("item", metavar="key")
    add_format(parser)


def _written(parser: ArgumentParser) -> None:
    _item(parser)
    parser.add_argument(
        "--if-version", type=int, help="only if the item has this version, 0 if it is not there"
    )


def _value(parser: ArgumentParser) -> None:
    _written(parser)
    parser.add_argument("value", help="JSON; - reads it from standard input")
    parser.add_argument("--ttl", type=float, help="seconds after which it is not there any more")


def _group(parser: ArgumentParser) -> None:
    parser.add_argument("in_group", metavar="group")
    parser.add_argument("--after", help="only the keys that come after this one")
    parser.add_argument(
        "--limit", type=how_many, default=_PAGE, help=f"how many, {_PAGE} by default"
    )
    add_format(parser)


_ACTIONS = {
    "get": ("Print an item's value.", _item),
    "set": ("Write an item.", _value),
    "list": ("List the items of a group, in the order of their keys.", _group),
    "delete": ("Delete an item.", _written),
    "groups": ("List the groups that hold an item.", add_format),
}
