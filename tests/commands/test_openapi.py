from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from drf_spectacular.settings import patched_settings

from tests.commands.conftest import Fails, Steps
from tests.web.serving import serving


def test_the_document_is_yaml_or_json_and_the_same(steps: Steps) -> None:
    document = json.loads(steps("openapi", "--format", "json", "--validate"))
    assert document == yaml.safe_load(steps("openapi"))
    assert document["openapi"] == "3.1.0"
    assert document["paths"]["/todos"]["post"]["operationId"] == "CreateTodo"


def test_the_document_can_be_written_into_a_file(
    steps: Steps, fails: Fails, tmp_path: Path
) -> None:
    file = tmp_path / "openapi.yaml"
    assert steps("openapi", "--output", str(file)) == ""
    assert yaml.safe_load(file.read_text("utf-8"))["info"]["title"] == "The sample project"
    _, error, code = fails("openapi", "--output", str(tmp_path))
    assert (error[:9], code) == ("--output:", 2)


def test_a_document_that_is_not_valid_says_where(fails: Fails) -> None:
    with patched_settings({"APPEND_COMPONENTS": {"schemas": {"Odd": 5}}}):
        out, error, code = fails("openapi", "--validate")
    assert (out, code) == ("", 1)
    assert error.startswith("The document is not valid OpenAPI: $.components.schemas.Odd")


def test_where_no_url_leads_to_a_step_it_says_what_to_add(fails: Fails) -> None:
    with serving():
        assert 'include("motia_django.urls")' in fails("openapi")[1]


def test_without_drf_spectacular_it_says_what_to_install(
    fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "drf_spectacular", None)
    assert fails("openapi") == (
        "",
        "drf-spectacular is not installed: pip install 'motia-django[openapi]'",
        1,
    )
