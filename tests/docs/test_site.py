"""The site, as `make docs` builds it: no warning, and nothing in it leads nowhere."""

from __future__ import annotations

import os
import re
from html import unescape
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import DOCS, blocks, named, pages

_ID = re.compile(r'\bid="([^"]+)"')
_TARGET = re.compile(r'\b(?:href|src)="([^"]+)"')


def broken(site: Path) -> list[str]:
    """Return the links and pictures of a site that are not there."""
    texts = {file: file.read_text("utf-8") for file in site.rglob("*.html")}
    ids = {file: {unescape(each) for each in _ID.findall(text)} for file, text in texts.items()}
    found = []
    for file, text in texts.items():
        for target in set(map(unescape, _TARGET.findall(text))):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            there = (file.parent / unquote(path.partition("?")[0])).resolve() if path else file
            if not there.is_file() or (anchor and anchor not in ids.get(there, ())):
                found.append(f"{file.relative_to(site)}: {target}")
    return found


@pytest.mark.filterwarnings("ignore:'myst_parser")
def test_the_site_is_built_without_a_warning_and_nothing_leads_nowhere(tmp_path: Path) -> None:
    """To build it takes some seconds, so all that is asked of it is asked here."""
    assert import_module("scripts.build_docs").build(tmp_path)
    site = tmp_path / "site"
    assert broken(site) == []
    index = (site / "docs/index.html").read_text("utf-8")
    addresses = [site / named(page).replace(".md", ".html") for page in pages()]
    sidebar = {os.path.relpath(address, site / "docs") for address in addresses}
    assert [each for each in sidebar - {"index.html"} if f'href="{each}"' not in index] == []
    titles = {block.title for block in blocks(DOCS / "deploying.md") if block.title}
    deploying = (site / "docs/deploying.html").read_text("utf-8")
    assert titles
    assert [each for each in titles if f">{each}</span>" not in deploying] == []
