"""For a project's `wsgi.py`: Django's application, with less to be done for each request."""

from __future__ import annotations

from django.core.handlers.wsgi import WSGIHandler

from motia_django.web.setup import set_up


def get_wsgi_application() -> WSGIHandler:
    """Return Django's WSGI application, with less to be done for each request.

        application = get_wsgi_application()

    It stands in the place of Django's function of that name, and answers as Django's does: it
    remembers where the paths of Steps lead to, does what Django does before and after each request
    in one go, and tells how long an answer is, so that servers need not send it in chunks.

    Raise `ImproperlyConfigured` if the project is without `motia_django`.
    """
    set_up("wsgi")
    from motia_django.web.wsgi_handler import WsgiHandler

    return WsgiHandler()
