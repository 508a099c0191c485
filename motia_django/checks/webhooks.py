"""At every `check`: settings that are to hold the secret of a webhook, and hold none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import global_settings, settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from motia_django.checks.project import where
from motia_django.exceptions import did_you_mean
from motia_django.registry import registry
from motia_django.webhooks import Signature, signatures_of

NO_SECRET = "motia.W008"  # nosec B105  # the id of a check


def webhook_secrets(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of Steps that let nobody in, since the setting with their secret is not there or empty.

    Functions that return a secret are not called: they may ask anything.
    """
    return list(_without_secrets())


def _without_secrets() -> Iterator[checks.CheckMessage]:
    for step in registry():
        for _index, trigger in step.triggers_of("http"):
            for kind in signatures_of(trigger):
                why = _why_not(kind)
                if why:
                    yield checks.Warning(
                        f"Step {step.name!r} compares the signature in {kind.header} with one by"
                        f" the setting {kind.setting!r}, which {why}: each request that is signed"
                        " is answered with 500.",
                        hint=_hint(kind.setting),
                        obj=where(step),
                        id=NO_SECRET,
                    )


def _why_not(kind: type[Signature]) -> str:
    """Return what is wrong with the setting; an empty text if nothing is."""
    if not kind.setting:
        return ""
    if not hasattr(settings, kind.setting):
        return "is not there"
    try:
        kind.keys()
    except ImproperlyConfigured:
        return "is empty, or is not text"
    return ""


def _hint(name: str) -> str:
    if hasattr(settings, name):
        return "Set it to the secret that the sender shows you, or to a list of such."
    own = [each for each in dir(settings) if each.isupper() and not hasattr(global_settings, each)]
    return did_you_mean(name, own).strip() or "Set it to the secret that the sender shows you."
