"""Schemes by which more is signed than the body."""

from __future__ import annotations

from time import time
from typing import Any

from motia_django.webhooks.signatures import Signature


class Stripe(Signature):
    """A signature of the time and the body, both in one header."""

    header = "Stripe-Signature"

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
