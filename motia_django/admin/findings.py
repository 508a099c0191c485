"""What is to be looked at now: each thing that is wrong in a sentence, with where to go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django import ledger
from motia_django.admin import tallies, words
from motia_django.admin.links import Links
from motia_django.admin.parts import Part
from motia_django.admin.vitals import Vitals
from motia_django.runs import Status

NAMED = 3
"""How many names a sentence has."""
_LATELY = timedelta(hours=1)
"""For how long messages that nobody heard are something to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence."""

    text: str
    url: str
    """Where to look into it; empty if this page has all there is, or the user may not go there."""
    is_bad: bool = True


def findings(vitals: Vitals, parts: Sequence[Part], links: Links) -> list[Finding]:
    """Return what is wrong, worst first, then what only has to be known; none if all is well."""
    broken = [Finding(text=f"{part.name}: {part.told}", url="") for part in parts if part.is_bad]
    told = [each(vitals, links) for each in (_unconsumed, _runs, _unheard, _lapsed, _pauses)]
    return [*broken, *chain.from_iterable(told)]


def _runs(vitals: Vitals, links: Links) -> Iterator[Finding]:
    if vitals.failing:
        text = ngettext(
            "%(count)d Step failed in the last hour: %(names)s.",
            "%(count)d Steps failed in the last hour: %(names)s.",
            len(vitals.failing),
        )
        names = _named([f"{step} ({times}×)" for step, times in vitals.failing.items()])
        yield Finding(text=text % {"count": len(vitals.failing), "names": names}, url="#failing")
    if vitals.waits_long and vitals.oldest is not None:
        facts = {"step": vitals.oldest.step, "duration": words.duration(vitals.waited)}
        text = _("A run of %(step)s has waited for a worker for %(duration)s.") % facts
        yield Finding(text=text, url=links.run(vitals.oldest.id))
    yield from _stranded(vitals, links)
    yield from _untaken(vitals, links)
    if vitals.dead:
        yield Finding(text=_dead(vitals), url=links.dead())


def _dead(vitals: Vitals) -> str:
    """Return what can be done with the dead: those that somebody waited for are not redriven."""
    if not vitals.answered:
        text = ngettext(
            "%(dead)s run is dead: redrive it, or discard it.",
            "%(dead)s runs are dead: redrive them, or discard them.",
            vitals.dead,
        )
    elif vitals.answered == vitals.dead:
        text = ngettext(
            "%(dead)s run is dead, and whoever called it was told: discard it.",
            "%(dead)s runs are dead, and whoever called them was told: discard them.",
            vitals.dead,
        )
    else:
        text = _(
            "%(dead)s runs are dead: redrive or discard %(open)s of them; whoever called the other"
            " %(answered)s was told, so these can only be discarded."
        )
    numbers = (vitals.dead, vitals.answered, vitals.dead - vitals.answered)
    dead, answered, rest = map(words.counted, numbers)
    return text % {"dead": dead, "answered": answered, "open": rest}


def _unconsumed(vitals: Vitals, links: Links) -> Iterator[Finding]:
    """Say which queues runs are sent to that nobody takes them from."""
    for queue, steps in vitals.unconsumed.items():
        text = _("No worker consumes the queue %(queue)s, which runs of %(steps)s go to.")
        facts = {"queue": queue, "steps": _named(steps)}
        yield Finding(text=text % facts, url=links.runs(status=str(Status.QUEUED)))


def _stranded(vitals: Vitals, links: Links) -> Iterator[Finding]:
    if vitals.stranded:
        runs = sum(vitals.stranded.values())
        text = ngettext(
            "%(runs)s run waits for a Step that this process does not know, gone or newer than the"
            " process: %(names)s. If it is gone, redrive the run to another Step, or cancel it.",
            "%(runs)s runs wait for Steps that this process does not know, gone or newer than the"
            " process: %(names)s. If they are gone, redrive the runs to another Step, or cancel"
            " them.",
            runs,
        )
        names = _named([f"{step} ({times}×)" for step, times in vitals.stranded.items()])
        url = links.runs(gone="yes", status=Status.QUEUED)
        yield Finding(text=text % {"runs": words.counted(runs), "names": names}, url=url)


def _untaken(vitals: Vitals, links: Links) -> Iterator[Finding]:
    """Say which triggers runs wait for that their Steps do not have, or not yet."""
    for (step, kind, source), runs in vitals.untaken.items():
        text = ngettext(
            "%(runs)s run of %(step)s waits for its %(kind)s trigger %(source)s, which this process"
            " does not know: it is gone, or newer than the process. If it is gone, redrive the run"
            " to the Step that takes it now, or cancel it.",
            "%(runs)s runs of %(step)s wait for its %(kind)s trigger %(source)s, which this process"
            " does not know: it is gone, or newer than the process. If it is gone, redrive the runs"
            " to the Step that takes them now, or cancel them.",
            runs,
        )
        facts = {"runs": words.counted(runs), "step": step, "kind": kind, "source": source}
        url = links.runs(step=step, status=Status.SCHEDULED)
        yield Finding(text=text % facts, url=url)


def _unheard(vitals: Vitals, links: Links) -> Iterator[Finding]:
    """Say where messages are lost now, but for what is meant, or heard by now."""
    since = ledger.hour_of(timezone.now() - _LATELY)
    lost: Counter[str] = Counter()
    for each in vitals.tallied.unheard:
        if each.last >= since and not tallies.is_meant(each) and not tallies.is_heard(each):
            lost[tallies.topic_of(each)] += each.messages
    if lost:
        text = ngettext(
            "No Step listens on %(count)d topic that messages are sent to: %(names)s.",
            "No Step listens on %(count)d topics that messages are sent to: %(names)s.",
            len(lost),
        )
        names = _named([f"{topic} ({messages:,}×)" for topic, messages in lost.most_common()])
        yield Finding(text=text % {"count": len(lost), "names": names}, url="#unheard")


def _lapsed(vitals: Vitals, links: Links) -> Iterator[Finding]:
    """Say what an operator may believe to be in force, such as a pause that a release has ended."""
    if vitals.lapsed:
        text = ngettext(
            "What was said of %(count)d schedule no longer applies, since its trigger is gone or"
            " was changed: %(names)s.",
            "What was said of %(count)d schedules no longer applies, since their triggers are gone"
            " or were changed: %(names)s.",
            len(vitals.lapsed),
        )
        names = _named([f"{each.step} ({each.declared})" for each in vitals.lapsed])
        facts = {"count": len(vitals.lapsed), "names": names}
        yield Finding(text=text % facts, url=links.schedules())


def _pauses(vitals: Vitals, links: Links) -> Iterator[Finding]:
    if vitals.paused:
        text = ngettext(
            "%(count)d Step is paused: %(names)s.",
            "%(count)d Steps are paused: %(names)s.",
            len(vitals.paused),
        )
        facts = {"count": len(vitals.paused), "names": _named(sorted(vitals.paused))}
        yield Finding(text=text % facts, url=links.steps(), is_bad=False)


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    told = ", ".join(names[:NAMED])
    return _("%(names)s and %(count)d more") % {"names": told, "count": more} if more > 0 else told
