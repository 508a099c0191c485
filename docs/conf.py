"""The site of the documentation: what Sphinx is told. `make docs` builds it.

The pages are plain Markdown, to be read on a code host as well. What only a site has is added here:
the sidebar, which is made of the lists in `index.md`; the names of the files that blocks show; and
pages of the modules that are linked. The sources are the whole repository, so that a page's address
is its path.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx import addnodes
from sphinx.application import Sphinx

project = "motia_django"
html_title = project
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [".*", "docs/_build", "motia_django", "sample_project", "tests"]
myst_heading_anchors = 6
html_theme = "furo"
pygments_dark_style = "github-dark"  # the default underlines modules, as if they were links
html_copy_source = False
html_show_copyright = False

_KIND = re.compile(r"^## (?P<name>.+)\n(?P<text>(?:(?!## ).*\n)+)", re.MULTILINE)
_LISTED = re.compile(r"^\* \[[^]]+\]\((\S+)\.md\)", re.MULTILINE)
_TITLED = re.compile(r'^(?P<margin> *)```(?P<language>\w+) title="(?P<title>.+)"$', re.MULTILINE)
_linked: set[Path] = set()
"""The modules that a page links to."""


def adapt(app: Sphinx, page: str, source: list[str]) -> None:
    """Give a page its part of the sidebar and the names of its files, before it is read."""
    if page == root_doc:
        source[0] = _KIND.sub(_with_sidebar, source[0])
    source[0] = _TITLED.sub(_with_caption, source[0])


def lead_to_code(app: Sphinx, page: nodes.document) -> None:
    """Have links to modules lead to the line that defines what they name."""
    for link in list(page.findall(addnodes.download_reference)):
        _, file = app.env.relfn2path(link["reftarget"], app.env.docname)
        module = Path(file)
        if module.suffix == ".py":
            _linked.add(module)
            address = app.builder.get_relative_uri(app.env.docname, _page_of(app, module))
            line = _line_of(module, link.astext())
            link.replace_self(nodes.reference("", "", *link.children, refuri=f"{address}#{line}"))


def pages_of_code(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page for each module that is linked."""
    form = HtmlFormatter(lineanchors="line")
    for module in sorted(_linked):
        page = _page_of(app, module)
        code = highlight(module.read_text("utf-8"), PythonLexer(), form)
        body = f"<h1>{escape(page)}.py</h1>{code}"
        yield page, {"title": f"{page}.py", "body": body}, "page.html"


def _with_sidebar(kind: re.Match[str]) -> str:
    """Return a section of the index, with the pages that its lists begin with in the sidebar."""
    pages = "\n".join(_LISTED.findall(kind["text"]))
    return f"{kind[0]}\n```{{toctree}}\n:hidden:\n:caption: {kind['name']}\n\n{pages}\n```\n\n"


def _with_caption(block: re.Match[str]) -> str:
    """Return the opening of a block that shows a file, with its name above it."""
    margin = block["margin"]
    return f"{margin}```{{code-block}} {block['language']}\n{margin}:caption: {block['title']}\n"


def _page_of(app: Sphinx, module: Path) -> str:
    return module.relative_to(app.srcdir).with_suffix("").as_posix()


def _line_of(module: Path, name: str) -> str:
    """Return the anchor of the line where a function or a class is defined, or of the first."""
    found: ast.AST = ast.parse(module.read_text("utf-8"))
    for part in name.split("."):
        inner = ast.iter_child_nodes(found)
        found = next((each for each in inner if getattr(each, "name", "") == part), found)
    return f"line-{getattr(found, 'lineno', 1)}"


def setup(app: Sphinx) -> None:
    """Join Sphinx."""
    app.connect("source-read", adapt)
    app.connect("doctree-read", lead_to_code, priority=400)  # before it collects downloads
    app.connect("html-collect-pages", pages_of_code)
