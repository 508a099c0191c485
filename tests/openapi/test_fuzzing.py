"""The sample project's API, asked thousands of times for what its document offers and forbids."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]


schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
N = [0]

@schema.parametrize()
@hypothesis.settings(max_examples=100)
def test_every_answer_is_one_that_the_document_has(case: schemathesis.Case) -> None:
    N[0] += 1
    case.call_and_validate()

def test_n():
    print("N", N)
