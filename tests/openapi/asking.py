"""How an API is asked by schemathesis: all checks on, as many requests as time allows."""

from __future__ import annotations

import os
from typing import Any

import hypothesis
from schemathesis import Case, HookContext, openapi
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    PositiveDataAcceptanceConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

EXAMPLES = 40 if os.environ.get("MOTIA_TEST_DATABASE") else 100
"""Requests to one operation besides those that try each bound of its document."""

examples = hypothesis.settings(max_examples=EXAMPLES)


def asked(document: dict[str, Any]) -> OpenApiSchema:
    """Return the API of a document, to ask it; in CI the same is asked each time.

    A valid request may meet a condition that refuses it, with 304, 412 or 422. A header that no
    Step knows is no fault, though schemathesis takes it for one beside a header that is a number.
    """
    accepted = ["2xx", "304", "401", "403", "404", "409", "412", "422", "429"]
    checks = ChecksConfig(
        positive_data_acceptance=PositiveDataAcceptanceConfig(expected_statuses=accepted)
    )
    is_ci = os.environ.get("CI") == "true"
    generation = GenerationConfig(allow_extra_parameters=False, deterministic=is_ci)
    project = ProjectConfig(checks=checks, generation=generation)
    config = SchemathesisConfig(projects=ProjectsConfig(default=project), seed=0 if is_ci else None)
    api = openapi.from_dict(document, config=config)
    api.hook(filter_case)
    return api


def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leave out forms that are not sent as they are told: a list of one is a field like any other.

    An empty one is not sent at all.
    """
    values = case.body.values() if isinstance(case.body, dict) else ()
    is_form = "form" in (case.media_type or "")
    return not (is_form and any(isinstance(each, list | dict) and len(each) < 2 for each in values))
