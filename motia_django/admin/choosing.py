"""Which runs something is to be done to: read from a query string, as the list of runs has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from motia_django import ledger
from motia_django.admin import pasted, permits, words
from motia_django.admin.interventions import Intervention
from motia_django.admin.pasted import SEARCHED
from motia_django.admin.run_filters import CreatedFilter, flows_seen, moment_of
from motia_django.ledger.interventions import FINAL
from motia_django.ledger.selections import MOST_IDS, Selection
from motia_django.moments import as_kept, read
from motia_django.registry import registry
from motia_django.runs import birth_of, lowest_id_at, new_run_id

_LONGEST = 720
_MOST_NAMED = 5

Lookups = dict[str, Any]
Reader = Callable[[str, Selection], Selection]
"""Narrows a selection by a parameter's value; raises `ValueError` that says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The runs that a query string means, and what of it could not be understood."""

    selection: Selection
    problems: list[str]
    is_cut: bool = False
    """Whether there are more in the list, older than these."""
    keys: Sequence[str] = ()
    """The index keys that they were found by."""
    changed: int = 0
    """How many that were ticked are not the ones that were listed any more."""

    @property
    def told(self) -> list[str]:
        """What they have in common, in words."""
        found = [_("found by %s") % words.spelled(each) for each in self.keys]
        whole = replace(self.selection, ids=None) if found else self.selection
        return [*found, *in_words(whole, self._error())]

    def _error(self) -> str:
        """Return the error that they have in common, if they are chosen by that."""
        if "fingerprint" not in self.selection.wanted:
            return ""
        errors = self.selection.rows().order_by().values_list("error", flat=True)
        return words.error_line("".join(errors[:1]))


def chosen(query: QueryDict, what: Intervention, request: HttpRequest) -> Chosen:
    """Return the runs that a query string means, of those to which this user may do it."""
    selection = Selection(wanted={"status__in": list(what.statuses)})
    pairs, problems = list(pasted.pairs(query)), list(pasted.problems(query))
    readers = {**_READERS, "flow": _flow(request), SEARCHED: _searched(request)}
    keys = _asked_keys(query, request)
    for name, value in pairs:
        if name == SEARCHED and keys:
            continue
        try:
            selection = readers.get(name, _unknown(name))(value, selection)
        except ValueError as error:
            problems.append(str(error))
    if what.usual and "status" not in dict(pairs):
        selection = selection.also(status__in=list(what.usual))
    selection, is_cut = as_shown(permitted(selection, what, request), what, request), False
    if keys and not problems:
        selection, is_cut = _with_keys(selection, keys)
    return Chosen(selection=selection, problems=problems, is_cut=is_cut, keys=keys)


def bound(request: HttpRequest) -> UUID:
    """Return the newest id there can have been when the question was first shown."""
    try:
        return UUID(request.POST.get("up_to", ""))
    except ValueError:
        return new_run_id()


def as_shown(selection: Selection, what: Intervention, request: HttpRequest) -> Selection:
    """Return those of these runs that there were when the question was first shown.

    If it is asked of what has ended, they had ended by then: who has died since, of something else
    perhaps, was not shown.
    """
    newest = bound(request)
    selection = selection.also(id__lte=str(newest))
    if set(what.statuses) <= set(FINAL):
        selection = selection.also(finished_at__lte=as_kept(birth_of(newest)))
    return selection


def permitted(selection: Selection, what: Intervention, request: HttpRequest) -> Selection:
    """Return those of these runs to which this request's user may do something, and may see."""
    for permission in ("motia.view_run", what.permission):
        allowed = permits.visible(request, permission)
        if allowed is not None:
            selection = _only_of(selection, allowed)
    return selection


def in_words(selection: Selection, error: str = "") -> Iterator[str]:
    """Yield what these runs have in common; an `error` in the place of its fingerprint."""
    if selection.ids is not None:
        count = len(selection.ids)
        yield ngettext("%d run, chosen by hand", "%d runs, chosen by hand", count) % count
    if selection.unwanted:
        yield _("Steps that are gone")
    for name, value in selection.wanted.items():
        if name in _WORDS:
            yield _WORDS[name](error or value if name == "fingerprint" else value)


def _only_of(selection: Selection, steps: list[str]) -> Selection:
    before = selection.wanted.get("step__in")
    return selection.also(
        step__in=[name for name in steps if before is None or name in before],
    )


def _status(value: str, selection: Selection) -> Selection:
    chosen = [each for each in value.split(",") if each in selection.wanted["status__in"]]
    if not chosen:
        text = _("This is done to runs that are %(statuses)s, not to those that are %(status)s.")
        told = ", ".join(_status_word(each) for each in selection.wanted["status__in"])
        raise ValueError(text % {"statuses": told, "status": _status_word(value)})
    return selection.also(status__in=chosen)


def _exact(lookup: str) -> Reader:
    def read(value: str, selection: Selection) -> Selection:
        if "\x00" in value or len(value) > _LONGEST:
            raise ValueError(_("No run has such a %s.") % lookup)
        return selection.also(**{lookup: value})

    return read


def _gone(value: str, selection: Selection) -> Selection:
    if value != "yes":
        return selection
    return replace(selection, unwanted={"step__in": [step.name for step in registry()]})


