"""Which names of a script stand for what another one exports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from motia_django.importing.tokens import CLOSING, OPENING, Token, tokens, unquoted

_STATEMENTS = frozenset({"import", "export", "const", "let", "var"})
ALL = "*"
"""Stands for all that a module exports."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that is imported, or exported again."""

    local: str
    """What it is called here; `ALL` if each name of the module is one here."""
    module: str
    """`../topics`; empty for another name of what is here already."""
    name: str
    """What the module calls it; `ALL` for all of it as one object."""


def references(source: str) -> list[Reference]:
    """Return what a script imports, requires, and exports of others, outside of all brackets."""
    words = tokens(source)
    found: list[Reference] = []
    depth = 0
    for at, word in enumerate(words):
        if depth == 0 and word.kind == "name":
            found += _declared(words, at)
        depth += (word.text in OPENING) - (word.text in CLOSING)
    return found


def _declared(words: list[Token], at: int) -> Iterator[Reference]:
    """Yield what a statement that begins at a word refers to."""
    word, after = words[at].text, _text(words, at + 1)
    is_import = word == "import" and after not in ("(", ".")
    if is_import or (word == "export" and after in ("{", ALL)):
        yield from _clause(words, at + 1)
    elif word in ("const", "let", "var"):
        yield from _required(words, at + 1)


def _clause(words: list[Token], at: int) -> Iterator[Reference]:
    """Yield what stands between `import`, or `export`, and the module."""
    pairs: list[tuple[str, str]] = []
    while at < len(words) and words[at].kind != "text":
        word = words[at].text
        if word == "{":
            inside, at = _braced(words, at)
            pairs += inside
            if _text(words, at) != "from":
                break
        elif word == ALL and _text(words, at + 1) == "as":
            pairs.append((_text(words, at + 2), ALL))
            at += 3
        elif word in (ALL, ",") or (words[at].kind == "name" and word not in _STATEMENTS):
            pairs += [] if word in (",", "from") else [(word, ALL if word == ALL else "default")]
            at += 1
        else:
            return
    is_other = at < len(words) and words[at].kind == "text"
    module = unquoted(words[at].text) if is_other else ""
    yield from (Reference(local, module, name) for local, name in pairs)


def _required(words: list[Token], at: int) -> Iterator[Reference]:
    """Yield what `x = require("./y")`, or `{ x } = require("./y")`, is."""
    pairs = [(_text(words, at), "default")]
    if pairs[0][0] == "{":
        pairs, at = _braced(words, at)
    else:
        at += 1
    begin = [_text(words, each) for each in range(at, at + 3)]
    if begin == ["=", "require", "("] and at + 3 < len(words) and words[at + 3].kind == "text":
        module = unquoted(words[at + 3].text)
        yield from (Reference(local, module, name) for local, name in pairs)


def _braced(words: list[Token], at: int) -> tuple[list[tuple[str, str]], int]:
    """Return the names in braces, each as it is called here and there, and where they end."""
    pairs: list[tuple[str, str]] = []
    entry: list[str] = []
    for end in range(at + 1, len(words)):
        word = words[end].text
        if word not in (",", "}"):
            entry.append(word)
            continue
        if entry:
            there = entry[1] if entry[0] == "type" and len(entry) in (2, 4) else entry[0]
            pairs.append((entry[-1], there))
        entry = []
        if word == "}":
            return pairs, end + 1
    return [], len(words)


def _text(words: list[Token], at: int) -> str:
    return words[at].text if at < len(words) else ""
