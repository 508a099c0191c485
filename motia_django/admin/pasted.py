"""What the query string of *Choose runs* asks for, with the address that may be pasted into it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.http import QueryDict
from django.utils.translation import gettext as _

PASTED = "query"
"""The parameter that holds the address of a list, or its query string."""
SEARCHED = "q"
"""The parameter of the list's search box, which is sent along when it is empty."""
_OF_THE_PAGE = ("deed", "order", "p", "o", "e", "all", PASTED, "_changelist_filters")
_LIST = re.compile(r".*/motia/(?:run|deadletter)/?")
_ERROR = re.compile(r".*/motia/deadletter/([0-9a-f]+)/change/?")
"""The page of one error, whose address has its fingerprint."""


def pairs(query: QueryDict) -> Iterator[tuple[str, str]]:
    """Yield the parameters, those of a pasted address too; what is empty says nothing."""
    for name, value in asked(query).items():
        if name not in _OF_THE_PAGE:
            yield name, value.strip()


def asked(query: QueryDict) -> dict[str, str]:
    """Return what is asked for, as it was typed: by the page, and else by the pasted address."""
    return {**_filled(_pasted(query)), **_filled(query)}


def problems(query: QueryDict) -> Iterator[str]:
    """Yield, in sentences, why it cannot be said which runs are meant."""
    address, pasted = query.get(PASTED, "").strip(), _pasted(query)
    path = _path(address)
    if path and not (_LIST.fullmatch(path) or _ERROR.fullmatch(path)):
        yield _("%s is the address of no list of runs.") % address[:200]
    elif address and not any(name not in _OF_THE_PAGE for name in _filled(pasted)):
        yield _("%s is no address of a list that was narrowed.") % address[:200]
    for name in sorted({*query, *pasted}.difference(_OF_THE_PAGE)):
        if max(len(each.getlist(name)) for each in (query, pasted)) > 1:
            yield _("“%s” is given more than once.") % name[:200]
        elif not pasted.get(name, name).strip() and name != SEARCHED:
            yield _("“%s” is empty in the address.") % name[:200]
    yield from _contradictions(_filled(query), _filled(pasted))


def _contradictions(own: dict[str, str], pasted: dict[str, str]) -> Iterator[str]:
    """Yield what the page and the pasted address ask for differently."""
    for name, value in own.items():
        other = pasted.get(name, value)
        if name not in _OF_THE_PAGE and other.strip() != value.strip():
            text = _("The address says %(name)s=%(pasted)s, and this page %(own)s: leave out one.")
            yield text % {"name": name, "pasted": other[:200], "own": value[:200]}


def _pasted(query: QueryDict) -> QueryDict:
    """Return the query string of the pasted address, or the one that stands alone."""
    address = query.get(PASTED, "").strip()
    rest = address if not _path(address) else address.partition("?")[2]
    found = QueryDict(rest.lstrip("?").partition("#")[0], mutable=True)
    error = _ERROR.fullmatch(_path(address))
    if error:
        found.appendlist("error", error[1])
    return found


def _path(address: str) -> str:
    """Return the part of an address before its query string; empty if it is but that."""
    before, mark, _rest = address.partition("?")
    return before.partition("#")[0] if mark or "=" not in before else ""


def _filled(query: QueryDict) -> dict[str, str]:
    return {str(name): str(value) for name, value in query.items() if str(value).strip()}
