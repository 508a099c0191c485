"""The bases of our admin classes: Django's, or django-unfold's where that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps

IS_UNFOLD = apps.is_installed("unfold")
STYLES = ("motia_django/unfold.css",) * IS_UNFOLD + ("motia_django/admin.css",)
"""The style sheets of our pages."""

if TYPE_CHECKING or not IS_UNFOLD:
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin.views.main import ChangeList
else:
    from unfold.admin import ModelAdmin
    from unfold.views import ChangeList

__all__ = ["IS_UNFOLD", "STYLES", "ChangeList", "ModelAdmin"]
