"""Webhooks: authentication by a signature of the request's bytes, with a secret that is shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from motia_django.triggers.base import Trigger
from motia_django.triggers.http import HttpTrigger
from motia_django.webhooks.schemes import Standard, Stripe
from motia_django.webhooks.signatures import Found, Secrets, Signature, mistakes_of

__all__ = [
    "Secret",
    "Secrets",
    "Signature",
    "github",
    "signatures_of",
    "signed_by",
    "standard_webhooks",
    "stripe",
]

Secret: TypeAlias = str | Callable[[], Found] | Callable[[Any], Found]
"""The name of a setting, or a function: what holds one secret, or several while they change.

A function of the request returns those of its sender, and nothing for one that it does not know.
"""

_Kind = TypeVar("_Kind", bound=Signature)


def signed_by(
    header: str, secret: Secret, *, digest: str = "sha256", encoding: str = "hex", prefix: str = ""
) -> type[Signature]:
    """Return the authentication of requests whose `header` has the HMAC of the body.

    `secret` is the name of a setting, or a function, that gives one secret or a list of them; the
    function may take the request, with the path's parameters as `request.params`. `encoding` is
    `hex` or `base64`, and `prefix` stands before the signature, such as `sha256=`.
    """
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
    return _named(Stripe, secret, tolerance=tolerance)


def standard_webhooks(secret: Secret, *, tolerance: float = 300) -> type[Standard]:
    """Return the authentication of webhooks as https://www.standardwebhooks.com has them.

    A secret is `whsec_` and base64. Its headers are `webhook-id`, `webhook-timestamp`, which may be
    `tolerance` seconds away from now, and `webhook-signature`, with one signature or several.
    """
    return _named(Standard, secret, tolerance=tolerance)


def signatures_of(trigger: Trigger) -> list[type[Signature]]:
    """Return those among the authentication that a trigger names itself, the first one first."""
    named = trigger.policies.authentication or () if isinstance(trigger, HttpTrigger) else ()
    return [each for each in named if isinstance(each, type) and issubclass(each, Signature)]


def _named(kind: type[_Kind], secret: Secret, **how: Any) -> type[_Kind]:
    """Return the class, under a name that says to people what is asked for."""
    source = {"secrets": staticmethod(secret)} if callable(secret) else {"setting": secret}
    name = f"signature in {how.get('header', kind.header)}"
    made: type[_Kind] = type(name, (kind,), {**how, **source})
    for wrong in mistakes_of(made):
        raise ValueError(wrong)
    return made
