"""Webhooks that let nobody in are told of: classes without a secret, settings that hold none."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.authentication import TokenAuthentication
from rest_framework.permissions import (
    AllowAny,
    DjangoModelPermissions,
    IsAdminUser,
    IsAuthenticated,
    IsAuthenticatedOrReadOnly,
)
from rest_framework.settings import api_settings
from rest_framework.throttling import AnonRateThrottle, ScopedRateThrottle

from motia_django.checks.webhooks import webhooks
from motia_django.webhooks import Signature, github
from tests.factories import installed, make_step, nothing
from tests.web.serving import http


def warnings(*kinds: Any) -> list[tuple[str | None, str, str | None]]:
    """Return what is said of a Step with this authentication."""
    signed = make_step(nothing, http("POST", authentication=list(kinds), permissions=[]))
    with installed(signed, make_step(nothing, http("GET", "/y"), name="Other")):
        return [(each.id, each.msg, each.hint) for each in webhooks(None)]


@pytest.mark.parametrize("secret", ["s", b"s", ["new", "old"], ("s",)], ids=str)
def test_of_a_secret_nothing_is_said(settings: Any, secret: Any) -> None:
    settings.PAYMENTS_SECRET = secret
    assert warnings(github("PAYMENTS_SECRET")) == []


@pytest.mark.parametrize("secret", ["", None, [], ["new", ""], 7], ids=str)
def test_of_an_empty_one_its_setting_is_told(settings: Any, secret: Any) -> None:
    settings.PAYMENTS_SECRET = secret
    [(id, message, hint)] = warnings(github("PAYMENTS_SECRET"))
    assert id == "motia.W008"
    assert "by the setting 'PAYMENTS_SECRET', which is empty" in message
    assert hint == "Set it to the secret that the sender shows you, or to a list of such."


def test_of_one_that_is_not_there_the_nearest_setting_is_told(settings: Any) -> None:
    settings.PAYMENTS_SECRET = "s"
    [(_, message, hint)] = warnings(github("PAYMENT_SECRET"))
    assert "'PAYMENT_SECRET', which is not there" in message
    assert hint == "Did you mean 'PAYMENTS_SECRET'?"
    [(_, _, hint)] = warnings(github("XYZ"))
    assert hint == "Set it to the secret that the sender shows you."


def test_functions_are_not_called() -> None:
    def asked() -> str:
        raise AssertionError("it was called")

    class Own(Signature):
        header = "X-Own"
        secrets = staticmethod(asked)

    assert warnings(github(asked), Own) == []


class Acme(Signature):
    header = "X-Acme"
    setting = "ACME_SECRETS"


def test_a_class_of_ones_own_is_told_of_by_its_setting(settings: Any) -> None:
    [(id, message, _)] = warnings(Acme)
    assert id == "motia.W008"
    assert "in X-Acme with one by the setting 'ACME_SECRETS', which is not there" in message
    settings.ACME_SECRETS = ["new", "old"]
    assert warnings(Acme) == []


@pytest.mark.parametrize(
    ("keys", "mistake"),
    [
        ({"setting": ""}, "secret: expected the name of a setting, or a function that returns it"),
        ({"setting": "hunter2"}, "secret: expected the name of a setting, or a function that"),
        (
            {"secrets": lambda self, one, more: "s"},
            "secret: of the request, or of nothing: expected",
        ),
        ({"secrets": dict.get}, "secret: of the request, or of nothing: descriptor 'get'"),
        ({"secrets": "hunter2"}, "secret: expected the name of a setting, or a function that"),
        ({"header": ""}, "header: expected the name of the header that has the signature"),
        ({"encoding": "base32"}, "encoding: expected 'hex' or 'base64', got 'base32'"),
        ({"digest": "sha257"}, "digest: expected one that there is (unsupported hash type sha257)"),
    ],
)
def test_a_class_that_lets_nobody_in_is_an_error_with_its_name(
    keys: dict[str, Any], mistake: str
) -> None:
    kind = type("Wrong", (Acme,), {**keys, "__module__": "shop.webhooks"})
    [(id, message, hint)] = warnings(kind)
    assert id == "motia.E021"
    assert message.startswith("Step 'Work' lets nobody in by shop.webhooks.Wrong, a signature")
    assert mistake in message
    assert "hunter2" not in message
    assert "a function secrets()" in str(hint)


class Owners(IsAuthenticated):
    """A permission of the project's own."""


