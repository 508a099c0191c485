"""A signature of a request's bytes, by HMAC with a secret that is shared: made, and compared."""

from __future__ import annotations

import base64
import hmac
import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from inspect import Parameter
from secrets import token_bytes
from time import time
from typing import Any, ClassVar, TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from motia_django import calls
from motia_django.triggers.policies import nobody

Secrets: TypeAlias = str | bytes | Sequence[str | bytes]
Found: TypeAlias = Secrets | Awaitable[Secrets | None] | None

_SECONDS = re.compile("[0-9]{1,15}")
_SETTING = re.compile("[A-Z][A-Z0-9_]*")
_NOBODYS = token_bytes(32)
"""What signatures of a sender without a secret are compared by, so that it takes as long."""


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
    signs: ClassVar[str] = "the body"
    """What is signed, for people."""
    tolerance: ClassVar[float] = 300
    """Seconds that a time may be away from now, where one is signed."""
    setting: ClassVar[str] = ""
    """The name of the setting that holds the secret, or several while they change."""
    secrets: ClassVar[Callable[..., Found] | None] = None
    """A function that returns them, in the place of a setting: of nothing, or of the request.

    One of the request may return None or nothing, for a sender that it does not know.
    """

    @classmethod
    def sign(cls, body: str | bytes, *, secret: str | bytes | None = None) -> dict[str, str]:
        """Return the headers that a body is sent with: by a test, or to who checks it like this.

        The secret is the first of ours, unless one is given. `ImproperlyConfigured` if there is
        none, or it is empty. A scheme of your own that signs more than the body overrides it.
        """
        return {cls.header: cls.made(body, secret=secret)}

    @classmethod
    def made(cls, *parts: str | bytes, secret: str | bytes | None = None) -> str:
        """Return the signature of these parts, one after the other; the secret is as in `sign`."""
        key = cls().keys()[0] if secret is None else cls.key_of(secret)
        if not key:
            text = f"The secret of the signature in {cls.header}, sign(..., secret=...), is empty"
            raise ImproperlyConfigured(text)
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
        keys = self.keys(request)
        right = [self._made(key, as_bytes(signed)) for key in keys or [_NOBODYS]]
        same = [_is_same(one, other) for one in _listed(given) if one for other in right]
        if not any(same) or not keys:
            raise AuthenticationFailed(f"The signature in {self.header} is wrong{_why(request)}.")
        return nobody(), self.header

    def authenticate_header(self, request: Any) -> str:
        """Return what a refusal asks for, so that it is a 401."""
        return f'HMAC-{self.digest.upper()} header="{self.header}"'

    def keys(self, request: Any = None) -> list[bytes]:
        """Return the secrets as bytes; none if a function of the request does not know its sender.

        Raise `ImproperlyConfigured` if one is missing or empty, or asks for a request that is not
        there.
        """
        asks = self.secrets is not None and _demands(self.secrets)
        many = [each for each in _listed(self._secrets(request, asks)) if each or not asks]
        is_text = all(isinstance(each, str | bytes) and each for each in many)
        if not is_text or not (many or asks):
            raise ImproperlyConfigured(
                f"The secret of the signature in {self.header}, {self._source()}, is missing or"
                " empty, or is not text"
            )
        return [self.key_of(each) for each in many]

    def _secrets(self, request: Any, asks: bool) -> Any:
        if self.secrets is None:
            return getattr(settings, self.setting, ())
        if asks and request is None:
            raise ImproperlyConfigured(
                f"The secret of the signature in {self.header} depends on the request: say by"
                " which secret to sign, sign(body, secret=...)"
            )
        return calls.call(self.secrets, *([request] if asks else []))

    @classmethod
    def key_of(cls, secret: str | bytes) -> bytes:
        """Return the bytes that a secret stands for: its own, unless a scheme encodes them."""
        return as_bytes(secret)

    @classmethod
    def described(cls) -> str:
        """Return how the signature is made, for people."""
        after = f", after {cls.prefix}" if cls.prefix else ""
        return f"HMAC-{cls.digest.upper()} in {cls.encoding}{after}: of {cls.signs}."

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
    if callable(kind.secrets):
        yield from _not_of_the_request(kind)
    is_named = kind.secrets is None and _SETTING.fullmatch(str(kind.setting))
    if not is_named and not callable(kind.secrets):
        # It is not said what came: most likely the secret itself.
        yield "secret: expected the name of a setting, or a function that returns it"


def as_bytes(text: str | bytes) -> bytes:
    """Return text in UTF-8."""
    return text.encode() if isinstance(text, str) else text


def _listed(value: Any) -> list[Any]:
    """Return several as they are, and one as a list of one; text is one."""
    is_one = isinstance(value, str | bytes) or not isinstance(value, Iterable)
    return [value] if is_one else list(value)


def _demands(function: Any) -> bool:
    """Return whether a function cannot be called without an argument: one with a default can."""
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some that are written in C do not say
        return False
    return any(each.default is each.empty and each.kind in positional for each in parameters)


def _not_of_the_request(kind: type[Signature]) -> Iterator[str]:
    """Yield what is wrong with a function of secrets, which may be a method of its class."""
    try:
        secrets: Any = kind().secrets
        calls.arity(secrets, 1)
    except TypeError as error:
        yield f"secret: of the request, or of nothing: {error}"
    except ValueError:  # see above
        return


def _why(request: Any) -> str:
    """Return what is known of why a signature is wrong.

    WSGI passes on no more of a body than `Content-Length` says, so nothing of one sent in chunks.
    """
    if not request.headers.get("Transfer-Encoding") or request.body:
        return ""
    return (
        ", or the body is lost: it came in chunks (Transfer-Encoding), without Content-Length, and"
        " this server passes on nothing of such a one"
    )


def _is_same(one: str, other: str) -> bool:
    """Compare in constant time, and as bytes: Python refuses text that is not ASCII."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode())
