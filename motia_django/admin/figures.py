"""The figures of a Step in words, each with the runs behind it, for those who may see runs."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django import models
from motia_django.admin import permits, words
from motia_django.admin.links import Links
from motia_django.admin.windows import Window
from motia_django.ledger import figures
from motia_django.ledger.figures import Figures, Measured
from motia_django.runs import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One figure, bare and in words, and where to see the runs behind it."""

    value: str
    text: str
    url: str = ""
    tone: str = ""
    """`bad`, `warning`, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The figures of one Step."""

    runs: Number
    failed: Number
    waiting: Number
    rate: str
    """The failures, in percent of the runs that failed or succeeded."""
    p50: str
    p95: str
    failed_share: float | None


class Board:
    """The figures of all Steps over one window, for one reader."""

    def __init__(
        self, measured: Measured, window: Window, links: Links, request: HttpRequest
    ) -> None:
        self.measured = measured
        self._window = window
        self._links = links
        self._request = request
        self._told: dict[str, Told | None] = {}

    def of(self, step: str) -> Told | None:
        """Return a Step's figures; None if the reader may not see its runs."""
        if step not in self._told:
            may_see = permits.may(self._request, "motia.view_run", step)
            found = self.measured.of(step)
            self._told[step] = told(found, step, self._window, self._links) if may_see else None
        return self._told[step]

    @property
    def notes(self) -> list[str]:
        """What the figures leave out."""
        notes = []
        if self.measured.is_cut:
            text = _("There were very many runs: these are the figures of the newest %s.")
            notes.append(text % number_format(figures.MOST, force_grouping=True))
        if self.measured.is_backlog_cut:
            text = _("More than %s runs wait; not all are counted.")
            notes.append(text % number_format(figures.MOST, force_grouping=True))
        return notes


def board(
    request: HttpRequest, links: Links, window: Window, step: str | None = None
) -> Board | None:
    """Return the figures of all Steps, or of one; None if the reader may not see runs."""
    if not links.may_see(models.Run):
        return None
    measured = figures.measure(window.length, step)
    return Board(measured, window, links, request)


def told(found: Figures, step: str, window: Window, links: Links) -> Told:
    """Return a Step's figures in words; a link costs some, so that there is none of nothing."""
    lately = {"step": step, "created": window.created}
    runs = links.runs(**lately) if found.runs else ""
    failed = links.runs(**lately, status=_which(found)) if found.failed else ""
    waiting = links.runs(step=step, status=words.WAITING) if found.waiting else ""
    return Told(
        runs=_runs(found.runs, runs),
        failed=_failed(found.failed, failed),
        waiting=_waiting(found.waiting, waiting),
        rate=words.NOTHING if found.failure_rate is None else _percent(found.failure_rate),
        p50=words.duration(found.p50),
        p95=words.duration(found.p95),
        failed_share=found.failure_rate,
    )


def _runs(count: int, url: str) -> Number:
    text = ngettext("%s run", "%s runs", count) % _short(count) if count else _("no runs")
    return Number(value=_short(count), text=text, url=url)


def _failed(count: int, url: str) -> Number:
    text = ngettext("%s failed", "%s failed", count) % _short(count)
    return Number(value=_short(count), text=text, url=url, tone="bad" if count else "")


def _waiting(count: int, url: str) -> Number:
    text = ngettext("%s waits", "%s wait", count) % _short(count)
    return Number(value=_short(count), text=text, url=url, tone="warning" if count else "")


def _which(found: Figures) -> str:
    """Return the statuses of the failures to be listed."""
    if found.dead and found.retrying:
        return words.FAILED
    return str(Status.DEAD if found.dead else Status.SCHEDULED)


def _short(number: int) -> str:
    return number_format(number, force_grouping=True)


def _percent(share: float) -> str:
    """Return a share in percent; one that is not nothing is never shown as nothing."""
    percent = share * 100
    if 0 < percent < 0.1:
        return _("< 0.1 %")
    digits = 0 if percent in (0, 100) or percent >= 10 else 1
    return _("%s %%") % number_format(percent, digits)
