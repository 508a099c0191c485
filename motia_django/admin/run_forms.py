"""The forms before something is done to a run: why, with what input, to which Step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from motia_django import models, operations, repeats
from motia_django.admin import words
from motia_django.admin.state_form import JSONValueField
from motia_django.registry import registry


class ReasonForm(forms.Form):
    """Asks why; `changes()` is what of the run is to be another."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=500,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("For the run's timeline and the log. It may be left empty."),
    )

    def __init__(self, row: models.Run | None, *args: Any, **kwargs: Any) -> None:
        self.row = row
        super().__init__(*args, **kwargs)

    def limit(self, may_take: Callable[[str], bool]) -> None:
        """Leave out the Steps that are not to be asked about this run, where there is a choice."""

    def changes(self) -> dict[str, Any]:
        """Return further arguments for what is done."""
        return {}


class RedriveForm(ReasonForm):
    """Redrives a run as it is, if today's schema takes its input."""

    def clean(self) -> None:
        _check(self.row)


class EditForm(ReasonForm):
    """Redrives a run with another input."""

    content = JSONValueField(label=gettext_lazy("Input"))
    field_order = ("content", "reason")

    def __init__(self, row: models.Run, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        self.initial["content"] = words.masked_input(row)

    def clean_content(self) -> Any:
        """Return the input as it was typed, if today's schema takes it, its secrets put back."""
        typed = self.cleaned_data["content"]
        _check(self.row, input=typed)
        return typed

    def changes(self) -> dict[str, Any]:
        return {"input": self.cleaned_data["content"]}


class RerunForm(ReasonForm):
    """Runs a finished run's Step again with the same input, if that was kept whole."""

    def clean(self) -> None:
        assert self.row is not None
        _refuse(repeats.refusal(self.row.id))


class RerunEditForm(ReasonForm):
    """Runs a finished run's Step again with another input, which has to be whole."""

    content = JSONValueField(label=gettext_lazy("Input"))
    field_order = ("content", "reason")

    def __init__(self, row: models.Run, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        self.run = row
        self.initial["content"] = words.masked_input(row)
        if repeats.missing(row.input):
            self.fields["content"].help_text = gettext_lazy(
                "What was stored is not whole: secrets were masked when the run was over, and what"
                " was large was cut. Write out what is missing."
            )

    def clean_content(self) -> Any:
        """Return the input as it was typed, if it is whole, and today's schema takes it."""
        typed = self.cleaned_data["content"]
        _refuse(repeats.refusal(self.run.id, input=typed))
        return typed

    def changes(self) -> dict[str, Any]:
        return {"input": self.cleaned_data["content"]}


class MoveForm(ReasonForm):
    """Redrives a run to another Step."""

    step = forms.ChoiceField(label=gettext_lazy("Step"))
    field_order = ("step", "reason")

    def __init__(self, row: models.Run, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        self.run = row
        self.limit(lambda name: True)

    def limit(self, may_take: Callable[[str], bool]) -> None:
        """Offer, and ask, no other Steps than these."""
        field = self.fields["step"]
        assert isinstance(field, forms.ChoiceField)
        names = [name for name in takers(self.run) if may_take(name)]
        field.choices = [("", "---------"), *((name, name) for name in names)]

    def clean_step(self) -> str:
        """Return the Step, if it takes the run."""
        name = str(self.cleaned_data["step"])
        _check(self.row, to=name)
        return name

    def changes(self) -> dict[str, Any]:
        return {"to": self.cleaned_data["step"]}


def takers(row: models.Run) -> list[str]:
    """Return the Steps that have a trigger of the kind that started this run.

    Its own is one of them only if the trigger that started it is gone.
    """
    there = registry().takes(row.step, row.trigger, row.index, row.source)
    others = (step for step in registry() if not there or step.name != row.step)
    return sorted(step.name for step in others if step.triggers_of(row.trigger))


def _check(row: models.Run | None, **changes: Any) -> None:
    _refuse(operations.refusal(row.id, **changes) if row else "")


def _refuse(refusal: str) -> None:
    if refusal:
        raise ValidationError(refusal)
