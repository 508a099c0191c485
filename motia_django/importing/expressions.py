"""The values that a TypeScript or JavaScript file gives its constants, as far as they are plain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from motia_django.importing.tokens import CLOSING, OPENING, Token, tokens, unquoted

_DEEPEST = 100
"""How many brackets may lie in each other."""
_LONGEST_TYPE = 200
"""How many words a constant's type may have."""
_DECLARING = frozenset({"const", "let", "var"})
_PLAIN: dict[str, Any] = {"true": True, "false": False, "null": None, "undefined": None}
_UNREADABLE = frozenset({"async", "await", "class", "function", "new", "typeof", "void", "yield"})
_OF_METHODS = frozenset({"async", "get", "set"})
"""What may stand before the name of a method in an object."""
_TYPED = frozenset({"as", "satisfies", "!"})
_CONTINUING = frozenset("+-*/%&|^<>=?:") | {"&&", "||", "??", "**", "=>", "==", "===", "!=", "!=="}
"""With what a line goes on with the value of the line before."""
_PLACE = re.compile(r"\$\{\s*([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)\s*\}")
"""A name in a template: `${API.BASE}`."""
_END = Token("end", "", 0, 0, True)


@dataclass(frozen=True, slots=True)
class Name:
    """What a name stands for."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """`of.name`."""

    of: Any
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`."""

    function: Any
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """What is not plain, as it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class Regex:
    """`/^a+$/`, without flags."""

    text: str


@dataclass(frozen=True, slots=True)
class Joined:
    """`a + "b"`, or `` `${a}b` ``."""

    parts: tuple[Any, ...]
    text: str
    """How it is written."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The key of `...value` in an object."""

    at: int


@dataclass(frozen=True, slots=True)
class Rest:
    """`...of` in a list."""

    of: Any


def constants(source: str) -> dict[str, Any]:
    """Return what the names at the top of a file stand for, those of later lines last."""
    reader = Reader(source)
    found: dict[str, Any] = {}
    for name, at in _declared(reader.tokens):
        value = reader.value_at(at)
        if value != Name(name):  # as in `exports.config = config`
            found[name] = value
    return found


def _declared(words: list[Token]) -> Iterator[tuple[str, int]]:
    """Yield the names that are given a value outside of all brackets, and where it begins."""
    depth = 0
    is_list = False
    """Whether a comma is followed by another name of one `const`."""
    for at, word in enumerate(words):
        depth += (word.text in OPENING) - (word.text in CLOSING)
        if depth == 0 and word.text == ";":
            is_list = False
        if depth != 0 or word.kind != "name":
            continue
        before = words[at - 1].text if at else ""
        if word.begins_a_line and before != ",":
            is_list = False
        is_list = is_list or word.text in _DECLARING
        is_next = is_list and before == ","
        begin = _after_type(words, at + 1) if is_next else _begin(words, at, before)
        if begin < len(words):
            yield word.text, begin


def _begin(words: list[Token], at: int, before: str) -> int:
    """Return where the value of a name begins; behind all words if it is given none."""
    text = words[at].text
    if before == "enum" or (text == "default" and before == "export"):
        return at + 1
    if before in _DECLARING and text != "enum":
        return _after_type(words, at + 1)
    return at + 2 if before == "." and _text(words, at + 1) == "=" else len(words)


def _after_type(words: list[Token], at: int) -> int:
    """Return where the value of a constant begins, behind its type, if it has one."""
    depth = 0
    end = min(len(words), at + _LONGEST_TYPE)
    while at < end and not (depth == 0 and words[at].text in ("=", ";", ",")):
        text = words[at].text
        depth += (text in OPENING or text == "<") - (text in CLOSING or text == ">")
        at += 1
    return at + 1 if _text(words, at) == "=" else len(words)


def _text(words: list[Token], at: int) -> str:
    return words[at].text if at < len(words) else ""


