"""Tracebacks as people read them: from where the project's own code begins."""

from __future__ import annotations

from types import FrameType, TracebackType

from motia_django.exceptions import MotiaError

_AROUND = (
    *("motia_django", "celery", "billiard", "django", "rest_framework", "asgiref"),
    *("asyncio", "concurrent", "contextlib", "threading"),
)
"""Packages whose frames stand between the runner and a handler."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def shown(error: BaseException) -> ExcInfo:
    """Return an error as logs take it, by `exc_info`; its own traceback stays as it is.

    Where there is nothing of the project in it, an error of ours has none, since its text says all.
    """
    found = error.__traceback__
    while found is not None and _is_around(found.tb_frame):
        found = found.tb_next
    if found is None and not isinstance(error, MotiaError):
        found = error.__traceback__
    return type(error), error, found


def _is_around(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in _AROUND
