"""The page about Motia: every test that it names is there."""

from __future__ import annotations

import re

from tests.docs.pages import DOCS, ROOT, section


def test_every_cell_of_the_table_names_a_test() -> None:
    table = section(DOCS / "from-motia.md", "Dialects").partition("| | 0.x |")[2]
    lines = [line for line in table.splitlines()[2:] if line.startswith("|")]
    cells = [cell.strip() for line in lines for cell in line.strip("|").split("|")[1:]]
    named = [re.fullmatch(r"`(\w+)`: `(\w+)`", cell) for cell in cells if cell]
    assert len(named) > 30
    for match in named:
        assert match
        source = (ROOT / f"tests/dialects/test_{match[1]}.py").read_text("utf-8")
        assert f"\ndef test_{match[2]}(" in source, match[0]
