"""One start for one form: whoever sends a form twice is led to what its first sending began."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from motia_django import ledger
from motia_django.exceptions import CannotIntervene
from motia_django.ledger.interventions import PASSING
from motia_django.runs import summary_of

FIELD = "once"
"""The hidden field that holds the form's id, a new one each time that the form is shown."""


def start(request: HttpRequest, act: Callable[[], Sequence[str]]) -> tuple[list[str], bool]:
    """Start something for the form that was sent, if it was not sent before.

    `act` returns the ids of what it started. Return the ids of what began, now or the first time,
    and whether it was now. Raise `CannotIntervene` if the form's id is missing, or not its own, or
    if the ledger's database is away or busy.
    """
    form, by = _form(request), str(request.user.pk)
    try:
        return ledger.once(form, act, by=by, place=request.path_info)
    except PASSING as error:
        text = _("the database could not do it just now: %s")
        raise CannotIntervene(text % summary_of(error)) from error


def give_back(request: HttpRequest) -> None:
    """Let the form that was sent be sent again: what it started came to nothing."""
    ledger.give_back(_form(request))


def already() -> str:
    """Return what is said to whoever has sent a form again."""
    return _("This form was sent before, and has started this already: nothing was started now.")


def _form(request: HttpRequest) -> UUID:
    """Return the id of the form that was sent; raise `CannotIntervene` if it has none."""
    try:
        return UUID(request.POST.get(FIELD, ""))
    except ValueError as error:
        text = _("nothing was started, since the form came without its id: send it again")
        raise CannotIntervene(text) from error
