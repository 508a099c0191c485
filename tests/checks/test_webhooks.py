"""Settings that are to hold the secret of a webhook: those that hold none are told of."""

from __future__ import annotations

from typing import Any

import pytest

from motia_django.checks.webhooks import webhook_secrets
from motia_django.webhooks import Signature, github
from tests.factories import installed, make_step, nothing
from tests.web.serving import http


class Own(Signature):
    header = "X-Own"


def warnings(*kinds: Any) -> list[tuple[str | None, str, str | None]]:
    """Return what is said of a Step with this authentication."""
    signed = make_step(nothing, http("POST", authentication=list(kinds), permissions=[]))
    with installed(signed, make_step(nothing, http("GET", "/y"), name="Other")):
        return [(each.id, each.msg, each.hint) for each in webhook_secrets(None)]


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


def test_functions_are_not_called_nor_schemes_of_ones_own() -> None:
    def asked() -> str:
        raise AssertionError("it was called")

    assert warnings(github(asked), Own) == []
