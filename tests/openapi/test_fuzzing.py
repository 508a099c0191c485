"""APIs that are asked for all that their documents offer and forbid, over HTTP.

Whatever is asked, the answer is one that the document has, and none is a 500.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis

from motia_django.openapi.documents import step_document
from tests.openapi.asking import asked, examples
from tests.openapi.declared import steps
from tests.web.serving import serving

pytest.importorskip(
    "schemathesis", "4.32", reason="older ones, for old versions of jsonschema-rs, ask otherwise"
)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

SAMPLE = asked(step_document())
with serving(*steps()):
    EVERY_KEY = asked(step_document())


@pytest.fixture
def _every_key() -> Iterator[None]:
    with serving(*steps()):
        yield


@SAMPLE.parametrize()
@examples
def test_the_sample_project_answers_as_its_document_says(
    case: schemathesis.Case[Any], live_server: Any
) -> None:
    case.call_and_validate(base_url=live_server.url)


@pytest.mark.usefixtures("_every_key")
@EVERY_KEY.parametrize()
@examples
def test_steps_with_every_key_answer_as_their_document_says(
    case: schemathesis.Case[Any], live_server: Any
) -> None:
    case.call_and_validate(base_url=live_server.url)
