"""What `test_unfold` tries under unfold's settings; pytest does not collect it by itself."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from unfold.admin import ModelAdmin

from motia_django import models


def test_all_our_pages_are_unfolds() -> None:
    ours = [each for each in admin.site._registry.items() if each[0]._meta.app_label == "motia"]
    assert len(ours) > 6
    assert all(isinstance(each, ModelAdmin) for _model, each in ours)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["motia_overview_changelist", "motia_run_changelist"])
def test_a_page_has_its_title_its_style_and_unfolds_frame(name: str) -> None:
    models.Worker.objects.create(name="here")
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    page = client.get(reverse(f"admin:{name}")).content.decode()
    assert "motia_django/admin.css" in page
    assert "motia_django/unfold.css" in page
    assert "unfold/css/styles.css" in page
    assert "data-motia-live" in page
