"""Settings of the tests that look at the console under django-unfold, whose scripts need `eval`."""

from __future__ import annotations

from sample_project.settings import *  # noqa: F403
from sample_project.settings import INSTALLED_APPS

INSTALLED_APPS = ["unfold", *INSTALLED_APPS]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