class Users(Acme):
    def authenticate(self, request: Any) -> Any:
        raise NotImplementedError


def wanting(method: str = "POST", authentication: Any = Acme, **keys: Any) -> list[str]:
    """Return what is said of a signed Step whose permissions may want a user."""
    step = make_step(nothing, http(method, authentication=authentication, **keys))
    with installed(step):
        return [each.msg for each in webhooks(None) if each.id == "motia.W009"]


@pytest.mark.parametrize(
    ("permissions", "name"),
    [
        (IsAuthenticated, "IsAuthenticated"),
        ([AllowAny, IsAdminUser], "IsAdminUser"),
        (Owners, "Owners"),
        (DjangoModelPermissions, "DjangoModelPermissions"),
        (IsAuthenticatedOrReadOnly, "IsAuthenticatedOrReadOnly"),
        (AllowAny & Owners, "(AllowAny and Owners)"),
        (IsAdminUser | (Owners & AllowAny), "(IsAdminUser or (Owners and AllowAny))"),
    ],
)
def test_permissions_that_want_a_user_are_told_of_where_who_signs_is_none(
    settings: Any, permissions: Any, name: str
) -> None:
    settings.ACME_SECRETS = "s"
    [message] = wanting(permissions=permissions)
    assert f"and its permissions want one ({name}): each request that is signed" in message


@pytest.mark.parametrize(
    "permissions",
    [[], AllowAny, AllowAny | IsAdminUser, ~IsAuthenticated, lambda request: True],
)
def test_of_permissions_that_do_not_nothing_is_said(settings: Any, permissions: Any) -> None:
    settings.ACME_SECRETS = "s"
    assert wanting(permissions=permissions) == []


def test_the_projects_own_permissions_count_where_the_step_names_none(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ACME_SECRETS = "s"
    assert wanting() == []
    monkeypatch.setattr(api_settings, "DEFAULT_PERMISSION_CLASSES", [IsAuthenticated])
    [message] = wanting()
    assert "the project's DEFAULT_PERMISSION_CLASSES want one (IsAuthenticated)" in message
    assert wanting(permissions=[]) == []
    assert wanting("GET", permissions=IsAuthenticatedOrReadOnly) == []
    assert wanting(authentication=[TokenAuthentication, Acme]) == []
    assert wanting(authentication=[Acme, TokenAuthentication]) == [message]
    assert wanting(authentication=[Users]) == []
    assert wanting(authentication=[]) == []


def throttled(**keys: Any) -> list[str]:
    """Return what is said of a signed Step that the project's throttles may count."""
    step = make_step(nothing, http("POST", **{"authentication": Acme, "permissions": [], **keys}))
    with installed(step):
        return [each.msg for each in webhooks(None) if each.id == "motia.W036"]


def test_the_projects_throttles_are_told_of_where_who_signs_is_a_visitor(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ACME_SECRETS = "s"
    assert throttled() == []
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_CLASSES", [AnonRateThrottle])
    [message] = throttled()
    assert "DEFAULT_THROTTLE_CLASSES (AnonRateThrottle) count him" in message
    assert throttled(throttles=[]) == throttled(throttles=["100/s"]) == []
    assert throttled(authentication=[TokenAuthentication]) == []


def test_of_throttles_that_count_only_named_scopes_nothing_is_said(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ACME_SECRETS = "s"
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_CLASSES", [ScopedRateThrottle])
    monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", {"hooks": "1/day"})
    assert throttled() == []
    assert len(throttled(throttleScope="hooks")) == 1
