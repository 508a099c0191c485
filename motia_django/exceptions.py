"""Every error this package raises, under one root: `MotiaError`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from functools import partial
from signal import Signals
from typing import Any

_LONGEST_SPAN = timedelta(seconds=10**10)
"""What is added to a time of today must still be a time."""


class MotiaError(Exception):
    """The root of all errors of this package."""


class SettingsError(MotiaError):
    """The `MOTIA` setting cannot be read as it stands."""


class StepFilesError(MotiaError):
    """Step files have problems, so nothing may start; the text lists every one of them."""


class ImportRefused(MotiaError):
    """A Motia project cannot be brought into an app as it stands; the text says why."""


class PayloadError(MotiaError, TypeError):
    """A value cannot be written as JSON.

    `path` is where in it ("items.0.owner"; the empty path is the whole value), `reason` says why.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        self.reason = reason
        self.path = path
        super().__init__(reason, path)

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason

    def within(self, subject: str) -> PayloadError:
        """Return the same of what holds the value, such as a message."""
        return PayloadError(self.reason, f"{subject}: {self.path}" if self.path else subject)


class Inexpressible(MotiaError):
    """A schema asks for what JSON Schema has no words for."""


class InvalidInput(MotiaError, ValueError):
    """What was given to a Step breaks its schema; trying again cannot help.

    `errors` maps a field path ("items.0.price") to its messages; the empty path is the whole value.
    `detail` has them as the REST framework serializer has them that found them; else it is None.
    """

    def __init__(
        self, subject: str, errors: Mapping[str, Sequence[str]], detail: Any = None
    ) -> None:
        self.subject = subject
        self.detail = detail
        self.errors = {path: list(messages) for path, messages in errors.items()}
        super().__init__(f"{subject} is invalid: {_sentence(self.errors)}")

    def __reduce__(self) -> tuple[type[InvalidInput], tuple[str, dict[str, list[str]]]]:
        return type(self), (self.subject, self.errors)


class InvalidResponse(InvalidInput):
    """An http Step answered with something its own declaration does not allow."""


class UnknownStep(MotiaError, LookupError):
    """No Step has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = sorted(known)
        super().__init__(f"There is no Step named {name!r}.{did_you_mean(name, self.known)}")

    def __reduce__(self) -> tuple[type[UnknownStep], tuple[str, list[str]]]:
        return type(self), (self.name, self.known)


class UnknownStream(MotiaError, LookupError, AttributeError):
    """No stream has this name, asked for as `streams["name"]` or `streams.name`."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = sorted(known)
        super().__init__(
            f"There is no stream named {name!r}.{did_you_mean(name, self.known)} A stream is"
            " declared by a file named *_stream.py in an installed app's folder steps/ or streams/,"
            f" or by Stream({name!r}) in a Step's file."
        )

    def __reduce__(self) -> tuple[type[UnknownStream], tuple[str | None, list[str]]]:
        return type(self), (self.name, self.known)


class UnknownFlow(MotiaError, LookupError):
    """No Step names this flow."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = sorted(known)
        super().__init__(f"There is no flow named {name!r}.{did_you_mean(name, self.known)}")

    def __reduce__(self) -> tuple[type[UnknownFlow], tuple[str, list[str]]]:
        return type(self), (self.name, self.known)


class TriggerGone(MotiaError, LookupError):
    """A run was born of a trigger that its Step no longer has."""


class InvalidMessage(MotiaError, ValueError):
    """What `enqueue` was given is not a message."""


class UndeclaredTopic(MotiaError):
    """A Step enqueued to a topic that its config does not list, and the settings forbid that."""


class UnknownTopic(MotiaError, LookupError):
    """No Step listens on this topic, and the settings forbid to send to it."""

    def __init__(self, topic: str, known: Iterable[str]) -> None:
        self.topic = topic
        self.known = sorted(known)
        super().__init__(
            f"No Step listens on the topic {topic!r}.{did_you_mean(topic, self.known)} (MOTIA"
            "['UNHEARD_TOPICS'] is 'error'; a Step may send to what its config's `enqueues` lists.)"
        )

    def __reduce__(self) -> tuple[type[UnknownTopic], tuple[str, list[str]]]:
        return type(self), (self.topic, self.known)


class TooDeep(MotiaError):
    """Runs keep causing runs: a loop of Steps, most likely."""


class WorkerLost(MotiaError):
    """The process that ran a Step is gone: its lease ran out."""


class LeaseLost(MotiaError):
    """This process was silent for so long that its run was given to another: it may not go on."""


class TimedOut(MotiaError):
    """An attempt took longer than its trigger's `visibilityTimeout`, or Celery's limits, allow.

    Or a run would be snoozed for longer than its `retryFor` does.
    """


class Retry(MotiaError):
    """Raise it in a handler to have the run tried again, `after` so many seconds or a timedelta.

    It counts as a failed attempt; without `after` the trigger's backoff decides when.
    """

    def __init__(self, reason: str = "", *, after: float | timedelta | None = None) -> None:
        self.reason = reason
        self.after = None if after is None else _span("Retry", after)
        super().__init__(reason or "the handler asked for another try")

    def __reduce__(self) -> tuple[partial[Retry], tuple[str]]:
        return partial(type(self), after=self.after), (self.reason,)


class Snooze(MotiaError):
    """Raise it in a handler to have the run go on `after` so many seconds, or a timedelta.

    It is no failure: no attempt is counted. `wake` has the run go on before that.
    """

    def __init__(self, reason: str = "", *, after: float | timedelta) -> None:
        self.reason = reason
        self.after = _span("Snooze", after)
        super().__init__(reason or "the handler asked to go on later")

    def __reduce__(self) -> tuple[partial[Snooze], tuple[str]]:
        return partial(type(self), after=self.after), (self.reason,)


class Dead(MotiaError):
    """Raise it in a handler, with the reason, to make the run dead at once: no retry can help."""


class Abandoned(MotiaError):
    """A handler was cancelled or called `sys.exit()`, or its process was told to end."""

    @classmethod
    def by(cls, error: BaseException) -> Abandoned:
        """Return what to say of the `error`, which would end more than one run.

        A process of Celery's that gets a signal exits with that signal's number, less 256.
        """
        code = error.code if isinstance(error, SystemExit) else None
        if isinstance(code, int) and code + 256 in set(Signals):
            return cls(f"its process was told to end ({Signals(code + 256).name})")
        return cls(f"it ended by {error!r}, not by returning or failing")


class CalledOff(Abandoned):
    """Whoever waited for an async handler has gone, and its task was cancelled."""


class DedupeConflict(MotiaError):
    """A run with this dedupe key is made by a transaction that this one cannot see; begin anew."""


class CannotIntervene(MotiaError):
    """What an operator asks for cannot be done; the text says why, in the operator's language."""


