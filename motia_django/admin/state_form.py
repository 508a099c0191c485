"""The form of one item of state: any JSON value, kept as it was typed until it is right."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from motia_django import masks, models, payloads
from motia_django.admin import words
from motia_django.exceptions import InvalidInput, PayloadError


class Typed(str):
    """Text as it was typed, to be shown again as it is."""

    __slots__ = ()


class JSONArea(AdminTextareaWidget):
    """A textarea as high as its text."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        lines = str(value or "").count("\n") + 2
        high = {"rows": str(min(max(lines, 8), 40)), "spellcheck": "false"}
        classes = f"{(attrs or {}).get('class', 'vLargeTextField')} motia-json"
        return super().get_context(name, value, {**(attrs or {}), **high, "class": classes})


class JSONValueField(forms.Field):
    """Any JSON value, null included; what is empty for other fields is a value here."""

    widget = JSONArea

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        if not text:
            raise ValidationError(_('A value is required; write null or "" for an empty one.'))
        try:
            parsed = json.loads(text)
            payloads.dumps(parsed)
        except (ValueError, PayloadError, RecursionError) as error:
            raise ValidationError(_("This is not JSON: %s") % error) from error
        return parsed

    def validate(self, value: Any) -> None:
        """Accept every value: `to_python` has refused what is none."""

    def bound_data(self, data: Any, initial: Any) -> Any:
        return Typed(data or "")

    def prepare_value(self, value: Any) -> str:
        return value if isinstance(value, Typed) else words.indented(value)


class StateItemForm(forms.ModelForm):  # type: ignore[type-arg]
    """Adds or changes an item, unless somebody else changed it in the meantime.

    The value is not the model's field but `content`: a model cleans its fields once more, and would
    take a JSON string for JSON text.
    """

    class Meta:
        model = models.StateItem
        fields = ("group", "key")

    content = JSONValueField(
        label=gettext_lazy("Value"),
        help_text=gettext_lazy(
            "Any JSON value: an object, a list, text in quotes, 17, true, null."
        ),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=500,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("For the log. It may be left empty."),
    )
    seen_version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("group", "key"):
            if name in self.fields:
                self.fields[name].strip = False  # type: ignore[attr-defined]
        if self.instance.pk is None:
            self.initial["content"] = Typed("")
        else:
            self.initial["content"] = words.masked(self.instance.value)
            self.initial["seen_version"] = self.instance.version

    def clean_content(self) -> Any:
        """Return the value with its secrets where their masks were left alone."""
        typed, what = self.cleaned_data["content"], _("The value")
        value = None if self.instance.pk is None else self.instance.value
        try:
            return masks.restored(typed, value, words.masked(value), what)
        except InvalidInput as error:
            raise ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any] | None:
        """Refuse to overwrite what the user has not seen; the row is locked until it is saved."""
        if self.instance.pk is not None:
            seen = self.cleaned_data.get("seen_version")
            now = _rows().select_for_update().filter(pk=self.instance.pk).first()
            if now is None or now.version != seen:
                raise ValidationError(_conflict(now), code="conflict")
        return super().clean()

    def _get_validation_exclusions(self) -> set[str]:
        """Let nobody add what is there; but an item that has expired is in nobody's way."""
        names = {name: self.cleaned_data.get(name) for name in ("group", "key")}
        ended = _rows().filter(**names, expires_at__lte=timezone.now())
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions | {"group"} if self.instance.pk is None and ended.exists() else exclusions


def _rows() -> QuerySet[models.StateItem]:
    return models.StateItem.objects.using(router.db_for_write(models.StateItem))


def _conflict(now: models.StateItem | None) -> Any:
    when = words.moment(now.updated_at) if now else ""
    return format_html(
        '{} <a href="" target="_blank" rel="noopener">{}</a>',
        _(
            "This item was changed at %s, after you opened it, so nothing was saved. What you typed"
            " is still below."
        )
        % when,
        _("Open the item as it is now"),
    )
