"""What would come of something done to many runs: how many, which refused and why, what follows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django import ledger
from motia_django.admin import permits, words
from motia_django.admin.interventions import Intervention, out_of_order
from motia_django.admin.links import Links
from motia_django.ledger import aftermath, pulse
from motia_django.ledger.aftermath import Aftermath
from motia_django.ledger.selections import Selection
from motia_django.operations import Result
from motia_django.registry import registry

COUNTED = 10_000
CHECKED = 1000
"""The most runs that are checked against today's code..."""
SECONDS = 0.15
"""...and for how long."""
SECONDS_FOR_DEATHS = 0.5
"""For so long it is looked what their deaths have started."""
_READ = 200
_EXAMPLES = 3
_MOST_REASONS = 10
_MOST_STEPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why some runs would be refused, how many of those that were checked, and some of them."""

    reason: str
    runs: int
    examples: list[tuple[str, str]]
    """Ids and the addresses of their pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What would come of it."""

    count: int
    """How many runs there are, up to `COUNTED`."""
    is_more: bool
    steps: list[tuple[str, str, int]]
    """Each Step with its page's address and the number of its runs, the most first."""
    checked: int
    refused: int
    refusals: list[Refusal]
    notes: list[str]
    """What else there is to know before it is done."""


def prospect(what: Intervention, selection: Selection, links: Links) -> Prospect:
    """Look what would come of it, within bounds of number and time."""
    rows = selection.rows().order_by()  # sorted, a plan would read the whole table for them
    steps = Counter(rows.values_list("step", flat=True)[: COUNTED + 1])
    count = steps.total()
    results = list(_checked(what, selection)) if what.refusals else []
    refused = [each for each in results if each.refusal]
    return Prospect(
        count=min(count, COUNTED),
        is_more=count > COUNTED,
        steps=[(name, links.step(name), each) for name, each in steps.most_common(_MOST_STEPS)],
        checked=len(results),
        refused=len(refused),
        refusals=_refusals(refused, links),
        notes=[
            *_notes(what, steps, is_checked=len(results) >= count),
            *_aftermath(what, selection, links),
        ],
    )


def _checked(what: Intervention, selection: Selection) -> Iterator[Result]:
    """Yield what would become of the first of these runs, if it was done now."""
    assert what.refusals
    unread = ("output", "error") if what.begins else ("output", "error", "timeline")
    deadline, after, checked = time.monotonic() + SECONDS, None, 0
    while checked < CHECKED and time.monotonic() < deadline:
        rows = list(selection.rows(after).defer(*unread)[:_READ])
        yield from what.refusals(rows)
        if len(rows) < _READ:
            return
        after, checked = rows[-1].id, checked + len(rows)


def _refusals(results: list[Result], links: Links) -> list[Refusal]:
    examples: dict[str, list[UUID]] = {}
    for each in results:
        examples.setdefault(each.reason, []).append(each.run_id)
    reasons = Counter({reason: len(ids) for reason, ids in examples.items()})
    return [
        Refusal(
            reason=reason,
            runs=number,
            examples=[(str(each), links.run(each)) for each in examples[reason][:_EXAMPLES]],
        )
        for reason, number in reasons.most_common(_MOST_REASONS)
    ]


def _notes(what: Intervention, steps: Counter[str], *, is_checked: bool) -> Iterator[str]:
    if not what.ends:
        paused: Any = ledger.paused()
        for name in [each for each in steps if each in paused]:
            yield _("The Step %s is paused: its runs will wait until it is resumed.") % name
    gone = [name for name in steps if name not in registry()]
    if gone and what.name == "redrive" and not is_checked:
        text = ngettext(
            "There is no Step %(names)s any more: its runs would be refused. From a run's page it"
            " can be redriven to another.",
            "There are no Steps %(names)s any more: their runs would be refused. From a run's page"
            " it can be redriven to another.",
            len(gone),
        )
        yield text % {"names": ", ".join(sorted(gone)[:_MOST_REASONS])}
    if what.requeues and any(map(_keeps_an_order, steps)):
        yield out_of_order()
    if steps.total() and not pulse.live_workers():
        yield _("No worker is alive now: nothing will happen to these runs until one is started.")


def _aftermath(what: Intervention, selection: Selection, links: Links) -> Iterator[str]:
    """Yield what the deaths of these runs have started, if they are to be tried once more."""
    if not what.requeues:
        return
    ids = list(selection.rows().order_by().values_list("id", flat=True)[: COUNTED + 1])
    steps = permits.visible(links.request)
    found = aftermath.of_deaths(ids, steps=steps, seconds=SECONDS_FOR_DEATHS)
    if found.deaths:
        shown = found.told(lambda status: words.STATUSES.get(status, status))
        told = ", ".join(filter(None, (shown, words.hidden_runs(found.hidden))))
        facts = {"deaths": f"{found.deaths:,}", "looked_at": f"{found.looked_at:,}", "told": told}
        yield _deaths_in_words(found) % facts


def _deaths_in_words(found: Aftermath) -> str:
    if not found.are_all:
        return _(
            "Of the %(looked_at)s deaths that were looked at, %(deaths)s have started runs, and"
            " nothing of that is undone: %(told)s."
        )
    if found.looked_at == 1:
        return _("This death has started runs, and nothing of that is undone: %(told)s.")
    return ngettext(
        "%(deaths)s of these %(looked_at)s deaths has started runs, and nothing of that is undone:"
        " %(told)s.",
        "%(deaths)s of these %(looked_at)s deaths have started runs, and nothing of that is undone:"
        " %(told)s.",
        found.deaths,
    )


def _keeps_an_order(step: str) -> bool:
    return step in registry() and any(each.delivery.fifo for each in registry().step(step).triggers)
