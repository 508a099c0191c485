"""The pages of the documentation, read as a person would: headings, tables, blocks, links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"

_BLOCK = re.compile(
    r'^(?P<margin> *)```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n'
    r"(?P<text>.*?)^(?P=margin)```$",
    re.MULTILINE | re.DOTALL,
)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block; its title is the file that it shows."""

    language: str
    title: str
    text: str


def pages() -> list[Path]:
    """Return every page."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def named(page: Path) -> str:
    """Return a page's path as test ids show it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, *, below: str = "") -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order; of one `##` section, if its heading is given."""
    text = page.read_text("utf-8")
    if below:
        text = text.partition(f"\n## {below}\n")[2].partition("\n## ")[0]
    for match in _BLOCK.finditer(text):
        text = dedent(match["text"])
        yield Block(language=match["language"], title=match["title"] or "", text=text)


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _BLOCK.sub("", page.read_text("utf-8"))


def headings(page: Path) -> list[str]:
    """Return the headings of a page."""
    return [match[2] for match in _HEADING.finditer(prose(page))]


def section(page: Path, heading: str) -> str:
    """Return what stands below a heading, up to the next one of the same or a higher level."""
    text = prose(page)
    found = [match for match in _HEADING.finditer(text) if match[2] == heading]
    assert found, f"{named(page)} has no heading {heading!r}"
    below = text[found[0].end() :]
    end = re.search(rf"^#{{1,{len(found[0][1])}}} ", below, re.MULTILINE)
    return below[: end.start()] if end else below


def rows(text: str) -> list[str]:
    """Return the first cells of the tables in a text."""
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]


def words(text: str) -> set[str]:
    """Return what stands between backticks in a text."""
    return set(re.findall(r"`([^`]+)`", text))


def links(page: Path) -> list[str]:
    """Return the targets of a page's links."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    bare = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings(page))
    return {heading.replace(" ", "-") for heading in bare}
