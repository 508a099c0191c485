"""Every text that people see in the admin goes through gettext, as far as a reader can tell."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import motia_django

FOLDER = Path(motia_django.__file__).parent / "templates" / "admin" / "motia"
TEMPLATES = sorted(FOLDER.rglob("*.html"))
TRANSLATED = re.compile(
    r"{% blocktranslate.*?{% endblocktranslate %}|{% block bodyclass %}.*?{% endblock %}", re.DOTALL
)
CODE = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}|<(code|pre)\b.*?</\1>|&\w+;", re.DOTALL)
SPOKEN = re.compile(r'\b(?:aria-label|title|alt|placeholder)="([^"]*)"')
VALUE = re.compile(r'<input type="submit" value="([^"]*)"')
TAG = re.compile(r"<[^>]*>", re.DOTALL)
WORD = re.compile(r"[^\W\d_]{2,}")


def bare(template: str) -> list[str]:
    """Return the words of a template that no translation would reach."""
    rest = CODE.sub("", TRANSLATED.sub("", template))
    spoken = [*SPOKEN.findall(rest), *VALUE.findall(rest)]
    return WORD.findall(" ".join([*spoken, TAG.sub(" ", rest)]))


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_a_template_holds_no_bare_text(file: Path) -> None:
    assert bare(file.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "template",
    ["<p>Hello</p>", '<a title="Hello">{{ x }}</a>', '<input type="submit" value="Hello">'],
)
def test_bare_text_is_found(template: str) -> None:
    assert bare(template) == ["Hello"]


def test_translated_text_is_not_bare() -> None:
    text = '<p title="{% translate "One" %}">{% blocktranslate %}Two{% endblocktranslate %}</p>'
    assert bare(text) == []


MODULES = sorted((Path(motia_django.__file__).parent / "admin").rglob("*.py"))
SAID_BY = {"label", "help_text", "description", "title", "empty_label", "search_help_text"}
SAYS = {"message_user", "page", "ValidationError", "Http404"}


def untranslated(code: str) -> list[str]:
    """Return the texts that a module says to people as they stand in it, each with its line."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call):
            found += [each.value for each in node.keywords if each.arg in SAID_BY]
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            found += node.args if name in SAYS else []
    return [f"{each.lineno}: {ast.unparse(each)}" for each in found if _is_text(each)]


def _is_text(node: ast.expr) -> bool:
    """Return whether an expression is text that somebody would read, such as "Run now"."""
    if isinstance(node, ast.JoinedStr):
        parts = [each.value for each in node.values if isinstance(each, ast.Constant)]
        return bool(WORD.search(" ".join(map(str, parts))))
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    return bool(WORD.search(node.value)) and not node.value.startswith(("admin/", "motia."))


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_a_module_says_nothing_past_gettext(file: Path) -> None:
    assert untranslated(file.read_text("utf-8")) == []


def test_what_is_said_past_gettext_is_found() -> None:
    code = 'f(label="Reason")\nself.message_user(request, f"{x} paused")\nf(label=_("Reason"))'
    assert untranslated(code) == ["1: 'Reason'", "2: f'{x} paused'"]
