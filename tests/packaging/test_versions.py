"""The versions: our own, and the lowest ones of what we need, with which `make grid` tries all."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

import motia_django
from tests.packaging.distribution import ROOT

SCRIPT = import_module("scripts.lowest_versions")
lowest, requirements = SCRIPT.lowest, SCRIPT.requirements
ANY_VERSION = {"drf-spectacular-sidecar"}
"""Only files that browsers load, whose versions are dates."""


def test_a_version_that_is_not_released_says_so() -> None:
    """The changelog's newest heading is a version, or that there is none yet."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.findall(r"^## \[([^\]]+)\]", changelog, re.MULTILINE)[0]
    if newest == "Unreleased":
        assert re.fullmatch(r"\d+\.\d+\.\d+\.dev\d+", motia_django.__version__)
    else:
        assert motia_django.__version__ == newest


def test_every_package_that_users_need_has_a_lowest_version() -> None:
    names = {re.split(r"[\[<>=]", each)[0] for each in requirements()}
    assert names - set(lowest(requirements())) == ANY_VERSION


def test_two_extras_cannot_name_different_lowest_versions() -> None:
    assert lowest(["a[x]>=1.2", "b<3", "a>=1.2", "c>=4,<5"]) == {"a": "1.2", "c": "4"}
    with pytest.raises(ValueError, match=r"^a: the lowest version is 1\.2, and also 1\.3$"):
        lowest(["a>=1.2", "a>=1.3"])
