"""How an API is asked by schemathesis: all checks on, as many requests as time allows."""

from __future__ import annotations

import os
from typing import Any

import hypothesis
from schemathesis import Case, GenerationMode, HookContext, openapi
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
    """Leave out forms that are not sent as they are told.

    All in them is text: what is wrong since it is none, such as a number, is right when it comes.
    A list of one is a field like any other, and an empty one is not sent at all.
    """
    if "form" not in (case.media_type or "") or not isinstance(case.body, dict):
        return True
    is_wrong = case.meta is not None and case.meta.generation.mode is GenerationMode.NEGATIVE
    return not any(
        len(each) < 2 if isinstance(each, list | dict) else is_wrong and not isinstance(each, str)
        for each in case.body.values()
        if not isinstance(each, bytes)
    )
