"""Reading what a Step file declares: every key in either spelling, every problem collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar, overload
from urllib.parse import urlsplit

from motia_django.exceptions import did_you_mean
from motia_django.sources import Place, Source, snake

T = TypeVar("T")
D = TypeVar("D")

NO_CONFIG = "motia.E002"
BAD_CONFIG = "motia.E003"
UNKNOWN_KEY = "motia.E004"
INVALID_VALUE = "motia.E005"
MISSING_KEY = "motia.E006"


class Mismatch(ValueError):
    """A value is not what its key takes; the text completes "expected ..."."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a Step file, as a person needs it to mend it."""

    id: str
    message: str
    hint: str = ""
    file: Path | None = None
    line: int | None = None
    place: Place = ()
    """Where in the config."""

    @property
    def where(self) -> str:
        """The file and the line, as editors and terminals link them: `path/to/x_step.py:12`."""
        if self.file is None:
            return ""
        return f"{self.file}:{self.line}" if self.line else str(self.file)

    def __str__(self) -> str:
        hint = f"\n        HINT: {self.hint}" if self.hint else ""
        return f"{self.where}: ({self.id}) {self.message}{hint}"


class Required(Enum):
    """Stands for "there is no default" where None is a default like any other."""

    REQUIRED = "required"


REQUIRED: Final = Required.REQUIRED


class Reader:
    """Takes the keys out of one dict of a declaration and collects what is wrong with them."""

    def __init__(self, raw: Mapping[str, Any], source: Source, place: Place = ()) -> None:
        self.source = source
        self.place = place
        self.problems: list[Problem] = []
        self.unread: list[Problem] | None = None
        """Where unknown keys are noted in an older dialect, in which they are no problem."""
        self._raw = raw
        self._spellings: dict[str, list[str]] = {}
        self._known: list[str] = []
        for key in raw:
            self._spellings.setdefault(snake(str(key)), []).append(key)

    @overload
    def take(self, name: str, parse: Callable[[Any], T], *, also: Sequence[str] = ()) -> T: ...

    @overload
    def take(
        self, name: str, parse: Callable[[Any], T], *, default: D, also: Sequence[str] = ()
    ) -> T | D: ...

    def take(
        self,
        name: str,
        parse: Callable[[Any], Any],
        *,
        default: Any = REQUIRED,
        also: Sequence[str] = (),
    ) -> Any:
        """Return the parsed value of the key `name` (snake_case) or of one of its other names.

        Without a `default` the key is required. A problem is noted, not raised; what is returned
        then is None, so check `problems` before the value is used.
        """
        self._known.append(name)
        found = self._spellings.get(name)
        if also:
            self._known += also
            found = [key for each in (name, *also) for key in self._spellings.get(each, ())]
        if not found:
            if default is not REQUIRED:
                return default
            self.problem(MISSING_KEY, f"{self._path()}: the key {camel(name)!r} is missing")
            return None
        if len(found) > 1:
            both = " and ".join(map(repr, found))
            self.problem(
                INVALID_VALUE, f"{self._path()}: {both} are two spellings of one key", key=found[1]
            )
        value = self._raw[found[0]]
        return None if value is None and default is None else self._parsed(found[0], value, parse)

    def nested(self, key: str | int, raw: Mapping[str, Any], *deeper: str | int) -> Reader:
        """Return a reader of a dict that stands inside this one, with the same list of problems."""
        inner = Reader(raw, self.source, (*self.place, key, *deeper))
        inner.problems, inner.unread = self.problems, self.unread
        return inner

    def spelling(self, name: str) -> str:
        """Return the key as the file spells it."""
        return self._spellings[name][0]

    def finish(self, subject: str) -> None:
        """Note every key that nobody took."""
        for name, keys in self._spellings.items():
            if name not in self._known:
                known = [camel(each) if each == snake(each) else each for each in self._known]
                self.problem(
                    UNKNOWN_KEY,
                    f"{self._path()}: unknown key {keys[0]!r} of {subject}",
                    did_you_mean(keys[0], [*known, *self._known]).strip()
                    or f"Known are {', '.join(sorted(set(known)))}.",
                    key=keys[0],
                )

    def problem(
        self, id: str, message: str, hint: str = "", *, key: str | int | None = None
    ) -> None:
        """Note a problem of this dict, or of one `key` in it."""
        place = self.place if key is None else (*self.place, key)
        unread = self.unread if id == UNKNOWN_KEY else None
        noted = self.problems if unread is None else unread
        noted.append(
            Problem(
                id=id,
                message=message,
                hint=hint,
                file=self.source.file,
                line=self.source.line(place),
                place=place,
            )
        )

    def _parsed(self, key: str, value: Any, parse: Callable[[Any], Any]) -> Any:
        try:
            return parse(value)
        except Mismatch as mismatch:
            message = f"{self._path(key)}: expected {mismatch}, got {value!r:.200}"
            self.problem(INVALID_VALUE, message, key=key)
            return None

    def _path(self, *more: str | int) -> str:
        parts = (
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in (*self.place, *more)
        )
        return self.source.config + "".join(parts)


