"""The page on which a message is sent by hand: who will hear it, what it says, when it is due."""

from __future__ import annotations

from collections.abc import Iterable

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from motia_django import ledger, models, starts
from motia_django.admin import once, permits, triggers
from motia_django.admin.examples import example
from motia_django.admin.interventions import log, logged, who
from motia_django.admin.links import Links
from motia_django.admin.pages import ReadOnlyAdmin
from motia_django.admin.run_forms import ReasonForm
from motia_django.admin.start_forms import LONGEST, told
from motia_django.admin.state_form import JSONValueField
from motia_django.exceptions import InvalidInput, MotiaError
from motia_django.messages import Message
from motia_django.registry import Listener, registry

PERMISSION = "motia.enqueue_message"
LONGEST_DELAY = 366 * 24 * 3600


class SendForm(ReasonForm):
    """A message, with what `enqueue` takes besides."""

    content = JSONValueField(label=gettext_lazy("Message"))
    delay = forms.FloatField(
        label=gettext_lazy("Delay"),
        required=False,
        min_value=0,
        max_value=LONGEST_DELAY,
        help_text=gettext_lazy("Seconds before the first try (delaySeconds)."),
    )
    group = forms.CharField(
        label=gettext_lazy("Message group"),
        required=False,
        max_length=LONGEST,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("Where a fifo trigger listens, whose order it keeps."),
    )
    key = forms.CharField(
        label=gettext_lazy("Dedupe key"),
        required=False,
        max_length=LONGEST,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("While a run that this key began is unfinished, no other begins."),
    )
    field_order = ("content", "delay", "group", "key", "reason")

    def message(self, topic: str) -> Message:
        """Return what was typed."""
        return Message(
            topic=topic,
            data=self.cleaned_data["content"],
            delay_seconds=self.cleaned_data["delay"] or 0,
            message_group_id=self.cleaned_data["group"] or None,
            dedupe_key=self.cleaned_data["key"] or None,
        )


def may_send(request: HttpRequest, topic: str) -> bool:
    """Return whether this request's user may send to a topic: to all who listen there."""
    hearers = registry().subscribers(topic)
    return bool(hearers) and all(
        permits.may(request, PERMISSION, each.step.name) for each in hearers
    )


def topics(admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """Show the topics that this request's user may send to, and who listens on each."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    links = admin.links(request)
    found = {each.trigger.source for step in registry() for each in _queues(step.name)}
    rows = [
        {"topic": each, "heard_by": _named(registry().subscribers(each), links)}
        for each in sorted(found)
        if may_send(request, each)
    ]
    template = "admin/motia/start/topics.html"
    return admin.page(request, template, _("Enqueue a message"), rows=rows, steps_url=links.steps())


def enqueue(admin: ReadOnlyAdmin, request: HttpRequest, topic: str) -> HttpResponse:
    """Ask for the message; on POST send it."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    hearers = registry().subscribers(topic)
    if not hearers:
        raise Http404(_("Nobody listens on the topic %s.") % topic)
    if not may_send(request, topic):
        raise PermissionDenied
    form = SendForm(None, request.POST if request.method == "POST" else None)
    form.initial["content"] = example(hearers[0].trigger.schema)
    if request.method == "POST" and form.is_valid() and _sent(admin, request, topic, form):
        return HttpResponseRedirect(request.get_full_path())
    return _page(admin, request, topic, hearers, form)


def _queues(step: str) -> list[Listener]:
    found = registry().step(step)
    return [
        Listener(step=found, index=index, trigger=trigger)
        for index, trigger in found.triggers_of("queue")
    ]


def _sent(admin: ReadOnlyAdmin, request: HttpRequest, topic: str, form: SendForm) -> bool:
    reason = form.cleaned_data["reason"]
    sent: dict[str, bool] = {}

    def act() -> list[str]:
        sent.update(starts.send(form.message(topic), by=who(request), reason=reason))
        return list(sent)

    try:
        began, is_new = once.start(request, act)
    except InvalidInput as error:
        form.add_error("content", list(told(error.errors)))
        return False
    except MotiaError as error:
        form.add_error(None, str(error))
        return False
    new = sum(sent.values())
    if new:
        names = dict.fromkeys(each.step.name for each in registry().subscribers(topic))
        log(request, map(_step, names), logged(f"Enqueue: {topic}", reason))
    text = _count(new, len(sent) - new) if is_new else once.already()
    told_now = format_html("{} {}", text, _runs(began, admin.links(request)))
    admin.message_user(request, told_now, messages.SUCCESS if new else messages.WARNING)
    return True


def _step(name: str) -> models.Step:
    return models.Step(name=name)


def _count(new: int, old: int) -> str:
    """Return how many runs there are, and how many of them were there before."""
    began = ngettext("The message was sent to %d run.", "The message was sent to %d runs.", new)
    stood = ngettext(
        "%d run that was begun by this dedupe key holds it: no other began in its place.",
        "%d runs that were begun by this dedupe key hold it: no others began in their place.",
        old,
    )
    return " ".join(text % count for text, count in ((began, new), (stood, old)) if count)


def _runs(sent: Iterable[str], links: Links) -> SafeString:
    """Return the way to each run for who may see it, by the name of its Step."""
    rows = ledger.rows(id__in=list(sent)).only("id", "step").order_by("id")
    shown = permits.narrowed(rows, links.request)
    runs = [(links.run(row.id), row.step) for row in shown]
    return format_html_join(", ", '<a href="{}">{}</a>', [run for run in runs if run[0]])


def _page(
    admin: ReadOnlyAdmin, request: HttpRequest, topic: str, hearers: list[Listener], form: SendForm
) -> HttpResponse:
    links = admin.links(request)
    schemas = [
        (each.step.name, triggers.document(each.trigger.schema))
        for each in hearers
        if each.trigger.schema is not None
    ]
    return admin.page(
        request,
        "admin/motia/start/enqueue.html",
        _("Enqueue to %s") % topic,
        topic=topic,
        form=form,
        heard_by=_named(hearers, links),
        schemas=schemas,
        topics_url=reverse("admin:motia_step_topics", current_app=admin.admin_site.name),
        steps_url=links.steps(),
    )


def _named(hearers: list[Listener], links: Links) -> list[tuple[str, str]]:
    names = dict.fromkeys(each.step.name for each in hearers)
    return [(name, links.step(name)) for name in names]
