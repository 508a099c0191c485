"""Settings of the tests that look at the console: the sample project's, under a strict policy."""

from __future__ import annotations

from sample_project.settings import *  # noqa: F403
from sample_project.settings import MIDDLEWARE

MIDDLEWARE = [*MIDDLEWARE, "tests.browser.policy.strict"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
