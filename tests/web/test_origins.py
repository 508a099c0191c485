from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import DisallowedHost
from django.test import RequestFactory

from motia_django.web.origins import is_trusted


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, True),
        ("http://testserver", True),
        ("https://testserver", False),
        ("http://testserver:8000", False),
        ("http://testserver.evil.example", False),
        ("null", False),
        ("", False),
        ("https://shop.example", True),
        ("http://shop.example", False),
        ("https://notshop.example", False),
        ("https://eu.wide.example", True),
        ("https://evilwide.example", False),
        ("http://eu.wide.example", False),
        ("https://eu.wide.example.evil.example", False),
    ],
)
def test_pages_of_this_site_and_those_it_trusts_may_open_a_websocket(
    origin: str | None, expected: bool, settings: Any
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://shop.example", "https://*.wide.example"]
    headers = {} if origin is None else {"Origin": origin}
    assert is_trusted(RequestFactory().get("/", headers=headers)) is expected


def test_a_host_that_is_not_ours_is_refused_whoever_asks() -> None:
    with pytest.raises(DisallowedHost):
        is_trusted(RequestFactory().get("/", headers={"Host": "evil.example"}))
