"""The time that figures are of: the last hour, day or week, by one readable key of the address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.http import Http404, HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

KEY = "window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time that ends now."""

    key: str
    label: Promise
    length: timedelta
    created: str
    """What the list of runs calls it, in its key `created`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A window to switch to."""

    label: str
    url: str
    is_chosen: bool


WINDOWS = {
    each.key: each
    for each in (
        Window(
            key="1h",
            label=gettext_lazy("last hour"),
            length=timedelta(hours=1),
            created="hour",
        ),
        Window(
            key="24h",
            label=gettext_lazy("last 24 hours"),
            length=timedelta(hours=24),
            created="day",
        ),
        Window(
            key="7d",
            label=gettext_lazy("last 7 days"),
            length=timedelta(days=7),
            created="week",
        ),
    )
}
"""By their keys; the first is the one meant if none is named."""


def chosen(request: HttpRequest) -> Window:
    """Return the window that the address names; there is no page of any other."""
    key = request.GET.get(KEY, next(iter(WINDOWS)))
    if key not in WINDOWS:
        known = ", ".join(WINDOWS)
        raise Http404(
            _("There is no window %(key)s. There are %(known)s.") % {"key": key, "known": known}
        )
    return WINDOWS[key]


def choices(request: HttpRequest, now: Window) -> list[Choice]:
    """Return all windows, each with this page's address for it."""
    return [
        Choice(label=str(each.label), url=address(request, each), is_chosen=each is now)
        for each in WINDOWS.values()
    ]


def address(request: HttpRequest, window: Window) -> str:
    """Return the query of this page's address with another window in it."""
    query = request.GET.copy()
    query[KEY] = window.key
    return f"?{query.urlencode()}"
