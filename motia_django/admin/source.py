"""A Step's file as its page shows it: line by line, coloured if Pygments is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.http import HttpRequest
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from motia_django.admin import permits
from motia_django.steps import Step

PERMISSION = "motia.view_source"
MOST_BYTES = 200_000
MOST_LINES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a file."""

    number: int
    html: SafeString
    is_config: bool
    """Whether the Step's config begins here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file, as far as it is shown."""

    lines: list[Line]
    is_cut: bool


def shown(step: Step, request: HttpRequest) -> Source | None:
    """Return a Step's file; None for those who may not see it, and if it cannot be read now."""
    if not permits.may(request, PERMISSION, step.name):
        return None
    text, is_cut = _read(step.file)
    if not text:
        return None
    named = step.line
    lines = [
        Line(number=number, html=html, is_config=number == named)
        for number, html in enumerate(_coloured(text), start=1)
    ]
    return Source(lines=lines[:MOST_LINES], is_cut=is_cut or len(lines) > MOST_LINES)


def _read(file: Path) -> tuple[str, bool]:
    """Return the beginning of a file, and whether there is more; nothing if it cannot be read."""
    try:
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except OSError:
        return "", False
    text = raw[:MOST_BYTES].decode("utf-8-sig", "replace").replace("\x00", "\ufffd")
    return text.replace("\r\n", "\n").replace("\r", "\n"), len(raw) > MOST_BYTES


def _coloured(text: str) -> Iterator[SafeString]:
    """Yield the lines as HTML; each closes what it opens."""
    try:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
    except ImportError:
        yield from map(escape, text.removesuffix("\n").split("\n"))
        return
    lexer = PythonLexer(stripnl=False)
    html = highlight(text, lexer, HtmlFormatter(nowrap=True))
    # Pygments escapes what it is given.
    yield from map(mark_safe, html.removesuffix("\n").split("\n"))