def config_reader(module: Any, source: Source, hint: str, instead: str = "") -> Reader | Problem:
    """Return a reader of the module's `config`, or what is wrong: what is there `instead` of it."""
    config, file = getattr(module, "config", None), source.file
    if isinstance(config, Mapping):
        return Reader(config, source)
    if config is None:
        message = f"the file needs a top-level `config`{instead}"
        return Problem(id=NO_CONFIG, message=message, hint=hint, file=file, line=1)
    message = f"{source.config}: expected a dict, got {config!r:.100}"
    return Problem(id=BAD_CONFIG, message=message, file=file, line=source.line(()))


def misspelt(module: Any, name: str) -> str:
    """Return "; there is 'handlr'" if a module has a name that may be meant, or an empty string."""
    if hasattr(module, name):
        return ""
    near = get_close_matches(name, dir(module), n=1, cutoff=0.75)
    return f"; there is {near[0]!r}" if near else ""


def camel(name: str) -> str:
    """Return the camelCase spelling of a snake_case name."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def text(value: Any) -> str:
    """Parse a string that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise Mismatch("a string that is not empty")
    return value


def name_up_to(most: int) -> Callable[[Any], str]:
    """Return a parser of a string that is not empty and has at most so many characters."""

    def parse(value: Any) -> str:
        if len(text(value)) > most or not value.isprintable():
            raise Mismatch(f"a string of at most {most} characters, all of them printable")
        return text(value)

    return parse


def any_text(value: Any) -> str:
    """Parse a string."""
    if not isinstance(value, str):
        raise Mismatch("a string")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Parse a list of strings."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise Mismatch("a list of strings")
    return tuple(value)


def web_address(value: Any) -> str:
    """Parse an http or https URL, whole and on one line, so that it can be a link."""
    expected = (
        'a URL such as "https://wiki.example.com/runbook", beginning with http:// or https://'
    )
    if not isinstance(value, str) or len(value) > 2000:
        raise Mismatch(expected)
    try:
        parts = urlsplit(value)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError as error:
        raise Mismatch(expected) from error
    if not is_whole or not value.isprintable() or any(map(str.isspace, value)):
        raise Mismatch(expected)
    return value


def boolean(value: Any) -> bool:
    """Parse True or False."""
    if not isinstance(value, bool):
        raise Mismatch("True or False")
    return value


def whole_number(value: Any) -> int:
    """Parse an integer from 0 up."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Mismatch("a whole number, 0 or greater")
    return value


def number(value: Any) -> float:
    """Parse a number from 0 up."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e10:
        raise Mismatch("a number, 0 or greater")
    return value


def positive_number(value: Any) -> float:
    """Parse a number greater than 0."""
    if number(value) == 0:
        raise Mismatch("a number greater than 0")
    return number(value)


def one_of(*known: str) -> Callable[[Any], str]:
    """Return a parser of one of these words, whatever their case."""

    def parse(value: Any) -> str:
        for word in known:
            if isinstance(value, str) and value.lower() == word.lower():
                return word
        hint = did_you_mean(value, known).strip() if isinstance(value, str) else ""
        raise Mismatch(f"one of {', '.join(known)}" + (f" (d{hint[1:-1]}?)" if hint else ""))

    return parse
