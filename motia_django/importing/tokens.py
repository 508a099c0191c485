"""TypeScript and JavaScript, cut into the words that a config is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass

OPENING = {"(": ")", "[": "]", "{": "}"}
CLOSING = frozenset(OPENING.values())

# What is begun and never ended is a word all the same: to look for its end again from each word
# would take the square of the time.
_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<text>'(?:\\.|[^'\\\n])*'?|"(?:\\.|[^"\\\n])*"?|`(?:\\.|[^`\\$]|\$(?!\{))*`)
  | (?P<template>`(?:\\.|[^`\\])*`?)
  | (?P<number>(?:\d[\d_]*)?\.?\d[\d_]*(?:[eE][+-]?\d+)?)
  | (?P<name>[^\W\d][\w$]*|\$[\w$]*)
  | (?P<mark>=>|\?\.(?!\d)|\.\.\.|[<>=!&|+*%^?-]=+|&&|\|\||\?\?|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]?|[^/\\\n\[])+/?[a-z]*")
_BEFORE_A_REGEX = frozenset("(,=:[!&|?{};") | {"=>", "&&", "||"}


@dataclass(frozen=True, slots=True)
class Token:
    """One word."""

    kind: str
    """`text`, `template`, `number`, `name`, `regex` or `mark`."""
    text: str
    start: int
    end: int
    begins_a_line: bool


def tokens(source: str) -> list[Token]:
    """Return the words of a source, without comments."""
    found: list[Token] = []
    at, is_new = 0, True
    while at < len(source):
        is_regex = source[at] == "/" and (not found or found[-1].text in _BEFORE_A_REGEX)
        match = (_REGEX.match(source, at) if is_regex else None) or _TOKEN.match(source, at)
        assert match is not None  # a mark is any character
        kind, at = match.lastgroup or "regex", match.end()
        if kind == "space":
            is_new = is_new or "\n" in match[0]
            continue
        found.append(Token(kind, match[0], match.start(), at, is_new))
        is_new = False
    return found


_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|.))", re.S
)
_MEANT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_MEANT |= {"\n": "", "\r\n": ""}


def unquoted(literal: str) -> str:
    """Return the text that a literal stands for."""
    text = _ESCAPE.sub(_meant, literal[1:-1])
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _meant(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits:
        number = int(digits, 16)
        return chr(number) if number <= 0x10FFFF else "\ufffd"
    return _MEANT.get(match[4], match[4])
