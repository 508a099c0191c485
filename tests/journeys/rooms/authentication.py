"""A host's own authentication: `Authorization: Bearer <name>` is that user, if there is one."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class ByName(BaseAuthentication):
    """Believes whoever gives a name that is known."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return the user of that name; raise what a host's authentication may raise."""
        keyword, _, name = get_authorization_header(request).decode().partition(" ")
        if keyword != "Bearer":
            return None
        if name == "crash":
            raise RuntimeError("the host's authentication is broken")
        user = get_user_model()._default_manager.filter(username=name).first()
        if user is None:
            raise AuthenticationFailed
        return user, {"userId": user.get_username()}
