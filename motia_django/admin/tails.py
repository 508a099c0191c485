"""The live tail of a group of a stream: the newest events of its log, as a page and as JSON.

The page's script asks for the JSON every other second. So it works under every server, holds no
connection, and is told nothing any more once its user may not look.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import TextField
from django.db.models.functions import Left, Length
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from motia_django import models, payloads
from motia_django.admin import words
from motia_django.admin.items import PREVIEWED
from motia_django.live import log

SHOWN = 50
LONGEST = 1000
"""Characters of one event's data that are shown."""
KINDS: dict[str, Promise] = {
    "create": gettext_lazy("created"),
    "update": gettext_lazy("updated"),
    "delete": gettext_lazy("deleted"),
    "event": gettext_lazy("sent"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event as the page shows it."""

    id: str
    at: str
    kind: str
    """In the style sheet."""
    told: str
    item: str
    data: str


def newest(stream: str, group: str, known: frozenset[int] = frozenset()) -> list[Line]:
    """Return the newest events of a group, newest first, without those that are `known`.

    An event whose transaction committed late is among them, though newer ones were told before.
    """
    events = log.events().filter(stream=stream, group=group).order_by("-id")
    wanted = [each for each in events.values_list("id", flat=True)[:SHOWN] if each not in known]
    begins = Left("data", PREVIEWED, output_field=TextField())
    rows = log.events().filter(id__in=wanted).defer("data")
    shown = rows.annotate(begins=begins, size=Length("data")).order_by("-id")
    return [_line(each) for each in shown]


def as_json(request: HttpRequest, stream: str, group: str) -> HttpResponse:
    """Answer with the newest events that `?known=`, ids with commas between, does not name."""
    given = request.GET.get("known", "")[: 21 * SHOWN]
    known = frozenset(int(each) for each in given.split(",") if each.isascii() and each.isdigit())
    lines = newest(stream, group, known)
    is_gap = bool(known) and len(lines) == SHOWN
    return JsonResponse({"events": [asdict(each) for each in lines], "gap": is_gap})


def _line(row: Any) -> Line:
    assert isinstance(row, models.StreamEvent)
    return Line(
        id=str(row.id),
        at=f"{words.moment(row.created_at)}.{row.created_at.microsecond // 1000:03}",
        kind=row.kind if row.kind in KINDS else "",
        told=str(KINDS.get(row.kind, row.kind)),
        item=_("the whole group") if row.item is None else row.item,
        data=_data(row),
    )


def _data(row: Any) -> str:
    if row.size > PREVIEWED:
        text = ngettext("%(size)d character of JSON", "%(size)d characters of JSON", row.size)
        return text % {"size": row.size}
    return words.one_line(words.masked_as(row.item, payloads.loads(row.begins)), LONGEST)
