"""Who may do what to which Step: Django's own permissions, then the project's hook."""

from __future__ import annotations

import inspect
import logging
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.module_loading import import_string

from motia_django.conf import settings
from motia_django.registry import registry

logger = logging.getLogger("motia.admin")
_told: set[tuple[str, str]] = set()
"""Which hooks have given what that is no answer, as far as this process has logged it."""


def may(request: HttpRequest, permission: str, step: str | None = None) -> bool:
    """Return whether this request's user has a permission, such as `motia.redrive_run`.

    For one `step`, the hook that the setting `MAY` names is asked as well. It is never asked of
    superusers, nor if Django says no already; so it takes away, and gives nothing.
    Only `True` lets through; what is no answer, such as a coroutine, refuses and is logged.
    """
    if not request.user.has_perm(permission):
        return False
    return step is None or _hook_says(request, permission, step)


def visible(request: HttpRequest, permission: str = "motia.view_run") -> list[str] | None:
    """Return the Steps to which the hook lets this request's user; None if it is to all of them.

    Where it keeps some Step from him, it does so with the runs of Steps that are gone, too: nobody
    can say which flow they were of.
    """
    names = [step.name for step in registry()]
    seen = [name for name in names if _hook_says(request, permission, name)]
    return None if len(seen) == len(names) else seen


def narrowed(
    rows: QuerySet[Any], request: HttpRequest, permission: str = "motia.view_run"
) -> QuerySet[Any]:
    """Return those of these rows of runs to whose Steps the hook lets this request's user."""
    seen = visible(request, permission)
    return rows if seen is None else rows.filter(step__in=seen)


def _hook_says(request: HttpRequest, permission: str, step: str) -> bool:
    path = settings().may
    if path is None or (request.user.is_active and request.user.is_superuser):
        return True
    flows = registry().step(step).flows if step in registry() else ()
    answer = import_string(path)(request.user, permission, step, flows)
    if answer is not None and not isinstance(answer, bool):
        _tell_of_no_answer(path, answer)
    return answer is True


def _tell_of_no_answer(path: str, answer: object) -> None:
    """Log what the hook gave in place of an answer: once of each kind."""
    if inspect.iscoroutine(answer):
        answer.close()  # else Python warns that nobody awaited it
    kind = type(answer)
    each = path, f"{kind.__module__}.{kind.__qualname__}"
    if each not in _told:
        _told.add(each)
        text = "MOTIA['MAY']: expected True or False from %s, got %.100r, which refuses"
        logger.error(text, path, answer)
