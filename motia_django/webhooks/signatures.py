"""A signature of a request's bytes, by HMAC with a secret that is shared: made, and compared."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import time
from typing import Any, ClassVar, TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.settings import api_settings

Secrets: TypeAlias = str | bytes | Sequence[str | bytes]

_SECONDS = re.compile("[0-9]{1,15}")
_SETTING = re.compile("[A-Z][A-Z0-9_]*")


class Signature(BaseAuthentication):
    """Lets in who has signed the body by HMAC with a secret of ours; for a scheme, a subclass.

    Nobody else is let in, and before the body is parsed or checked: the answer is 401. A signature
    stands for no user of the project: `request.user` is nobody, `request.auth` the header's name.
    """

    header: ClassVar[str] = ""
    """The name of the header with the signature."""
    digest: ClassVar[str] = "sha256"
    encoding: ClassVar[str] = "hex"
    """`hex` or `base64`."""
    prefix: ClassVar[str] = ""
    tolerance: ClassVar[float] = 300
    """Seconds that a time may be away from now, where one is signed."""
    setting: ClassVar[str] = ""
    """The name of the setting that holds the secret, or several while they change."""
    secrets: ClassVar[Callable[..., Secrets] | None] = None
    """A function that returns them, in the place of a setting."""

    @classmethod
    def sign(cls, body: str | bytes, *, secret: str | bytes | None = None) -> dict[str, str]:
        """Return the headers that a body is sent with: by a test, or to who checks it like this.

        The secret is the first of ours, unless one is given. `ImproperlyConfigured` if there is
        none. A scheme of your own that signs more than the body overrides it.
        """
        return {cls.header: cls.made(body, secret=secret)}

    @classmethod
    def made(cls, *parts: str | bytes, secret: str | bytes | None = None) -> str:
        """Return the signature of these parts, one after the other; the secret is as in `sign`."""
        key = cls().keys()[0] if secret is None else cls.key_of(secret)
        return cls._made(key, b"".join(map(as_bytes, parts)))

    def read(self, request: Any) -> tuple[list[str], bytes]:
        """Return the signatures that a request has, and the bytes that they have to be of.

        For a scheme of your own, override it; `AuthenticationFailed` refuses the request.
        """
        return [request.headers[self.header]], request.body

    def check_time(self, sent_at: str) -> None:
        """Refuse a request that says it was sent at another time than now.

        `sent_at` are seconds since 1970, in digits. `AuthenticationFailed` if they are more than
        `tolerance` away, or are none.
        """
        if not _SECONDS.fullmatch(sent_at):
            raise AuthenticationFailed(f"The signature in {self.header} has no time.")
        if abs(time() - int(sent_at)) > self.tolerance:
            raise AuthenticationFailed(f"The signature in {self.header} is of another time.")

    def authenticate(self, request: Any) -> tuple[Any, str]:
        """Return nobody, and the header's name; raise `AuthenticationFailed`."""
        if not request.headers.get(self.header):
            raise AuthenticationFailed(f"The header {self.header}, a signature, is missing.")
        given, signed = self.read(request)
        right = [self._made(key, signed) for key in self.keys()]
        if not any(_is_same(one, other) for one in given for other in right):
            raise AuthenticationFailed(f"The signature in {self.header} is wrong.")
        nobody: Any = api_settings.UNAUTHENTICATED_USER
        return nobody and nobody(), self.header

    def authenticate_header(self, request: Any) -> str:
        """Return what a refusal asks for, so that it is a 401."""
        return f'HMAC-{self.digest.upper()} header="{self.header}"'

    def keys(self) -> list[bytes]:
        """Return the secrets as bytes; raise `ImproperlyConfigured` if one is missing or empty."""
        secrets: Any = self.secrets() if self.secrets else getattr(settings, self.setting, ())
        is_one = isinstance(secrets, str | bytes) or not isinstance(secrets, Iterable)
        many = [secrets] if is_one else list(secrets)
        if not many or not all(isinstance(each, str | bytes) and each for each in many):
            raise ImproperlyConfigured(
                f"The secret of the signature in {self.header}, {self._source()}, is missing or"
                " empty, or is not text"
            )
        return [self.key_of(each) for each in many]

    @classmethod
    def key_of(cls, secret: str | bytes) -> bytes:
        """Return the bytes that a secret stands for: its own, unless a scheme encodes them."""
        return as_bytes(secret)

    @classmethod
    def _source(cls) -> str:
        return "what its function returns" if cls.secrets else f"the setting {cls.setting!r}"

    @classmethod
    def _made(cls, key: bytes, signed: bytes) -> str:
        made = hmac.new(key, signed, cls.digest)
        is_hex = cls.encoding == "hex"
        text = made.hexdigest() if is_hex else base64.b64encode(made.digest()).decode()
        return cls.prefix + text


def mistakes_of(kind: type[Signature]) -> Iterator[str]:
    """Yield what keeps a class from ever letting anybody in; no secret is asked for, nor told."""
    if not kind.header or not isinstance(kind.header, str):
        yield "header: expected the name of the header that has the signature"
    if kind.encoding not in ("hex", "base64"):
        yield f"encoding: expected 'hex' or 'base64', got {kind.encoding!r}"
    try:
        hmac.new(b"", digestmod=kind.digest)
    except (TypeError, ValueError) as error:
        yield f"digest: expected one that there is ({error})"
    is_named = kind.secrets is None and _SETTING.fullmatch(str(kind.setting))
    if not is_named and not callable(kind.secrets):
        # It is not said what came: most likely the secret itself.
        yield "secret: expected the name of a setting, or a function that returns it"


def as_bytes(text: str | bytes) -> bytes:
    """Return text in UTF-8."""
    return text.encode() if isinstance(text, str) else text


def _is_same(one: str, other: str) -> bool:
    """Compare in constant time, and as bytes: Python refuses text that is not ASCII."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())
