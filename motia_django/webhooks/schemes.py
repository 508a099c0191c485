"""Schemes by which more is signed than the body."""

from __future__ import annotations

import base64
import binascii
from time import time
from typing import Any
from uuid import uuid4

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import AuthenticationFailed

from motia_django.webhooks.signatures import Signature


class Stripe(Signature):
    """A signature of the time and the body, both in one header."""

    header = "Stripe-Signature"
    signs = "the time, a dot and the body, sent as t=(time),v1=(signature)"

    @classmethod
    def sign(cls, body: str | bytes, *, secret: str | bytes | None = None) -> dict[str, str]:
        """Return the header of a body that is sent now."""
        sent_at = str(int(time()))
        return {cls.header: f"t={sent_at},v1={cls.made(sent_at, '.', body, secret=secret)}"}

    def read(self, request: Any) -> tuple[list[str], bytes]:
        """Return the signatures, all named v1, and the time with the body."""
        pairs = [each.strip().partition("=") for each in request.headers[self.header].split(",")]
        sent_at = next((value for key, _, value in pairs if key == "t"), "")
        self.check_time(sent_at)
        given = [value for key, _, value in pairs if key == "v1"]
        return given, sent_at.encode() + b"." + request.body


class Standard(Signature):
    """A signature as Standard Webhooks has it: of an id, the time and the body, in three headers.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    header = "webhook-signature"
    encoding = "base64"
    prefix = "v1,"
    signs = "webhook-id, webhook-timestamp and the body, with a dot between each"

    @classmethod
    def sign(
        cls,
        body: str | bytes,
        *,
        secret: str | bytes | None = None,
        message_id: str = "",
    ) -> dict[str, str]:
        """Return the headers of a body that is sent now; who sends it again gives the same id."""
        message_id, sent_at = message_id or f"msg_{uuid4().hex}", str(int(time()))
        signature = cls.made(f"{message_id}.{sent_at}.", body, secret=secret)
        return {"webhook-id": message_id, "webhook-timestamp": sent_at, cls.header: signature}

    def read(self, request: Any) -> tuple[list[str], bytes]:
        """Return the signatures, with blanks between them, and what each has to be of."""
        message_id = request.headers.get("webhook-id", "")
        if not message_id:
            raise AuthenticationFailed("The header webhook-id, which is signed, is missing.")
        sent_at = request.headers.get("webhook-timestamp", "")
        self.check_time(sent_at)
        # Servers give the bytes of headers as text in latin-1.
        signed = f"{message_id}.{sent_at}.".encode("latin-1", "replace") + request.body
        return request.headers[self.header].split(), signed

    @classmethod
    def key_of(cls, secret: str | bytes) -> bytes:
        """Return what stands in base64 after `whsec_`; bytes are the key itself."""
        if isinstance(secret, bytes):
            return secret
        encoded = secret.removeprefix("whsec_")
        try:
            key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not key:
            raise ImproperlyConfigured(
                f"The secret of the signature in {cls.header}: expected whsec_ and base64"
            )
        return key
