"""What a form starts, once: its first sending uses up the form's id, and others are told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from motia_django import by_hand, models
from motia_django.exceptions import CannotIntervene
from motia_django.ledger.rows import database, inserted
from motia_django.runs import lowest_id_at

GOOD_FOR = timedelta(days=1)
"""How long a form can be sent after it was shown."""


def once(
    form: UUID, act: Callable[[], Sequence[str]], *, by: str, place: str
) -> tuple[list[str], bool]:
    """Start something for a form, unless that was done; return what began, and whether just now.

    `form` is an id that `new_run_id` made when the form was shown, `act` returns the ids of what it
    started, `by` and `place` say who sent the form, and where to. All is one transaction: if `act`
    raises, nothing is used up. The primary key decides, so of two at once the second waits for the
    first. Raise `CannotIntervene` for the id of a form that is too old, or of another one.
    """
    if form < lowest_id_at(datetime.now(UTC) - GOOD_FOR):
        raise CannotIntervene(_("this form is more than a day old: look at it, and send it again"))
    start = models.Start(form=form, by=by, place=place)
    with transaction.atomic(using=database()):
        if inserted(start):
            start.began = [*act()]
            start.save(using=database(), update_fields=["began"])
            return start.began, True
        # Locked, it is read as it is now, and not as of this transaction's snapshot.
        first = _starts().select_for_update().filter(form=form).first()
    if first is None or (first.by, first.place) != (by, place):
        raise CannotIntervene(_("this form's id is that of another form: send it again"))
    return list(first.began), False


def give_back(form: UUID) -> None:
    """Let a form be sent again whose sending came to nothing."""
    _starts().filter(form=form).delete()


def prune_starts() -> None:
    """Forget the forms that are too old to be sent."""
    oldest = lowest_id_at(datetime.now(UTC) - 2 * GOOD_FOR)
    by_hand.delete(models.Start, database(), "form < %s", oldest)


def _starts() -> QuerySet[models.Start]:
    return models.Start.objects.using(database())
