"""The `MOTIA` setting: one dict in the project's settings, every default in sight here."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.dispatch import receiver

from motia_django import redaction
from motia_django.exceptions import SettingsError, did_you_mean

ORM_STATE = "motia_django.stores.orm.OrmState"
REDIS_STATE = "motia_django.stores.redis.RedisState"
MEMORY_STATE = "motia_django.stores.memory.MemoryState"
RETENTION: Mapping[str, float | None] = {
    "succeeded": 14,
    "skipped": 14,
    "cancelled": 30,
    "dead": None,
}


STREAMS: Mapping[str, Any] = {
    "WAKE": "auto",
    "CACHE": "default",
    "POLL": 0.25,
    "LIFETIME": 3600.0,
    "RECHECK": 30.0,
}
WAYS_TO_WAKE = ("auto", "redis", "postgresql", "poll")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of motia_django. Each attribute is a key of `MOTIA`, in upper case."""

    state: Mapping[str, Any] = field(default_factory=lambda: {"BACKEND": ORM_STATE})
    """Where state lives: `BACKEND` is the path of a `StateStore`, other keys are its options."""

    undeclared_topics: str = "warn"
    """What `enqueue` does with a topic that the Step does not list: allow, warn, error."""

    unheard_topics: str = "warn"
    """What `enqueue` does, wherever it is called, with a topic that no Step listens on: ignore,
    warn, error."""

    invalid_responses: str = "debug"
    """What a response that breaks its schema becomes: error (a 500), log (it is sent, and an error
    logged), or debug (error while DEBUG is on, log otherwise)."""

    max_depth: int = 1000
    """How many runs may cause one another in a row before the next is refused as a loop."""

    lease: float = 60.0
    """Seconds after which a running run whose process has gone silent is given to another."""

    publish_timeout: float = 0.5
    """Seconds a request waits for the broker's socket before it leaves the message to upkeep."""

    publish_patience: float = 30.0
    """Seconds after which a published run that nobody has claimed is published again; doubles each
    time, up to an hour."""

    upkeep_interval: float = 1.0
    """Seconds between two rounds of upkeep in each worker."""

    record: str = "all"
    """Which runs the history keeps: all, or failures (then messages are light, and quick)."""

    history_delay: float = 0.05
    """Seconds for which an answered request may wait to be written to the history, together with
    others; 0 writes each before its answer is sent."""

    prepare: bool = False
    """Whether PostgreSQL plans the statements of a run once for each connection, not each time. An
    old PgBouncer in its transaction mode cannot."""

    retention: Mapping[str, float | None] = field(default_factory=lambda: dict(RETENTION))
    """Days after which finished runs are deleted, by status; None keeps them for ever."""

    timeline_entries: int = 200
    """Most entries that a run's timeline keeps."""

    max_payload: int = 64 * 1024
    """Bytes of JSON up to which inputs and outputs are kept whole in the history; what still has to
    be delivered is always kept whole."""

    streams: Mapping[str, Any] = field(default_factory=lambda: dict(STREAMS))
    """How processes tell each other that a stream has changed: `WAKE` is auto, redis, postgresql or
    poll; `CACHE` the alias of the cache that is on Redis; `POLL` the seconds between two looks.
    `LIFETIME` is how many seconds, give or take a fifth, a connection may be open; `RECHECK` the
    seconds between two looks whether its user is still active and has his password."""

    stream_retention: float = 3600.0
    """Seconds for which the events of streams are kept, so that who was away may resume."""

    redact: tuple[str, ...] = (
        "password",
        "passwd",
        "secret",
        "token",
        "api_key",
        "apikey",
        "authorization",
        "cookie",
        "signature",
        "credit_card",
        "card",
        "pan",
        "cvv",
        "cvc",
        "iban",
        "-Key",
    )
    """A value whose key contains one of these words (case and `-`/`_` apart) is masked before it is
    kept in the history or logged; those of up to four letters as words of their own. One that
    begins with `-` is how the name of a header ends. `{"add": [...]}` adds to these. A Step may
    have words of its own."""

    may: str | None = None
    """The path of a function `(user, permission, step, flows) -> bool` that the admin asks besides
    Django's permissions: who may do what to which Step."""

    metrics_token: str | None = None
    """What Prometheus shows to be let in to the metrics; None shuts them."""


_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "undeclared_topics": ("allow", "warn", "error"),
    "unheard_topics": ("ignore", "warn", "error"),
    "invalid_responses": ("error", "log", "debug"),
    "record": ("all", "failures"),
    "prepare": (True, False),
}
_COUNT: tuple[Any, str] = (int, "a whole number")
_SECONDS: tuple[Any, str] = (int | float, "a number")
_MAY_BE_ZERO = ("history_delay",)
_NUMBERS = {
    "history_delay": _SECONDS,
    "max_depth": _COUNT,
    "lease": _SECONDS,
    "publish_timeout": _SECONDS,
    "publish_patience": _SECONDS,
    "upkeep_interval": _SECONDS,
    "timeline_entries": _COUNT,
    "max_payload": _COUNT,
    "stream_retention": _SECONDS,
}


@cache
def settings() -> Settings:
    """Return the settings in force now, `override_settings` included; raise `SettingsError`."""
    declared = getattr(django_settings, "MOTIA", None)
    return Settings() if declared is None else _parse(declared)


