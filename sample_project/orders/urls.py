"""A page of the shop, beside what the Steps serve."""

from __future__ import annotations

from django.urls import path
from django.views.generic import TemplateView

urlpatterns = [
    path("live/", TemplateView.as_view(template_name="orders/live.html"), name="live"),
]
