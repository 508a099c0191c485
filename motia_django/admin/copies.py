"""A run to take away: as a command, as a test of its Step, as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import Any
from urllib.parse import quote as percent_encoded

from django.http import HttpRequest, HttpResponse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from motia_django import ledger, models, payloads
from motia_django.admin import reproductions, timelines, traces, words
from motia_django.admin.kept_requests import FORM, KeptFile, KeptRequest, placed, signature_of
from motia_django.admin.links import Links
from motia_django.lines import escaped
from motia_django.moments import utc
from motia_django.runs import INVOKE

_COMMAND = "python manage.py motia_steps"
_COLUMNS = (
    "id", "step", "status", "trigger", "source", "attempt", "trace_id", "parent_id", "parent_span",
    "depth", "message_group", "publishes", "worker", "created_at", "wake_at", "started_at",
    "finished_at", "tried_since", "fingerprint",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A text to copy."""

    id: str
    title: str
    text: str
    note: str = ""

    @property
    def rows(self) -> int:
        """How many lines of it are shown at once."""
        return min(self.text.count("\n") + 2, 24)


def of_run(row: models.Run, request: HttpRequest) -> list[Copy]:
    """Return what a run can be copied as, with a word in the place of each secret.

    One whose input is more than a page can show is not copied from there.
    """
    if len(payloads.dumps(row.input)) > words.MOST_CHARACTERS:
        return []
    note = ""
    if payloads.is_cut(row.input):
        note = _("Its input was too large to be kept whole.")
    copies = [_command(row, request, note)]
    test = reproductions.of_run(row)
    if test:
        told = _("Put it into a file test_*.py of your project.")
        copies.append(Copy(id="test", title=_("As a test"), text=test, note=note or told))
    return copies


def exported(row: models.Run, links: Links) -> HttpResponse:
    """Return what the reader may see of a run as a file of JSON, masked, with its trace."""
    document = words.indented(payloads.plain(_document(row, links)))
    headers = {"Content-Disposition": f'attachment; filename="run-{row.id}.json"'}
    return HttpResponse(document, content_type="application/json", headers=headers)


def _document(row: models.Run, links: Links) -> dict[str, Any]:
    trace = traces.trace_of(row, links)
    keys = ledger.keys_of_runs([row.id])
    return {
        **{name: _told(getattr(row, name)) for name in _COLUMNS},
        "keys": keys.get(row.id, []),
        "input": words.masked_input(row),
        "output": words.masked_output(row),
        "error": row.error,
        "timeline": timelines.seen(row, row.timeline, links),
        "trace": [
            {
                "id": each.run.id,
                "step": each.run.step,
                "status": each.run.status,
                "parent_id": each.run.parent_id,
                "created_at": _told(each.run.created_at),
                "started_at": _told(each.run.started_at),
                "finished_at": _told(each.run.finished_at),
            }
            for each in trace.branches
        ],
        "trace_is_cut": trace.is_cut,
    }


def _told(value: Any) -> Any:
    """Return a column's value as JSON has it: a time with its zone."""
    return utc(value) if isinstance(value, datetime) else value


def _command(row: models.Run, request: HttpRequest, note: str) -> Copy:
    if row.trigger == "http":
        text = "".join(_lacking(row)) + " \\\n  ".join(_curl(row, request))
        return Copy(id="command", title=_("As curl"), text=text, note=note)
    data = quote(escaped(payloads.dumps(placed(words.masked_input(row)))))
    if row.trigger == "queue":
        group = f" --group {quote(row.message_group)}" if row.message_group else ""
        text = f"{_COMMAND} enqueue {quote(row.source)} --data {data}{group}"
        note = note or _("All Steps that listen on the topic get it.")
    elif row.trigger == INVOKE:
        text = f"{_COMMAND} run {quote(row.step)} --input {data}"
    else:
        text = f"{_COMMAND} rerun {row.id}"
    return Copy(id="command", title=_("As a command"), text=text, note=note)


def _lacking(row: models.Run) -> Iterator[str]:
    """Yield lines that say what the history has not kept of a request."""
    kind = signature_of(row)
    if kind:
        yield f"# {kind.header}: sign() makes it of the body's bytes, with its other headers\n"
    for each in KeptRequest.of(row).files:
        yield f"# {each.plain_name}: {each.size} bytes, whose content is not kept\n"


def _curl(row: models.Run, request: HttpRequest) -> Iterator[str]:
    """Yield the parts of the command that sends a run's request again."""
    kept, kind = KeptRequest.of(row), signature_of(row)
    address = (
        request.build_absolute_uri("/")[:-1]
        + percent_encoded(kept.path)
        + (f"?{urlencode(kept.query, doseq=True)}" if kept.query else "")
    )
    yield f"curl -X {quote(kept.method)} {quote(address)}"
    for name, text in kept.headers.items():
        if not kind or name.lower() != kind.header.lower():
            yield f"-H {quote(f'{name}: {text}')}"
    if kind:
        yield f"-H {quote(f'{kind.header}: ...')}"
    yield from _body(kept)


def _body(kept: KeptRequest) -> Iterator[str]:
    if kept.body is None or (kept.body == {} and not kept.content_type):
        return
    if not kept.is_form:
        yield "-H 'Content-Type: application/json'"
        yield f"-d {quote(escaped(payloads.dumps(kept.body)))}"
    option = "--data-urlencode" if kept.content_type.lower().startswith(FORM) else "--form-string"
    for name, many in kept.fields() if kept.is_form else ():
        for each in many:
            if isinstance(each, KeptFile):
                yield f"-F {quote(f'{name}=@{each.plain_name}')}"
            else:
                yield f"{option} {quote(f'{name}={each}')}"
