"""What became no run, and so is in no list: requests refused, and messages that nobody heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext as _

from motia_django import ledger
from motia_django.admin import words
from motia_django.admin.links import Links
from motia_django.registry import registry

DAY = timedelta(days=1)
MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What a Step refused with one status code."""

    step: str
    url: str
    status: str
    requests: str
    last: str
    """When the last hour with any began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """What a Step sent to one topic that nobody heard."""

    topic: str
    remark: str
    """Why it may be well by now, or as it is meant."""
    step: str
    url: str
    messages: str
    last: str
    """When the last hour with any began."""


def refused(found: Sequence[ledger.Refused], links: Links) -> list[Refused]:
    """Return in words what was refused, the most of it."""
    return [
        Refused(
            step=each.step,
            url=_url(each.step, links),
            status=words.http_status(each.status),
            requests=f"{each.requests:,}",
            last=words.time_of_day(each.last),
        )
        for each in found[:MOST]
    ]


def unheard(found: Sequence[ledger.Unheard], links: Links) -> list[Unheard]:
    """Return in words what nobody heard, the most of it."""
    return [
        Unheard(
            topic=topic_of(each),
            remark=_remark(each),
            step=each.step or _("outside of Steps"),
            url=_url(each.step, links),
            messages=f"{each.messages:,}",
            last=words.time_of_day(each.last),
        )
        for each in found[:MOST]
    ]


def topic_of(unheard: ledger.Unheard) -> str:
    """Return the topic, or that it was one of too many."""
    return unheard.topic or _("other topics")


def is_meant(unheard: ledger.Unheard) -> bool:
    """Return whether the Step that sends says so itself: then `motia.W001` tells of it."""
    step, steps = unheard.step, registry()
    return step in steps and steps.step(step).says_it_sends(unheard.topic)


def is_heard(unheard: ledger.Unheard) -> bool:
    """Return whether some Step listens by now."""
    return bool(registry().subscribers(unheard.topic))


def _remark(unheard: ledger.Unheard) -> str:
    if is_heard(unheard):
        return _("is heard by now")
    return _("as the Step's config says") if is_meant(unheard) else ""


def _url(step: str, links: Links) -> str:
    return links.step(step) if step in registry() else ""
