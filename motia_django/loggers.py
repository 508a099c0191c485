"""The logger handed to handlers: structured, bound to its Step, carried by stdlib logging."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from motia_django import payloads, tracing
from motia_django.conf import settings
from motia_django.lines import spelled_out
from motia_django.twofold import DONE, Done

LOGGER = logging.getLogger("motia.steps")


class Logger:
    """Writes lines such as `[ProcessTodo] Todo processed todoId=17` to the logger `motia.steps`.

    Every record also carries, for structured handlers, the attributes `step`, `run_id`, `trace_id`
    and `fields`; the line goes into the run's timeline too. Values under secret-looking keys are
    masked, by the Step's own word on them if it has one. Outside of a Step the same object logs
    without a prefix. `exc_info` means what it means to stdlib; every other keyword is a field. What
    it gives may be awaited, and need not be.
    """

    __slots__ = ("_scope",)

    def __init__(self, scope: tracing.Scope | None = None) -> None:
        self._scope = scope

    def debug(self, message: object, /, *args: Any, **fields: Any) -> Done:
        """Log for developers. `args` is one mapping of fields, or stdlib's %-arguments."""
        return self._log(logging.DEBUG, message, args, fields)

    def info(self, message: object, /, *args: Any, **fields: Any) -> Done:
        """Log what normally happens."""
        return self._log(logging.INFO, message, args, fields)

    def warning(self, message: object, /, *args: Any, **fields: Any) -> Done:
        """Log what someone should look at some time."""
        return self._log(logging.WARNING, message, args, fields)

    def error(self, message: object, /, *args: Any, **fields: Any) -> Done:
        """Log what went wrong."""
        return self._log(logging.ERROR, message, args, fields)

    def exception(self, message: object, /, *args: Any, **fields: Any) -> Done:
        """Log what went wrong, with the traceback of the exception being handled."""
        return self._log(logging.ERROR, message, args, {"exc_info": True, **fields})

    warn = warning

    def _log(
        self,
        level: int,
        message: object,
        args: tuple[Any, ...],
        fields: dict[str, Any],
    ) -> Done:
        scope = self._scope or tracing.current()
        exc_info = fields.pop("exc_info", None)
        masks = settings().redact if scope is None else scope.timeline.masks
        text, fields = _parted(message, args, fields, masks)
        if scope is not None:
            name = logging.getLevelName(level).lower()
            scope.timeline.add(
                "log", level=name, message=text, **({"fields": fields} if fields else {})
            )
        if LOGGER.isEnabledFor(level):
            line = Line(scope.step if scope else None, text, fields)
            LOGGER.log(level, line, extra=_extra(scope, fields), exc_info=exc_info, stacklevel=3)
        return DONE


class FallbackHandler(logging.StreamHandler[Any]):
    """Prints to stderr as long as nobody has configured logging, as stdlib's `lastResort` does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record, unless the root logger has handlers that do."""
        if not logging.getLogger().handlers:
            super().emit(record)


def show_in_development() -> None:
    """Show what Steps log in a project that has not configured logging, from INFO up.

    A project that has a say in the logger `motia`, or in the root, is left alone.
    """
    logger = logging.getLogger("motia")
    if not logger.handlers and logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
        logger.addHandler(FallbackHandler())


class Line:
    """A log message that is put into words only when a handler asks for them: one line of them."""

    __slots__ = ("fields", "step", "text")

    def __init__(self, step: str | None, text: str, fields: Mapping[str, Any]) -> None:
        self.step, self.text, self.fields = step, text, fields

    def __str__(self) -> str:
        prefix = f"[{self.step}] " if self.step else ""
        pairs = "".join(f" {key}={_shown(value)}" for key, value in self.fields.items())
        return spelled_out(f"{prefix}{self.text}{pairs}")


def _parted(
    message: object, args: tuple[Any, ...], fields: Mapping[str, Any], masks: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Tell Motia's `info("text", {"id": 1})` from stdlib's `info("text %s", 1)`."""
    text = _text(message)
    if len(args) == 1 and isinstance(args[0], Mapping) and "%(" not in text:
        fields = {**args[0], **fields}
    elif args:
        text = _filled(text, args)
    named = {_text(key): value for key, value in fields.items()}
    return payloads.plain_text(text), payloads.masked(payloads.presentable(named), masks)


def _filled(text: str, args: tuple[Any, ...]) -> str:
    """Fill in %-arguments; a call that does not fit must not fail the Step it logs for."""
    try:
        return text % (args[0] if len(args) == 1 and isinstance(args[0], Mapping) else args)
    except Exception:
        return " ".join([text, *map(_text, args)])


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return payloads.shown(value)


def _shown(value: Any) -> str:
    """Return a field's value as JSON; a word needs no quotes."""
    is_word = (
        isinstance(value, str) and value.isprintable() and value and not set(' "') & set(value)
    )
    return str(value) if is_word else payloads.dumps(value)


def _extra(scope: tracing.Scope | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    if scope is None:
        return {"step": None, "run_id": None, "trace_id": None, "fields": fields}
    return {
        "step": scope.step,
        "run_id": str(scope.run_id),
        "trace_id": scope.trace_id,
        "fields": fields,
    }
