"""At every `check`: webhooks that let nobody in, whatever he signs."""

from __future__ import annotations

from typing import Any

from django.conf import global_settings, settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import (
    AND,
    SAFE_METHODS,
    DjangoModelPermissions,
    IsAdminUser,
    IsAuthenticated,
    IsAuthenticatedOrReadOnly,
    OperandHolder,
)
from rest_framework.throttling import ScopedRateThrottle

from motia_django.checks.project import Messages, where
from motia_django.exceptions import did_you_mean
from motia_django.registry import registry
from motia_django.steps import Step
from motia_django.triggers import HttpTrigger, Trigger
from motia_django.triggers.policies import name_of
from motia_django.webhooks import Signature, signatures_of
from motia_django.webhooks.signatures import mistakes_of

NO_SIGNATURE = "motia.E021"
NO_SECRET = "motia.W008"  # nosec B105  # the id of a check
WANTS_USER = "motia.W009"
THROTTLED = "motia.W036"
_FOR_USERS = (IsAuthenticated, IsAdminUser)
_FOR_USERS_WHO_WRITE = (IsAuthenticatedOrReadOnly, DjangoModelPermissions)
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
        for message in _about(step, trigger)
    ]


def _about(step: Step, trigger: Trigger) -> Messages:
    for kind in signatures_of(trigger):
        yield from _mistaken(step, kind)
        yield from _without_secret(step, kind)
    if isinstance(trigger, HttpTrigger):
        yield from _of_users_only(step, trigger)
        yield from _throttled(step, trigger)


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
        return "is empty, or is not text of the kind that is wanted"
    return ""


def _hint(name: str) -> str:
    if hasattr(settings, name):
        return "Set it to the secret that the sender shows you, or to a list of such."
    own = [each for each in dir(settings) if each.isupper() and not hasattr(global_settings, each)]
    return did_you_mean(name, own).strip() or "Set it to the secret that the sender shows you."


def _of_users_only(step: Step, trigger: HttpTrigger) -> Messages:
    """Warn of permissions that want a user, where who is let in is none."""
    asked = trigger.policies.in_force("permissions")
    wanting = [each for each in asked if _wants_user(each, trigger.method)]
    if not wanting or not _lets_in_nobody_else(trigger):
        return
    is_own = trigger.policies.permissions is not None
    whose = "its permissions" if is_own else "the project's DEFAULT_PERMISSION_CLASSES"
    names = ", ".join(name_of(each) for each in wanting)
    yield checks.Warning(
        f"Step {step.name!r} lets in who signs, which makes him no user, and {whose} want one"
        f" ({names}): each request that is signed is answered with 403.",
        hint='Say "permissions": [] in the trigger: the signature has said who may.',
        obj=where(step),
        id=WANTS_USER,
    )


def _throttled(step: Step, trigger: HttpTrigger) -> Messages:
    """Warn of the project's throttles, which count a sender's requests as those of a visitor."""
    policies = trigger.policies
    asked = policies.in_force("throttles") if policies.throttles is None else ()
    counting = [
        each
        for each in asked
        if policies.throttle_scope or not issubclass(each, ScopedRateThrottle)
    ]
    if not counting or not _lets_in_nobody_else(trigger):
        return
    names = ", ".join(name_of(each) for each in counting)
    yield checks.Warning(
        f"Step {step.name!r} lets in who signs, and the project's DEFAULT_THROTTLE_CLASSES"
        f" ({names}) count him as an address without a user: a sender who has much to tell is"
        " answered with 429.",
        hint='Say "throttles": [] in the trigger, or a rate such as ["100/s"] that is meant for'
        " him.",
        obj=where(step),
        id=THROTTLED,
    )


def _lets_in_nobody_else(trigger: HttpTrigger) -> bool:
    """Return whether a signature comes first: without one it asks no other authentication."""
    first = (trigger.policies.authentication or (None,))[0]
    kinds = signatures_of(trigger)[:1]
    return kinds == [first] and kinds[0].authenticate is Signature.authenticate


def _wants_user(permission: Any, method: str) -> bool:
    """Return whether a permission class, or several joined, refuse whoever is no user.

    Of what is the project's own nothing is known, nor of what is joined by `~`.
    """
    if isinstance(permission, OperandHolder):
        joined = (permission.op1_class, permission.op2_class)
        wants = [_wants_user(each, method) for each in joined]
        operator: Any = permission.operator_class
        return any(wants) if operator is AND else all(wants)
    kinds = _FOR_USERS if method in SAFE_METHODS else (*_FOR_USERS, *_FOR_USERS_WHO_WRITE)
    return isinstance(permission, type) and issubclass(permission, kinds)