def are_readable() -> bool:
    """Return whether the settings in force now can be read."""
    try:
        settings()
    except SettingsError:
        return False
    return True


@receiver(setting_changed, dispatch_uid="motia.conf")
def _forget(*, setting: str, **kwargs: Any) -> None:
    """Read the settings anew: a test has changed them, or gives them back."""
    if setting == "MOTIA":
        settings.cache_clear()


def _parse(declared: Any) -> Settings:
    """Return the settings as declared; raise `SettingsError`, which names all that is wrong."""
    if not isinstance(declared, Mapping):
        raise SettingsError(f"MOTIA: expected a dict, got {type(declared).__name__}")
    known = {each.name.upper(): each.name for each in fields(Settings)}
    wrong = [_unknown("MOTIA", key, known) for key in declared if key not in known]
    values = {known[key]: value for key, value in declared.items() if key in known}
    for name, usual in {"retention": RETENTION, "streams": STREAMS}.items():
        if isinstance(values.get(name), Mapping):
            values[name] = {**usual, **values[name]}
    own = redaction.read(values.get("redact", ()))
    if "redact" in values and own is not None:
        values["redact"] = own.beside(Settings().redact)
    found = Settings(**values)
    if own is None:
        expected = 'a list of words, or {"add": [...]} to add some to the default'
        wrong.append(_wrong("redact", expected, found.redact))
    wrong += _problems(found)
    if wrong:
        raise SettingsError("\n".join(wrong))
    return found


def _problems(found: Settings) -> Iterator[str]:
    """Say of each value that is wrong what was expected."""
    for name, words in _CHOICES.items():
        value = getattr(found, name)
        if value not in words:
            yield _wrong(name, f"one of {', '.join(map(str, words))}", value)
    for name, (types, expected) in _NUMBERS.items():
        value = getattr(found, name)
        is_number = isinstance(value, types) and not isinstance(value, bool)
        may_be_zero = name in _MAY_BE_ZERO
        if not is_number or not 0 <= value < 1e9 or not (value or may_be_zero):
            least = "not less than 0" if may_be_zero else "greater than 0"
            yield _wrong(name, f"{expected} {least}", value)
    yield from _problems_of_retention(found.retention)
    yield from _problems_of_streams(found.streams)
    if not isinstance(found.state, Mapping) or not isinstance(found.state.get("BACKEND"), str):
        yield _wrong("state", f'a dict such as {{"BACKEND": "{ORM_STATE}"}}', found.state)
    yield from _problems_of_token(found.metrics_token)
    path: Any = found.may
    if path is not None and not isinstance(path, str):
        yield _wrong("may", "the path of a function, such as 'shop.permissions.may'", path)


def _problems_of_retention(days: Any) -> Iterator[str]:
    if not isinstance(days, Mapping):
        yield _wrong("retention", f"a dict of days under {', '.join(RETENTION)}", days)
        return
    for status, age in days.items():
        if status not in RETENTION:
            yield _unknown("MOTIA['RETENTION']", status, RETENTION)
        elif not _is_age(age):
            yield _wrong("retention", "days greater than 0, or None for ever", age, status)


def _problems_of_streams(declared: Any) -> Iterator[str]:
    if not isinstance(declared, Mapping):
        yield _wrong("streams", f"a dict with {', '.join(STREAMS)}", declared)
        return
    yield from (
        _unknown("MOTIA['STREAMS']", key, STREAMS) for key in declared if key not in STREAMS
    )
    if declared["WAKE"] not in WAYS_TO_WAKE:
        yield _wrong("streams", f"one of {', '.join(WAYS_TO_WAKE)}", declared["WAKE"], "WAKE")
    if not isinstance(declared["CACHE"], str):
        yield _wrong("streams", "the alias of a cache", declared["CACHE"], "CACHE")
    for key, most in {"POLL": 60, "LIFETIME": 1e6, "RECHECK": 1e6}.items():
        if not _is_within(declared[key], most):
            expected = f"a number greater than 0, up to {most:g}"
            yield _wrong("streams", expected, declared[key], key)


def _problems_of_token(token: Any) -> Iterator[str]:
    """Say if it is no token that can be sent, and not be guessed; what it is remains unsaid."""
    if token is None:
        return
    if not isinstance(token, str) or not re.fullmatch(r"[!-~]{16,}", token):
        got = type(token).__name__ if not isinstance(token, str) else "another text"
        text = "16 printable ASCII characters or more without a space"
        yield f"MOTIA['METRICS_TOKEN']: expected {text}, got {got}"


def _is_age(days: Any) -> bool:
    return days is None or (_is_number(days) and 0 < days < 1e5)


def _is_within(value: Any, most: float) -> bool:
    return _is_number(value) and 0 < value <= most


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unknown(where: str, key: object, known: Collection[str]) -> str:
    nearest = did_you_mean(str(key), known)
    return f"{where}: unknown key {key!r}.{nearest} Known are {', '.join(sorted(known))}."


def _wrong(name: str, expected: str, got: object, key: str = "") -> str:
    where = f"MOTIA[{name.upper()!r}]" + (f"[{key!r}]" if key else "")
    return f"{where}: expected {expected}, got {got!r}"
