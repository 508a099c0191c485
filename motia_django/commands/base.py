"""What every subcommand is, and how it speaks to people and to machines."""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
from abc import ABC, abstractmethod
from argparse import (
    SUPPRESS,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    _StoreAction,
    _SubParsersAction,
)
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

from django.core.management.base import (
    CommandError,
    CommandParser,
    OutputWrapper,
    SystemCheckError,
)
from django.utils.timezone import get_current_timezone_name

from motia_django import payloads
from motia_django.lines import escaped, spelled_out

_DJANGOS = {
    "subcommand", "skip_checks", "stdout", "stderr", "verbosity", "settings", "pythonpath",
    "traceback", "no_color", "force_color",
}  # fmt: skip
"""The options that every command may be given."""
_MOST_ROWS = 10**12


class Subcommand(ABC):
    """One word after `manage.py motia_steps`.

    It ends with exit code 0 when it did what was asked, 1 when that failed or problems were found,
    2 when the command line was wrong.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    needs_checks: ClassVar[bool] = True
    """Whether problems of Step files and settings stop it, as they stop Django's own commands."""
    tells_warnings: ClassVar[bool] = False
    """Whether it prints, when it starts, what those checks only warn of."""

    def __init__(self, out: OutputWrapper) -> None:
        self.out = out

    def add_arguments(self, parser: ArgumentParser) -> None:  # noqa: B027
        """Declare the subcommand's arguments, if it takes any."""

    @abstractmethod
    def run(self, options: Mapping[str, Any]) -> None:
        """Do it; raise `CommandError` with what went wrong and the exit code."""

    def say(self, *lines: object) -> None:
        """Print lines for people, none of which can end or change another, whatever is in it."""
        for line in lines:
            self.out.write(spelled_out(line))

    def table(self, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print rows in aligned columns, which a tab in a cell would shift."""
        shown = ((spelled_out(cell) for cell in row) for row in (head, *rows))
        texts = [[cell.replace("\t", r"\t") for cell in row] for row in shown]
        widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
        for row in texts:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.say("  ".join(cells).rstrip())

    def json(self, value: Any) -> None:
        """Print JSON, which a terminal may be shown, too."""
        text = json.dumps(payloads.plain(value), indent=2, ensure_ascii=False)
        self.out.write(escaped(text))


def add_format(parser: ArgumentParser) -> None:
    """Add `--format table|json`."""
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="for people, or for machines"
    )


def how_many(text: str) -> int:
    """Parse the number of a `--limit`: more rows than any table has are as many as that."""
    with suppress(ValueError):
        number = int(text)
        if number >= 1:
            return min(number, _MOST_ROWS)
    raise ArgumentTypeError(f"expected a whole number of at least 1, got {text!r:.100}")


def operator() -> str:
    """Return who gives the command, for timelines and logs."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container may run as a user without a name
        user = f"uid {os.getuid()}"
    return f"motia_steps ({user}@{socket.gethostname()})"


def add_djangos_options(parser: ArgumentParser) -> None:
    """Let Django's own options stand behind the subcommand as well, where people write them."""
    own: dict[str, dict[str, Any]] = {
        "-v": {"dest": "verbosity", "type": int, "choices": range(4)},
        "--verbosity": {"type": int, "choices": range(4)},
        "--settings": {},
        "--pythonpath": {},
        "--traceback": {"action": "store_true"},
        "--no-color": {"action": "store_true"},
        "--force-color": {"action": "store_true"},
    }
    for option, how in own.items():
        if option not in parser._option_string_actions:
            parser.add_argument(option, **how, default=SUPPRESS, help=SUPPRESS)


class _Once(_StoreAction):
    """Takes a value, and no second one: which of them is meant nobody knows."""

    def __call__(
        self, parser: Any, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        if option_string and getattr(namespace, self.dest, self.default) is not self.default:
            parser.error(f"{option_string} is given twice")
        super().__call__(parser, namespace, values, option_string)


class SubcommandParser(CommandParser):
    """Parses a subcommand's arguments, and refuses them with the subcommand's own usage."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})
        self.register("action", None, _Once)
        self.register("action", "store", _Once)

    def parse_known_args(  # type: ignore[override]
        self, args: Any = None, namespace: Any = None
    ) -> tuple[Namespace, list[str]]:
        """Parse them; what is left would be refused with the usage of all subcommands."""
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"unrecognized arguments: {' '.join(left)}")
        return found, left

    def error(self, message: str) -> Any:
        """Refuse them: with exit code 2, or by `CommandError` where a program called."""
        super().error(spelled_out(message))


def zone() -> str:
    """Return the name of the time zone that times are told in, for the head of what is shown."""
    return get_current_timezone_name()


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Let no error end its line, whatever data it speaks of; Django's checks say theirs in many."""
    try:
        yield
    except SystemCheckError:
        raise
    except CommandError as error:
        error.args = (spelled_out(error),)
        raise


@contextmanager
def quiet_if_nobody_reads() -> Iterator[None]:
    """End by exit code 1, without a word, if who reads the output has gone, as `head` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would write what is left once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def names_of(parser: ArgumentParser) -> set[str]:
    """Return the names of a parser's options, and of those of the parsers within it."""
    names: set[str] = set()
    for action in parser._actions:
        names.add(action.dest)
        if isinstance(action, _SubParsersAction):
            names = names.union(*map(names_of, action.choices.values()))
    return names


def refuse_others(options: Mapping[str, Any], known: Set[str] | None) -> None:
    """Raise `CommandError` for an option of another subcommand, as `call_command` hands them on.

    Left out, as of `prune` a `step`, it would widen what is done.
    """
    if known is None:
        return
    for name, value in options.items():
        if value is not None and name not in known and name not in _DJANGOS:
            text = f"{options.get('subcommand')} takes no {name}, got {value!r:.200}"
            raise CommandError(text, returncode=2)


def refuse_unreadable(options: Mapping[str, Any]) -> None:
    """Raise `CommandError` for an argument that is no text, which no database could look for.

    A shell hands on bytes that are not UTF-8, and Python makes lone surrogates of them.
    """
    for name, value in options.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and payloads.plain_text(text) != text:
                raise CommandError(
                    f"{name}: expected text in UTF-8, got {text!r:.200}", returncode=2
                )


def parsed_json(text: str, option: str) -> Any:
    """Return the JSON given as an option; raise `CommandError` that shows where it is wrong."""
    try:
        return payloads.loads(text)
    except ValueError as error:
        raise CommandError(
            f'{option}: expected JSON such as \'{{"title": "x"}}\', got {text!r:.200}: {error}',
            returncode=2,
        ) from error