class InvalidRunId(MotiaError, ValueError):
    """What was given as a run's id is none."""


class NoMatch(MotiaError):
    """`ctx.match` was given no branch for the trigger that started this run."""


class CalledTwice(MotiaError):
    """A middleware called `next` a second time: a request is handled once."""


class InvalidKey(MotiaError, ValueError):
    """A group, a key of state or an item of a stream is not a string of 1 to 255 characters.

    Or what several of them were to be given as is no list of keys, or no dict.
    """


class InvalidIndex(MotiaError, ValueError):
    """A key that a handler gives its run is no short name with a text or a number, or one too many.

    Nor may its name look like that of a secret.
    """


class InvalidItem(MotiaError, ValueError):
    """What a stream was given is no item, or no event, of it."""


class InvalidUpdate(MotiaError, ValueError):
    """An update operation of state cannot be applied; none of its call was."""


class InvalidOption(MotiaError, ValueError):
    """A `ttl`, an `if_version` or a `limit` of state is not a number that makes sense."""


class VersionConflict(MotiaError):
    """An item of state has not the version that a write was meant for, so nothing was written."""

    def __init__(self, group: str, key: str, *, expected: int | None, found: int) -> None:
        self.group = group
        self.key = key
        self.expected = expected
        """The version that the writer had seen; 0 if he expected no item."""
        self.found = found
        """The version that the item has; 0 if there is none."""
        wanted = f"version {expected}" if expected else "no item"
        there = f"version {found}" if found else "no item"
        super().__init__(f"state: {group}/{key}: expected {wanted}, found {there}")

    def __reduce__(self) -> tuple[partial[VersionConflict], tuple[str, str]]:
        known = partial(type(self), expected=self.expected, found=self.found)
        return known, (self.group, self.key)


class NotSetUp(MotiaError):
    """The testing kit was asked for before Django was set up; the text says how it is."""


class StartsNothing(MotiaError, LookupError):
    """What a test calls can start no Step; the text says what could."""


class StoreUnavailable(MotiaError):
    """The server that keeps the state cannot be reached, or did not answer.

    A write that got this far may or may not have been made.
    """


def _span(who: str, after: Any) -> timedelta:
    """Return a wait that was given as seconds or as a timedelta; raise `TypeError`."""
    is_number = isinstance(after, int | float) and not isinstance(after, bool)
    if isinstance(after, timedelta) and abs(after) < _LONGEST_SPAN:
        return after
    if is_number and abs(after) < _LONGEST_SPAN.total_seconds():
        return timedelta(seconds=after)
    text = "seconds or a timedelta, of less than 10,000,000,000 s"
    raise TypeError(f"{who}: after: expected {text}, got {after!r:.100}")


def some_of(names: Sequence[str], most: int) -> str:
    """Return up to so many names, with commas between them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known word, or an empty string."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    nearest = get_close_matches(str(word).lower(), by_lower, n=1, cutoff=0.6)
    return f" Did you mean {by_lower[nearest[0]]!r}?" if nearest else ""


def _sentence(errors: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(
        f"{path}: {' '.join(messages)}" if path else " ".join(messages)
        for path, messages in errors.items()
    )
