"""Before deploying: streams that anybody may follow, though nobody has said so."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks

from motia_django.checks.project import where
from motia_django.live import access
from motia_django.registry import registry
from motia_django.stream_config import StreamConfig

Warnings = Iterator[checks.CheckMessage]

OPEN = "motia.W033"


def streams() -> Warnings:
    """Warn of each stream that has no rule of its own where the project's lets everybody in."""
    unruled = [each for each in registry().streams.values() if not _has_rule(each)]
    if unruled and _lets_anybody_in():
        yield from (_open(each) for each in unruled)


def _has_rule(stream: StreamConfig) -> bool:
    return stream.can_access is not None or stream.on_join is not None


def _lets_anybody_in() -> bool:
    """Return whether the project's policies admit somebody who says nothing of himself."""
    scope = {"path": "/streams/", "query_string": b"", "headers": []}
    try:
        access.authenticate(access.request_of_scope(scope))
    except Exception:
        return False  # he was refused, or it cannot be known before there is a real request
    return True


def _open(stream: StreamConfig) -> checks.CheckMessage:
    return checks.Warning(
        f"Anybody may follow stream {stream.name!r}, without logging in: it has no canAccess, and"
        " REST framework's DEFAULT_PERMISSION_CLASSES refuse nobody.",
        hint='Give it "canAccess": a function of (subscription, auth), such as one that returns'
        ' auth.user.is_authenticated. If everybody may, say so: "canAccess": lambda: True.',
        obj=where(stream),
        id=OPEN,
    )
