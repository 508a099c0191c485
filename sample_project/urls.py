"""The admin at /admin/, the shop's page at /live/, and at the root what the http Steps serve."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("sample_project.orders.urls")),
    path("", include("motia_django.urls")),
]
