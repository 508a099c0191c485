"""The Steps of a recipe, served as its page says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.test import Client

from tests.docs.pages import DOCS, blocks
from tests.projects import Project
from tests.web.serving import served

PAGE = DOCS / "recipes.md"
TRIED = {
    "A webhook",
    "A file to work through",
    "A digest by mail",
    "An approval",
    "An approval that holds up what is behind it",
    "A flow of several Steps, in order",
    "Compensate when it finally fails",
    "The answer of a language model",
    "Tenants",
    "Webhooks to your customers",
}


@contextmanager
def followed(project: Project, recipe: str) -> Iterator[Client]:
    """Serve the Steps of one recipe."""
    assert recipe in TRIED
    for block in blocks(PAGE, below=recipe):
        name = Path(block.title).name
        write = project.stream if name.endswith("_stream.py") else project.step
        write(name, block.text)
    project.load()
    with served() as client:
        yield client
