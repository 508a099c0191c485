from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, links, named, pages


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_internal_link_resolves(page: Path) -> None:
    broken = []
    for link in links(page):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.is_file() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    to_visit = [ROOT / "README.md"]
    while to_visit:
        page = to_visit.pop()
        reached.add(page)
        inner = [link.partition("#")[0] for link in links(page) if not link.startswith("http")]
        targets = {(page.parent / path).resolve() for path in inner if path.endswith(".md")}
        to_visit += targets - reached
    assert {named(page) for page in pages()} - {named(page) for page in reached} <= {
        "docs/index.md"  # the first page of the site, where the README is that of the repository
    }
