"""At every `check`: http Steps that no request reaches, whatever their files say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from django.core import checks
from django.http import Http404, HttpRequest
from django.urls import ResolverMatch, get_script_prefix, resolve, reverse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.versioning import NamespaceVersioning, URLPathVersioning

from motia_django.checks.project import Messages, where
from motia_django.exceptions import some_of
from motia_django.registry import registry
from motia_django.steps import Step
from motia_django.triggers import HttpTrigger

OTHER_VERSION = "motia.W037"
TAKEN = "motia.W038"
_APP = "motia"
_MOST_NAMED = 5
_REMEDIES = {
    True: 'Include them in the namespace of a version, as in include("motia_django.urls",'
    ' namespace="v1"), or version by AcceptHeaderVersioning.',
    False: "Let their paths begin with /:version/, set DEFAULT_VERSION, or version by"
    " AcceptHeaderVersioning.",
}
"""By whether versions are namespaces."""
_VALUES = ("motia-check", "1", "8e03978e-40d5-43dd-bc93-6894a57f9324")
"""What may stand for a parameter: what is taken for each of them is taken for any."""


def reach(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn of Steps whose path another view answers, or that have no version of the API.

    Nothing is said of those whose path cannot be told: that the URLs lack them is said elsewhere.
    """
    return [*_taken(), *_without_version()]


def _taken() -> Messages:
    for step, trigger in _served():
        found = [_match(address) for address in _addresses(step, trigger)]
        others = [each for each in found if each is not None and not _is_ours(each)]
        if others and len(others) == len(found):
            yield checks.Warning(
                f"No request for {trigger.source} reaches Step {step.name!r}: {_named(others[0])}"
                " answers that path, since it stands before the Steps in the project's URLs.",
                hint="Change one of the two paths, or put the include of motia_django.urls first.",
                obj=where(step),
                id=TAKEN,
            )


def _without_version() -> Messages:
    """Warn if REST framework looks for a version of the API where Steps have none."""
    scheme: Any = api_settings.DEFAULT_VERSIONING_CLASS
    if not isinstance(scheme, type) or not issubclass(
        scheme, (NamespaceVersioning, URLPathVersioning)
    ):
        return
    lacking = {step.name for step, trigger in _served() if _is_refused(scheme, step, trigger)}
    if lacking:
        yield checks.Warning(
            f"REST framework's DEFAULT_VERSIONING_CLASS, {scheme.__name__}, finds no version that"
            f" is allowed in the URLs of Steps {some_of(sorted(lacking), _MOST_NAMED)}: every"
            " request to them is answered with 404.",
            hint=_REMEDIES[issubclass(scheme, NamespaceVersioning)],
            id=OTHER_VERSION,
        )


def _is_refused(scheme: type[Any], step: Step, trigger: HttpTrigger) -> bool:
    found = [_match(address) for address in _addresses(step, trigger)]
    matches = [each for each in found if each is not None and _is_ours(each)]
    return bool(matches) and not any(_is_allowed(scheme, each) for each in matches)


def _is_allowed(scheme: type[Any], match: ResolverMatch) -> bool:
    if scheme.version_param in match.kwargs:
        return True  # it is for whoever asks to say one that there is
    request = HttpRequest()
    request.resolver_match = match
    try:
        scheme().determine_version(Request(request), *match.args, **match.kwargs)
    except (NotFound, Http404):
        return False
    return True


def _served() -> Iterator[tuple[Step, HttpTrigger]]:
    for step in registry():
        for trigger in step.http_triggers:
            yield step, trigger


def _addresses(step: Step, trigger: HttpTrigger) -> Iterator[str]:
    """Yield where the project serves a trigger, from its root on, for each value of parameters."""
    for value in _VALUES if trigger.parameters else _VALUES[:1]:
        prefix = _prefix(step, trigger, value)
        if prefix is not None:
            yield prefix + _filled(trigger, value)


def _prefix(step: Step, trigger: HttpTrigger, value: str) -> str | None:
    """Return what stands before the declared paths; None if there is no telling."""
    try:
        found = reverse(f"motia:{step.url_name}", kwargs=dict.fromkeys(trigger.parameters, value))
    except Exception:
        return None  # a URLconf that is broken is told of by Django's own check
    found = "/" + unquote(found).removeprefix(get_script_prefix())
    tails = [_filled(each, value) for each in step.http_triggers]
    longest = max((tail for tail in tails if found.endswith(tail)), key=len, default=None)
    return None if longest is None else found.removesuffix(longest)


def _filled(trigger: HttpTrigger, value: str) -> str:
    parts = trigger.path.split("/")
    return "/".join(value if part.startswith(":") else part for part in parts)


def _match(address: str) -> ResolverMatch | None:
    try:
        return resolve(address)
    except Http404:
        return None


def _is_ours(match: ResolverMatch) -> bool:
    """Return whether what answers is a Step, whichever: that of two the first one does is said."""
    return _APP in match.app_names


def _named(match: ResolverMatch) -> str:
    """Return the view that answers, as Django's own pages name it."""
    return str(match._func_path)
