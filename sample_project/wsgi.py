"""The WSGI application."""

from __future__ import annotations

import os

from motia_django.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sample_project.settings")

application = get_wsgi_application()
