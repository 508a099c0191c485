"""Webhooks: authentication by a signature of the request's bytes, with a secret that is shared."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from time import time
from typing import Any, ClassVar, TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.settings import api_settings

from motia_django.triggers.base import Trigger
from motia_django.triggers.http import HttpTrigger

Secrets: TypeAlias = str | bytes | Sequence[str | bytes]
Secret: TypeAlias = str | Callable[[], Secrets]
"""The name of a setting, or a function: what holds one secret, or several while they change."""

_SECONDS = re.compile("[0-9]{1,15}")


class Signature(BaseAuthentication):
    """Lets in who has signed the body by HMAC with a secret of ours; made by the functions below.

    Nobody else is let in, and before the body is parsed or checked: the answer is 401. A signature
    stands for no user of the project: `request.user` is nobody, `request.auth` the header's name.
    """

    header: ClassVar[str]
    digest: ClassVar[str] = "sha256"
    encoding: ClassVar[str] = "hex"
    prefix: ClassVar[str] = ""
    setting: ClassVar[str] = ""
    """The name of the setting that holds the secret; empty if a function returns it."""

    @staticmethod
    def secrets() -> Secrets:
        """Return the secrets, of which any will do."""
        raise NotImplementedError

    @classmethod
    def sign(cls, body: str | bytes) -> dict[str, str]:
        """Return the headers that a body is sent with: by a test, or to who checks it like this.

        Of several secrets it is the first. `ImproperlyConfigured` if there is none. A scheme of
        your own that signs more than the body overrides it, too.
        """
        return {cls.header: cls._made(cls.keys()[0], _as_bytes(body))}

    def read(self, request: Any) -> tuple[list[str], bytes]:
        """Return the signatures that a request has, and the bytes that they have to be of.

        For a scheme of your own, override it; `AuthenticationFailed` refuses the request.
        """
        return [request.headers[self.header]], request._request.body

    def authenticate(self, request: Any) -> tuple[Any, str]:
        """Return nobody, and the header's name; raise `AuthenticationFailed`."""
        if not request.headers.get(self.header):
            raise AuthenticationFailed(f"The header {self.header}, a signature, is missing.")
        given, signed = self.read(request)
        right = [self._made(secret, signed) for secret in self.keys()]
        if not any(_is_same(one, other) for one in given for other in right):
            raise AuthenticationFailed(f"The signature in {self.header} is wrong.")
        nobody: Any = api_settings.UNAUTHENTICATED_USER
        return nobody and nobody(), self.header

    def authenticate_header(self, request: Any) -> str:
        """Return what a refusal asks for, so that it is a 401."""
        return f'HMAC-{self.digest.upper()} header="{self.header}"'

    @classmethod
    def _made(cls, secret: bytes, signed: bytes) -> str:
        made = hmac.new(secret, signed, cls.digest)
        is_hex = cls.encoding == "hex"
        text = made.hexdigest() if is_hex else base64.b64encode(made.digest()).decode()
        return cls.prefix + text

    @classmethod
    def keys(cls) -> list[bytes]:
        """Return the secrets as bytes; raise `ImproperlyConfigured` if one is missing or empty."""
        secrets: Any = cls.secrets()
        is_one = isinstance(secrets, str | bytes) or not isinstance(secrets, Iterable)
        many = [secrets] if is_one else list(secrets)
        if not many or not all(isinstance(each, str | bytes) and each for each in many):
            place = f"the setting {cls.setting!r}" if cls.setting else "what its function returns"
            raise ImproperlyConfigured(
                f"The secret of the signature in {cls.header}, {place}, is missing or empty,"
                " or is not text"
            )
        return [_as_bytes(each) for each in many]


def signed_by(
    header: str, secret: Secret, *, digest: str = "sha256", encoding: str = "hex", prefix: str = ""
) -> type[Signature]:
    """Return the authentication of requests whose `header` has the HMAC of the body.

    `secret` is the name of a setting, or a function, that gives one secret or a list of them;
    `encoding` is `hex` or `base64`, and `prefix` stands before the signature, such as `sha256=`.
    """
    hmac.new(b"", digestmod=digest)  # raises ValueError for one that there is not
    if encoding not in ("hex", "base64"):
        raise ValueError(f"encoding: expected 'hex' or 'base64', got {encoding!r}")
    how = {"header": header, "digest": digest, "encoding": encoding, "prefix": prefix}
    return _named(Signature, secret, **how)


def github(secret: Secret) -> type[Signature]:
    """Return the authentication of GitHub's webhooks: `X-Hub-Signature-256: sha256=...`."""
    return signed_by("X-Hub-Signature-256", secret, prefix="sha256=")


def stripe(secret: Secret, *, tolerance: float = 300) -> type[Signature]:
    """Return the authentication of Stripe's webhooks: `Stripe-Signature: t=...,v1=...`.

    The time is signed with the body; what is `tolerance` seconds away from now is refused, so that
    nobody sends once more what was sent long ago.
    """
    return _named(_Timed, secret, header="Stripe-Signature", tolerance=tolerance)


class _Timed(Signature):
    """A signature of the time and the body, both in one header."""

    tolerance: ClassVar[float]

    @classmethod
    def sign(cls, body: str | bytes) -> dict[str, str]:
        sent_at = str(int(time()))
        signed = sent_at.encode() + b"." + _as_bytes(body)
        return {cls.header: f"t={sent_at},v1={cls._made(cls.keys()[0], signed)}"}

    def read(self, request: Any) -> tuple[list[str], bytes]:
        pairs = [each.strip().partition("=") for each in request.headers[self.header].split(",")]
        sent_at = next((value for key, _, value in pairs if key == "t"), "")
        if not _SECONDS.fullmatch(sent_at):
            raise AuthenticationFailed(f"The signature in {self.header} has no time.")
        if abs(time() - int(sent_at)) > self.tolerance:
            raise AuthenticationFailed(f"The signature in {self.header} is of another time.")
        given = [value for key, _, value in pairs if key == "v1"]
        return given, sent_at.encode() + b"." + request._request.body


def signatures_of(trigger: Trigger) -> list[type[Signature]]:
    """Return those among the authentication that a trigger names itself, the first one first."""
    named = trigger.policies.authentication or () if isinstance(trigger, HttpTrigger) else ()
    return [each for each in named if isinstance(each, type) and issubclass(each, Signature)]


def _named(kind: type[Signature], secret: Secret, **how: Any) -> type[Signature]:
    """Return the class, under a name that says to people what is asked for."""
    if not callable(secret) and not re.fullmatch("[A-Z][A-Z0-9_]*", secret):
        # It is not said what came: most likely the secret itself.
        raise ValueError("secret: expected the name of a setting, or a function that returns it")
    name = f"signature in {how['header']}"
    setting = "" if callable(secret) else secret
    return type(
        name, (kind,), {**how, "setting": setting, "secrets": staticmethod(_source(secret))}
    )


def _source(secret: Secret) -> Callable[[], Secrets]:
    if callable(secret):
        return secret
    return lambda: getattr(settings, secret, ())


def _as_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _is_same(one: str, other: str) -> bool:
    """Compare in constant time, and as bytes: Python refuses text that is not ASCII."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())
