"""Who is let in to the metrics, and what he is answered."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.test import Client, override_settings
from django.urls import reverse

from motia_django.conf import settings
from motia_django.exceptions import SettingsError

pytestmark = pytest.mark.django_db
TOKEN = "correct-horse-battery-staple"
OPEN = override_settings(MOTIA={"METRICS_TOKEN": TOKEN})
URL = "/motia/metrics"


def ask(authorization: str | None = f"Bearer {TOKEN}", method: str = "get", **headers: str) -> Any:
    if authorization is not None:
        headers["Authorization"] = authorization
    client = Client(raise_request_exception=False)
    return getattr(client, method)(URL, headers=headers)


def test_it_has_a_name() -> None:
    assert reverse("motia:metrics") == URL


def test_nobody_is_let_in_as_long_as_there_is_no_token() -> None:
    assert settings().metrics_token is None
    for authorization in (None, "", "Bearer", "Bearer ", "Bearer None", f"Bearer {TOKEN}"):
        assert ask(authorization).status_code == 404
    admin = Client()
    admin.force_login(User.objects.create_superuser("ada"))
    assert admin.get(URL).status_code == 404


@OPEN
@pytest.mark.parametrize("authorization", [
    None, "", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x",
    f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}", f"Bearer x {TOKEN}", "Bearer æøå",
    f"Bearer\t{TOKEN}", "Bearer " + "x" * 5000,
])  # fmt: skip
def test_who_has_not_the_token_is_refused(authorization: str | None) -> None:
    answer = ask(authorization)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="metrics"'
    assert b"motia_" not in answer.content


@OPEN
def test_a_superuser_without_the_token_is_refused_too() -> None:
    admin = Client()
    admin.force_login(User.objects.create_superuser("ada"))
    assert admin.get(URL).status_code == 401
    assert admin.get(URL, {"token": TOKEN}).status_code == 401


@OPEN
@pytest.mark.parametrize("authorization", [f"Bearer {TOKEN}", f"bearer  {TOKEN} "])
def test_who_has_the_token_is_answered(authorization: str) -> None:
    answer = ask(authorization)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "no-store" in answer.headers["Cache-Control"]
    assert b"\nmotia_late_runs 0.0\n" in answer.content


@OPEN
@pytest.mark.parametrize(("accept", "expected"), [
    ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text"),
    ("text/html", "text/plain"), ("", "text/plain"), ("*/*", "text/plain"),
    ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain"),
])  # fmt: skip
def test_the_client_says_which_format_it_prefers(accept: str, expected: str) -> None:
    answer = ask(Accept=accept)
    assert answer.headers["Content-Type"].partition(";")[0] == expected
    assert answer.content.endswith(b"# EOF\n") == (expected != "text/plain")


@OPEN
def test_a_client_that_asks_for_an_odd_version_is_answered() -> None:
    assert ask(Accept="application/openmetrics-text; version=odd; escaping=odd").status_code == 200


@OPEN
@pytest.mark.parametrize(("method", "status"), [
    ("head", 200), ("post", 405), ("put", 405), ("delete", 405), ("patch", 405), ("options", 405),
])  # fmt: skip
def test_it_is_only_read(method: str, status: int) -> None:
    assert ask(method=method).status_code == status


@OPEN
@override_settings(
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
)
def test_a_project_that_wants_a_login_everywhere_lets_prometheus_in() -> None:
    assert ask().status_code == 200
    assert ask(None).status_code == 401


@pytest.mark.parametrize(
    "token", ["", "short", "x" * 15, "has a space in itself", "æ" * 20, 7, b"x" * 20]
)
def test_a_token_that_could_be_guessed_or_not_be_sent_is_refused(token: Any) -> None:
    with override_settings(MOTIA={"METRICS_TOKEN": token}):
        with pytest.raises(SettingsError, match="METRICS_TOKEN.*16 printable") as caught:
            settings()
    assert str(token) not in str(caught.value) or token == ""


def test_a_check_says_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    with OPEN:
        assert run_checks(tags=["motia"]) == []
        monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
        monkeypatch.setattr("motia_django.checks.project.find_spec", lambda name: None)
        [error] = run_checks(tags=["motia"])
    assert error.id == "motia.E020"
    assert "motia-django[prometheus]" in error.msg
