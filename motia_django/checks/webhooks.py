"""At every `check`: webhooks that nobody will be let in by, whatever he signs."""

from __future__ import annotations

from typing import Any

from django.conf import global_settings, settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from motia_django.checks.project import Messages, where
from motia_django.exceptions import did_you_mean
from motia_django.registry import registry
from motia_django.steps import Step
from motia_django.webhooks import Signature, signatures_of
from motia_django.webhooks.signatures import mistakes_of

NO_SIGNATURE = "motia.E021"
NO_SECRET = "motia.W008"  # nosec B105  # the id of a check
_REMEDY = (
    'Give the class header = "X-...", and setting = "..." with the name of the setting that holds'
    " the secret, or a function secrets() that returns it."
)


def webhooks(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Report Steps whose requests are signed, and that let nobody in: by their code or settings.

    Functions that return a secret are not called: they may ask anything.
    """
    return [
        message
        for step in registry()
        for _index, trigger in step.triggers_of("http")
        for kind in signatures_of(trigger)
        for message in [*_mistaken(step, kind), *_without_secret(step, kind)]
    ]


def _mistaken(step: Step, kind: type[Signature]) -> Messages:
    for mistake in mistakes_of(kind):
        yield checks.Error(
            f"Step {step.name!r} lets nobody in by {kind.__module__}.{kind.__qualname__}, a"
            f" signature that cannot be made: {mistake}.",
            hint=_REMEDY,
            obj=where(step),
            id=NO_SIGNATURE,
        )


def _without_secret(step: Step, kind: type[Signature]) -> Messages:
    why = _why_not(kind)
    if why:
        yield checks.Warning(
            f"Step {step.name!r} compares the signature in {kind.header} with one by the setting"
            f" {kind.setting!r}, which {why}: each request that is signed is answered with 500.",
            hint=_hint(kind.setting),
            obj=where(step),
            id=NO_SECRET,
        )


def _why_not(kind: type[Signature]) -> str:
    """Return what is wrong with the setting; an empty text if nothing is."""
    if kind.secrets or any(mistakes_of(kind)):
        return ""
    if not hasattr(settings, kind.setting):
        return "is not there"
    try:
        kind().keys()
    except ImproperlyConfigured:
        return "is empty, or is not text"
    return ""


def _hint(name: str) -> str:
    if hasattr(settings, name):
        return "Set it to the secret that the sender shows you, or to a list of such."
    own = [each for each in dir(settings) if each.isupper() and not hasattr(global_settings, each)]
    return did_you_mean(name, own).strip() or "Set it to the secret that the sender shows you."