def _flow(request: HttpRequest) -> Reader:
    def read(value: str, selection: Selection) -> Selection:
        if value not in flows_seen(request):
            raise ValueError(_("There is no flow named %s.") % value)
        return _only_of(selection, [step.name for step in registry().flows()[value]])

    return read


def _created(value: str, selection: Selection) -> Selection:
    if value not in CreatedFilter.ages:
        raise ValueError(_("%s is no age that runs are listed by.") % value)
    since = lowest_id_at(datetime.now(UTC) - CreatedFilter.ages[value][1])
    edge = max(str(since), str(selection.wanted.get("id__gte", since)))
    return selection.also(id__gte=edge)


def _asked_keys(query: QueryDict, request: HttpRequest) -> list[str]:
    """Return the index keys that are searched for, if this user may see runs that have them.

    What is the id of a run or of a trace as well is left to who reads these.
    """
    asked = pasted.asked(query).get(SEARCHED, "")
    if _is_id(asked.strip()):
        return []
    keys = ledger.searched(asked)
    seen = (_is_seen(request, *ledger.found_by_key(each)) for each in keys)
    return keys if asked.strip() and all(seen) else []


def _with_keys(selection: Selection, keys: Sequence[str]) -> tuple[Selection, bool]:
    """Return the newest of these runs that have the keys, and whether there are more of them."""
    found = ledger.those_with(selection.rows().only("id"), keys)
    ids = [row.id for row in islice(found, MOST_IDS + 1)]
    return replace(selection, ids=tuple(ids[:MOST_IDS])), len(ids) > MOST_IDS


def _is_seen(request: HttpRequest, *run_ids: UUID) -> bool:
    return permits.narrowed(ledger.rows(id__in=run_ids), request).exists()


def _is_id(text: str) -> bool:
    try:
        found = UUID(text)
    except ValueError:
        return False
    return ledger.rows().filter(Q(id=found) | Q(trace_id=found.hex)).exists()


def _searched(request: HttpRequest) -> Reader:
    def read(value: str, selection: Selection) -> Selection:
        try:
            found = UUID(value)
        except ValueError as error:
            text = _("%s is not the id of a run or of a trace, nor an index key of one.")
            raise ValueError(text % value) from error
        if _is_seen(request, *ledger.found_by_key(value)):
            text = _(
                "%s is an index key of runs: they are chosen in the list of runs that it finds."
            )
            raise ValueError(text % value)
        is_run = _is_seen(request, found)
        return selection.also(**({"id": found} if is_run else {"trace_id": found.hex}))

    return read


def _born(lookup: str) -> Reader:
    def read(value: str, selection: Selection) -> Selection:
        edge = str(lowest_id_at(_moment_asked(value)))
        if lookup == "id__gte":  # which `created` may have said, too
            edge = max(edge, str(selection.wanted.get(lookup, edge)))
        return selection.also(**{lookup: edge})

    return read


def _died(how: str) -> Reader:
    def read(value: str, selection: Selection) -> Selection:
        return selection.also(**{f"finished_at__{how}": as_kept(_moment_asked(value))})

    return read


def _moment_asked(value: str) -> datetime:
    moment = moment_of(value)
    if moment is None:
        raise ValueError(_("%s is not a time such as 2026-11-22T18:00.") % value[:200])
    return moment


def _unknown(name: str) -> Reader:
    def read(value: str, selection: Selection) -> Selection:
        raise ValueError(_("Runs cannot be chosen by “%s” here.") % name)

    return read


_READERS: Mapping[str, Reader] = {
    "status": _status,
    "step": _exact("step"),
    "trigger": _exact("trigger"),
    "topic": _exact("source"),
    "error": _exact("fingerprint"),
    "gone": _gone,
    "created": _created,
    "from": _born("id__gte"),
    "to": _born("id__lt"),
    "since": _died("gte"),
    "before": _died("lt"),
}


def _status_word(value: str) -> str:
    return str(words.STATUSES.get(value, value))


def _step_names(names: list[str]) -> str:
    told = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    if more > 0:
        told += ngettext(" and %d other", " and %d others", more) % more
    return _("of the Steps %s") % told if names else _("of no Step")


def _moment(value: Any) -> str:
    return words.moment(value if isinstance(value, datetime) else read(str(value)))


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "status__in": lambda value: ", ".join(_status_word(each) for each in value),
    "step": lambda value: _("of the Step %s") % value,
    "step__in": _step_names,
    "trigger": lambda value: _("started by %s") % words.kind(value),
    "source": lambda value: _("started by %s") % value,
    "fingerprint": lambda value: _("with the error %s") % value,
    "trace_id": lambda value: _("of the trace %s") % value,
    "id": lambda value: _("the run %s") % value,
    "id__gte": lambda value: _("born since %s") % words.moment(birth_of(UUID(str(value)))),
    "id__lt": lambda value: _("born before %s") % words.moment(birth_of(UUID(str(value)))),
    "finished_at__gte": lambda value: _("ended since %s") % _moment(value),
    "finished_at__lt": lambda value: _("ended before %s") % _moment(value),
}
