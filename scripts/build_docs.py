"""Build the site of the documentation: `make docs`.

    python -m scripts.build_docs [FOLDER]

Every page is read anew, and a warning is an error: a link that leads nowhere, a page that no list
of `docs/index.md` has, a block that is not in its language.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.cmd.build import build_main

ROOT = Path(__file__).resolve().parents[1]
STRICTLY = ("--fail-on-warning", "--keep-going", "--nitpicky", "--fresh-env", "--quiet")
ENTRANCE = (
    '<!doctype html><meta charset="utf-8"><title>motia_django</title>'
    '<meta http-equiv="refresh" content="0; url=docs/index.html">'
    '<a href="docs/index.html">motia_django</a>\n'
)


def build(folder: Path) -> bool:
    """Build the site into this folder; return whether there was nothing to warn of."""
    places = ["-c", str(ROOT / "docs"), "-d", str(folder / "doctrees"), str(ROOT)]
    site = folder / "site"
    failed = build_main([*STRICTLY, *places, str(site)])
    (site / "index.html").write_text(ENTRANCE)
    return not failed


def main() -> None:
    """Build the site, and say where it is."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/_build"
    if not build(folder):
        sys.exit("The site has warnings: see above.")
    print(f"The site is in {folder / 'site'}: open index.html, or serve the folder.")


if __name__ == "__main__":
    main()
