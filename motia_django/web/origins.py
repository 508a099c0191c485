"""From which pages a browser may open a WebSocket: those of this site, and those it trusts."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.utils.http import is_same_domain


def is_trusted(request: HttpRequest) -> bool:
    """Return whether a handshake comes from a page that may use its visitor's session.

    The rule is that of Django's CSRF protection: the page's origin is that of the request, or one
    of `CSRF_TRUSTED_ORIGINS`. Every browser sends an `Origin` (RFC 6455, section 4.1), so who sends
    none is no browser, and is trusted. Raise `DisallowedHost` for a host out of `ALLOWED_HOSTS`.
    """
    own = f"{request.scheme}://{request.get_host()}"
    origin = request.headers.get("Origin")
    if origin is None or origin == own:
        return True
    return any(_matches(origin, trusted) for trusted in settings.CSRF_TRUSTED_ORIGINS)


def _matches(origin: str, trusted: str) -> bool:
    if "*" not in trusted:
        return origin == trusted
    (scheme, _, host), (trusted_scheme, _, domain) = (
        each.partition("://") for each in (origin, trusted)
    )
    return scheme == trusted_scheme and bool(is_same_domain(host, domain.lstrip("*")))
