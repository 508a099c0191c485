"""Running an http Step by hand: the request to type, its address, and the answer to read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import ledger, masks, payloads, tracing
from motia_django.admin import permits, words
from motia_django.admin.examples import example
from motia_django.admin.exchange import OWN_HEADERS, Answer, Asked
from motia_django.admin.links import Links
from motia_django.admin.start_forms import StartForm, told
from motia_django.admin.state_form import JSONArea, JSONValueField, Typed
from motia_django.exceptions import InvalidInput, PayloadError
from motia_django.registry import Listener
from motia_django.steps import Step
from motia_django.triggers import HttpTrigger, Trigger
from motia_django.web.views import TRACE_HEADER

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t\xa0-\xff]*)")
_UNMASKED = gettext_lazy(
    "%(size)d bytes of %(kind)s were read, which are not shown: they are not whole JSON, so secrets"
    " in them could not be masked."
)
_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")


class OptionalJSONField(JSONValueField):
    """Any JSON value, or nothing at all, which is not null: no body is sent then."""

    widget = JSONArea

    def to_python(self, value: Any) -> Any:
        return self.empty if not str(value or "").strip() else super().to_python(value)

    empty: Any = object()


class HttpForm(StartForm):
    """What is sent to an http Step."""

    query = forms.CharField(
        label=gettext_lazy("Query"),
        required=False,
        max_length=4000,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("As in an address after the question mark: page=2&sort=name."),
    )
    headers = forms.CharField(
        label=gettext_lazy("Headers"),
        required=False,
        max_length=20_000,
        widget=AdminTextareaWidget(attrs={"rows": "3", "spellcheck": "false"}),
    )
    content = OptionalJSONField(
        label=gettext_lazy("Body"), help_text=gettext_lazy("JSON. Leave it empty to send none.")
    )

    def __init__(self, trigger: HttpTrigger, *args: Any, **kwargs: Any) -> None:
        super().__init__(trigger, *args, **kwargs)
        self.parameters = trigger.parameters
        for name in self.parameters:
            self.fields[f"param_{name}"] = forms.CharField(
                label=f":{name}", max_length=1000, strip=False, widget=AdminTextInputWidget
            )
        text = _("One to a line, Name: value. Besides what your browser sends: %s.")
        self.fields["headers"].help_text = text % ", ".join(OWN_HEADERS)
        self.initial["content"] = Typed("")
        if trigger.body_schema is not None:
            self.initial["content"] = example(trigger.body_schema)
        elif trigger.method in _WITHOUT_BODY:
            del self.fields["content"]
        names = [f"param_{name}" for name in self.parameters]
        self.order_fields([*names, "query", "headers", "content", "reason"])

    def clean_headers(self) -> dict[str, str]:
        """Return the headers by name; refuse those by which a proxy might say who asks."""
        found = {}
        for line in str(self.cleaned_data["headers"]).splitlines():
            header = _HEADER.fullmatch(line.strip())
            if line.strip() and header is None:
                raise ValidationError(_("%s: expected Name: value") % line)
            if header is not None:
                found[_known(header[1])] = header[2]
        return found

    def clean(self) -> None:
        """Refuse masks that were copied with a request."""
        body = self.cleaned_data.get("content", OptionalJSONField.empty)
        given = {
            "params": self.values(),
            "query": dict(parse_qsl(self._text("query").removeprefix("?"))),
            "headers": self.cleaned_data.get("headers"),
            "body": None if body is OptionalJSONField.empty else body,
        }
        try:
            masks.without(given, _("The request"))
        except InvalidInput as error:
            self.add_error(None, told(error.errors))

    def asked(self, path: str) -> Asked:
        """Return the request that was typed."""
        assert isinstance(self.trigger, HttpTrigger)
        body = self.cleaned_data.get("content", OptionalJSONField.empty)
        has_body = body is not OptionalJSONField.empty
        usual = {"Accept": "application/json", "traceparent": tracing.new_traceparent()}
        return Asked(
            method=self.trigger.method,
            path=path,
            query=self._text("query").removeprefix("?"),
            headers={**usual, **self.cleaned_data["headers"]},
            body=payloads.dumps(body).encode() if has_body else b"",
        )

    def values(self) -> dict[str, str]:
        """Return what stands in the place of each `:name` of the path."""
        return {name: self._text(f"param_{name}") for name in self.parameters}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer as the page shows it."""

    status: str
    is_error: bool
    took: str
    headers: list[tuple[str, str]]
    body: str
    note: str
    """What the reader should know of the body, or nothing."""
    run_url: str
    """The page of the run, or nothing if there is none, or he may not see it."""
    has_run: bool
    """Whether there is one, seen or not."""
    is_traced: bool