class Reader:
    """Reads one value after another; what it does not know it passes over as `Unread`."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokens(source)
        self._at = 0
        self._depth = 0

    def value_at(self, at: int) -> Any:
        """Return the value that begins at a word."""
        self._at, self._depth = at, 0
        return self._value()

    def _value(self) -> Any:
        begin = self._at
        found = self._joined(begin)
        if self._word.text in _TYPED:
            self._pass_over(has_types=True)
        elif isinstance(found, Unread) or not self._is_over():
            self._pass_over()
            return Unread(self._text_between(begin, self._at))
        return found

    def _joined(self, begin: int) -> Any:
        """Return one value, or what several make with `+` between them."""
        parts = [self._behind(self._primary())]
        while self._word.text == "+" and not isinstance(parts[-1], Unread):
            self._at += 1
            parts.append(self._behind(self._primary()))
        if any(isinstance(each, Unread) for each in parts):
            return Unread(self._text_between(begin, self._at))
        text = self._text_between(begin, self._at)
        return parts[0] if len(parts) == 1 else Joined(tuple(parts), text)

    def _primary(self) -> Any:
        word = self._word
        if word.kind == "mark":
            return self._bracketed(word.text)
        self._at += 1
        if word.kind == "text":
            return unquoted(word.text)
        if word.kind == "template":
            return _filled(word.text)
        if word.kind == "number":
            return _number(word.text)
        if word.kind == "regex" and word.text.endswith("/"):
            return Regex(word.text)
        if word.kind == "name" and word.text not in _UNREADABLE:
            return _PLAIN[word.text] if word.text in _PLAIN else Name(word.text)
        return Unread(word.text)

    def _bracketed(self, mark: str) -> Any:
        if mark not in (*OPENING, "-") or self._depth >= _DEEPEST:
            return Unread(mark)
        self._at += 1
        if mark == "-":
            number = self._primary() if self._word.kind == "number" else Unread("-")
            return number if isinstance(number, Unread) else -number
        self._depth += 1
        if mark == "[":
            found: Any = self._list("]")
        elif mark == "{":
            found = self._object()
        else:
            inside = self._list(")")
            found = inside[0] if len(inside) == 1 else Unread("(")
        self._depth -= 1
        return found

    def _behind(self, found: Any) -> Any:
        """Return a value with the members and calls that follow it."""
        while True:
            word = self._word
            if word.text in (".", "?."):
                found = Member(found, self._next.text)
                self._at += 2
            elif word.text == "[" and self._next.kind == "text" and self._ahead(2).text == "]":
                found = Member(found, unquoted(self._next.text))
                self._at += 3
            elif word.text == "(" and not (self._depth == 0 and word.begins_a_line):
                self._at += 1
                self._depth += 1
                found = Call(found, tuple(self._list(")")))
                self._depth -= 1
            else:
                return found

    def _list(self, end: str) -> list[Any]:
        """Return the values up to a closing bracket."""
        found: list[Any] = []
        while self._word.text not in (end, ""):
            is_spread = self._word.text == "..."
            self._at += is_spread
            value = self._value()
            found.append(Rest(value) if is_spread else value)
            if self._word.text != end:
                self._at += 1
        self._at += 1
        return found

    def _object(self) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while self._word.text not in ("}", ""):
            if self._word.text == "...":
                self._at += 1
                found[Spread(len(found))] = self._value()
            else:
                key, value = self._entry()
                found[key] = value
            if self._word.text != "}":
                self._at += 1
        self._at += 1
        return found

    def _entry(self) -> tuple[Any, Any]:
        is_method = self._word.text in _OF_METHODS and self._next.kind == "name"
        self._at += is_method
        word = self._word
        self._at += 1
        key: Any = word.text
        if word.kind == "text":
            key = unquoted(word.text)
        elif word.kind == "number":
            key = _number(word.text)
        elif word.text == "[":
            key = self._computed()
        if self._word.text in (":", "="):  # as in an enum
            self._at += 1
            return key, self._value()
        if self._word.text in (",", "}") and word.kind == "name":
            return key, Name(key)
        self._pass_over()
        return key, Unread("a function, or a key that is not plain")

    def _computed(self) -> Any:
        """Return the key that stands in brackets: `["201"]`."""
        inside = self._list("]")
        is_plain = len(inside) == 1 and isinstance(inside[0], str | int)
        return inside[0] if is_plain else "[...]"

    def _text_between(self, begin: int, end: int) -> str:
        """Return the beginning of some words as they are written, on one line."""
        words = self.tokens[begin : min(end, begin + 50)]
        text = self.source[words[0].start : words[-1].end] if words else ""
        return " ".join(text.split())[:200]

    def _pass_over(self, *, has_types: bool = False) -> None:
        """Go on to the end of a value: to a comma, a closing bracket, or a line's end outside."""
        depth = 0
        while self._word.text and not (depth == 0 and self._is_over(has_types)):
            text = self._word.text
            depth += (text in OPENING) - (text in CLOSING)
            depth += ((text == "<") - (text == ">")) if has_types else 0
            self._at += 1

    def _is_over(self, has_types: bool = False) -> bool:
        word = self._word
        is_new = word.begins_a_line and word.text not in _CONTINUING
        outside = self._depth == 0 and is_new and not has_types
        return outside or word.text in (",", ";", "") or word.text in CLOSING

    @property
    def _word(self) -> Token:
        return self._ahead(0)

    @property
    def _next(self) -> Token:
        return self._ahead(1)

    def _ahead(self, by: int) -> Token:
        at = self._at + by
        return self.tokens[at] if at < len(self.tokens) else _END


def _filled(template: str) -> Joined | Unread:
    """Return a template with names in it; `Unread` if it has more than names."""
    texts, names = (_PLACE.split(template[1:-1])[each::2] for each in (0, 1))
    if "\\$" in template or any("${" in each for each in texts):
        return Unread(template)
    parts: list[Any] = [unquoted(f"`{texts[0]}`")]
    for name, text in zip(names, texts[1:], strict=True):
        first, *members = name.split(".")
        found: Any = Name(first)
        for member in members:
            found = Member(found, member)
        parts += [found, unquoted(f"`{text}`")]
    return Joined(tuple(parts), template)


def _number(text: str) -> int | float:
    plain = text.replace("_", "")
    return int(plain) if plain.isdigit() else float(plain)
