"""The forms by which a Step is started by hand: its input, checked before anything is born."""

from __future__ import annotations

import time
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.utils.translation import gettext_lazy

from motia_django.admin.examples import example
from motia_django.admin.run_forms import ReasonForm
from motia_django.admin.state_form import JSONValueField
from motia_django.exceptions import InvalidInput, MotiaError
from motia_django.triggers import QueueTrigger, StateTrigger, StreamTrigger, Trigger
from motia_django.triggers.state import StateChange
from motia_django.triggers.stream import StreamChange, StreamEvent

LONGEST = 255


class StartForm(ReasonForm):
    """What every start by hand asks for: the reason, and what the kind of trigger needs."""

    content_field = "content"
    """The field that errors of the input stand at."""

    def __init__(self, trigger: Trigger, *args: Any, **kwargs: Any) -> None:
        self.trigger = trigger
        super().__init__(None, *args, **kwargs)

    def given(self) -> Any:
        """Return the input as JSON, from what was typed."""
        return None

    def refuse(self, error: MotiaError) -> None:
        """Say next to the input what is wrong with it, field by field."""
        errors = error.errors if isinstance(error, InvalidInput) else {"": [str(error)]}
        self.add_error(self.content_field, told(errors))

    def _text(self, name: str) -> str:
        return str(self.cleaned_data.get(name) or "")


class TickForm(StartForm):
    """Starts a cron trigger: there is nothing to say but why."""

    content_field = "reason"


class MessageForm(StartForm):
    """Starts a queue trigger with a message."""

    content = JSONValueField(label=gettext_lazy("Input"))
    field_order = ("content", "reason")

    def __init__(self, trigger: QueueTrigger, *args: Any, **kwargs: Any) -> None:
        super().__init__(trigger, *args, **kwargs)
        self.initial["content"] = example(trigger.schema)

    def given(self) -> Any:
        return self.cleaned_data["content"]


def _choice(label: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label)


def _name(label: Any, help_text: Any = "", required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=LONGEST,
        strip=False,
        required=required,
        widget=AdminTextInputWidget,
        help_text=help_text,
    )


class StateChangeForm(StartForm):
    """Starts a state trigger with a change, which is told to this Step alone and not made."""

    event = _choice(gettext_lazy("Event"))
    group = _name(gettext_lazy("Group"))
    key = _name(gettext_lazy("Key"))
    old = JSONValueField(
        label=gettext_lazy("Value before"), help_text=gettext_lazy("Null if it is created.")
    )
    new = JSONValueField(
        label=gettext_lazy("Value after"), help_text=gettext_lazy("Null if it is deleted.")
    )
    content_field = "event"
    field_order = ("event", "group", "key", "old", "new", "reason")

    def __init__(self, trigger: StateTrigger, *args: Any, **kwargs: Any) -> None:
        super().__init__(trigger, *args, **kwargs)
        self.fields["event"].choices = [(each, each) for each in trigger.events]  # type: ignore[attr-defined]
        first = trigger.events[0]
        self.initial.update(group=trigger.group_id or "", key=trigger.item_id or "")
        self.initial.update(old=None if first == "created" else {})
        self.initial.update(new=None if first == "deleted" else {"changed": True})

    def given(self) -> dict[str, Any]:
        """Return the change as a run's input keeps it."""
        change = StateChange(
            event_type=f"state:{self.cleaned_data['event']}",
            group_id=self._text("group"),
            item_id=self._text("key"),
            old_value=self.cleaned_data["old"],
            new_value=self.cleaned_data["new"],
        )
        return change.to_json()


class StreamChangeForm(StartForm):
    """Starts a stream trigger with an event, which is told to this Step alone and not sent."""

    event = _choice(gettext_lazy("Event"))
    group = _name(gettext_lazy("Group"))
    item = _name(
        gettext_lazy("Item"),
        gettext_lazy("Empty for an event that is sent to the whole group."),
        required=False,
    )
    content = JSONValueField(
        label=gettext_lazy("Data"),
        help_text=gettext_lazy(
            "The item as it is now, or was if it is deleted; of an event that is sent, an object"
            " with its type and data."
        ),
    )
    field_order = ("event", "group", "item", "content", "reason")

    def __init__(self, trigger: StreamTrigger, *args: Any, **kwargs: Any) -> None:
        super().__init__(trigger, *args, **kwargs)
        self.fields["event"].choices = [(each, each) for each in trigger.events]  # type: ignore[attr-defined]
        self.initial.update(group=trigger.group_id or "", item=trigger.item_id or "")
        is_sent = trigger.events[0] == "event"
        self.initial["content"] = {"type": "", "data": {}} if is_sent else {}

    def given(self) -> dict[str, Any]:
        """Return the event as a run's input keeps it."""
        assert isinstance(self.trigger, StreamTrigger)
        data = self.cleaned_data["content"]
        change = StreamChange(
            stream_name=self.trigger.stream_name,
            group_id=self._text("group"),
            id=self._text("item") or None,
            event=StreamEvent(type=self.cleaned_data["event"], data=data),
            timestamp=round(time.time() * 1000),
        )
        return change.to_json()


def told(errors: Any) -> list[str]:
    """Return errors by field path as lines: `items.0.price: Field required`."""
    lines = []
    for path, texts in errors.items():
        lines += [f"{path}: {text}" if path else str(text) for text in texts]
    return lines