def address(listener: Listener, values: Mapping[str, str]) -> str:
    """Return where the project serves a trigger, from its root on; raise `ValidationError`.

    That is wherever the project has included the Steps' URLs. What answers there is looked up, so
    that nothing but this Step is ever asked.
    """
    trigger = listener.trigger
    assert isinstance(trigger, HttpTrigger)
    path = _mount(listener.step, trigger) + _filled(trigger, values)
    try:
        view = resolve(path).func
    except Resolver404:
        view = None
    route = getattr(getattr(view, "view_class", None), "route", None)
    served = route.endpoints.get(trigger.method) if route is not None else None
    if served is None or (served.step.name, served.index) != (listener.step.name, listener.index):
        text = _("Nothing, or something else than this Step, answers %(method)s %(path)s here.")
        raise ValidationError(text % {"method": trigger.method, "path": path})
    return path


def shown(step: Step, asked: Asked, answer: Answer, links: Links) -> Shown:
    """Return a Step's answer to read, with its secrets masked, and the way to its run.

    The answer to an error that the project makes a page of does not name its trace.
    """
    trace_id = answer.header(TRACE_HEADER) or tracing.trace_id_from(asked.headers)
    has_run, run_url = run_of(trace_id, links) if trace_id else (False, "")
    body, note = _readable(answer, step)
    masked = words.masked(words.masked(dict(answer.headers)), step.name)
    return Shown(
        status=f"{answer.status} {answer.phrase}",
        is_error=answer.status >= 400,
        took=words.duration(timedelta(seconds=answer.seconds)),
        headers=[(name, str(masked[name])) for name in masked],
        body=body,
        note=note,
        run_url=run_url,
        has_run=has_run,
        is_traced=bool(answer.header(TRACE_HEADER)),
    )


def run_of(trace_id: str, links: Links) -> tuple[bool, str]:
    """Return whether a trace began with the run of an http Step, and that one's page if seen."""
    run = ledger.rows(trace_id=trace_id, trigger="http").only("id", "step").last()
    if run is None:
        return False, ""
    return True, links.run(run.id) if permits.may(links.request, "motia.view_run", run.step) else ""


def _known(name: str) -> str:
    for each in OWN_HEADERS:
        if each.lower() == name.lower():
            return each
    raise ValidationError(
        _(
            "%s: this header cannot be sent from here. A proxy may be trusted to set it, and this"
            " request passes none."
        )
        % name
    )


def _mount(step: Step, trigger: HttpTrigger) -> str:
    """Return what stands before the declared paths, without a slash at its end."""
    placeholders = ["x"] * len(trigger.parameters)
    try:
        found = unquote(reverse(f"motia:{step.url_name}", args=placeholders))
    except NoReverseMatch:
        return ""
    found = "/" + found.removeprefix(get_script_prefix())
    for _index, each in step.triggers_of("http"):
        tail = _filled(each, dict.fromkeys(_parameters(each), "x"))
        if found.endswith(tail):
            return found.removesuffix(tail)
    return ""


def _filled(trigger: Trigger, values: Mapping[str, str]) -> str:
    assert isinstance(trigger, HttpTrigger)
    parts = trigger.path.split("/")
    return "/".join(values[part[1:]] if part.startswith(":") else part for part in parts)


def _parameters(trigger: Trigger) -> tuple[str, ...]:
    assert isinstance(trigger, HttpTrigger)
    return trigger.parameters


def _readable(answer: Answer, step: Step) -> tuple[str, str]:
    kind = answer.header("Content-Type")
    note = _("Only the beginning is shown.") if answer.is_cut else ""
    text = answer.body.decode(errors="replace")
    told = {"size": len(answer.body), "kind": kind or _("no content type")}
    if "json" in kind and answer.body:
        return _masked(text, step) or ("", str(_UNMASKED) % told)
    if kind.startswith("text/") or "xml" in kind or not answer.body:
        return text, note
    return "", _("%(size)d bytes of %(kind)s, which are not shown.") % told


def _masked(text: str, step: Step) -> tuple[str, str] | None:
    """Return JSON without its secrets, of which there is no note; None if it is cut or broken."""
    try:
        return words.document(words.masked(payloads.loads(text), step.name)), ""
    except (ValueError, PayloadError):
        return None
