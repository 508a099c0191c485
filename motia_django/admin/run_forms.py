"""The forms before something is done to a run: why, with what input, to which Step."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from motia_django import models, operations
from motia_django.admin import masks, words
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
        self.original = row.input
        self.initial["content"] = words.masked(row.input)

    def clean_content(self) -> Any:
        """Return the input with its secrets in place, if today's schema takes it."""
        whole = masks.restored(self.cleaned_data["content"], self.original)
        _check(self.row, input=whole)
        return whole

    def changes(self) -> dict[str, Any]:
        return {"input": self.cleaned_data["content"]}


class MoveForm(ReasonForm):
    """Redrives a run to another Step."""

    step = forms.ChoiceField(label=gettext_lazy("Step"))
    field_order = ("step", "reason")

    def __init__(self, row: models.Run, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        field = self.fields["step"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "---------"), *((name, name) for name in takers(row))]

    def clean_step(self) -> str:
        """Return the Step, if it takes the run."""
        name = str(self.cleaned_data["step"])
        _check(self.row, to=name)
        return name

    def changes(self) -> dict[str, Any]:
        return {"to": self.cleaned_data["step"]}


def takers(row: models.Run) -> list[str]:
    """Return the other Steps that have a trigger of the kind that started this run."""
    others = (step for step in registry() if step.name != row.step)
    return sorted(step.name for step in others if step.triggers_of(row.trigger))


def _check(row: models.Run | None, **changes: Any) -> None:
    refusal = operations.refusal(row.id, **changes) if row else ""
    if refusal:
        raise ValidationError(refusal)
