"""The payment provider, as the shop talks to it: over HTTP, at the address in the settings."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

from django.conf import settings

PATIENCE = 5
"""Seconds for an answer."""


def capture(payment: str, amount: float) -> dict[str, Any]:
    """Have the provider take the money; without a provider, pretend to.

    It takes each payment once, however often it is asked. Raise `OSError` if it does not do it.
    """
    if not settings.PAYMENT_PROVIDER_URL:
        return {"captured": payment, "by": "nobody"}
    request = Request(
        f"{settings.PAYMENT_PROVIDER_URL}/captures",
        json.dumps({"payment": payment, "amount": amount}).encode(),
        {"Content-Type": "application/json", "Idempotency-Key": payment},
        method="POST",
    )
    with urlopen(request, timeout=PATIENCE) as response:
        return dict(json.load(response))
