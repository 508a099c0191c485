"""Every text that people see in the admin goes through gettext, as far as a reader can tell."""

from __future__ import annotations

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
