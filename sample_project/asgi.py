"""The ASGI application; where Channels is installed, streams are served to WebSockets, too."""

from __future__ import annotations

import os
from importlib.util import find_spec

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

from motia_django.asgi import get_asgi_application, with_streams

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sample_project.settings")

django_application = get_asgi_application()
if settings.DEBUG:
    django_application = ASGIStaticFilesHandler(django_application)

application = with_streams(django_application) if find_spec("channels") else django_application
