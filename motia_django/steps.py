"""A Step: the config and the handler of one `*_step.py` file, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motia_django import calls, declarations, dialects, keys, redaction, triggers
from motia_django.conf import settings
from motia_django.declarations import Mismatch, Problem, Reader, config_reader, misspelt
from motia_django.dialects import several
from motia_django.exceptions import TriggerGone
from motia_django.redaction import Redact
from motia_django.sources import Place, Source
from motia_django.triggers import HttpTrigger, Trigger

BAD_HANDLER = "motia.E007"
_KEEP_THEIR_PLACE = ("http", "cron")
"""Kinds of triggers that stay the same if another address or schedule stands in their place."""
_SHORTEST_LEASE = 5.0
"""Seconds that a lease is never shortened below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A topic that a Step says it enqueues to; `label` and `conditional` are for people."""

    name: str
    label: str = ""
    conditional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One Step, checked and ready to run."""

    name: str
    description: str = ""
    triggers: tuple[Trigger, ...]
    enqueues: tuple[Topic, ...] = ()
    virtual_enqueues: tuple[Topic, ...] = ()
    """The topics of what follows from it outside of the code; for the picture of the flow only."""
    virtual_subscribes: tuple[str, ...] = ()
    """The topics that lead to it outside of the code; for the picture of the flow only."""
    on_dead: str = ""
    """The topic of the message that follows from the death of a run in the background."""
    flows: tuple[str, ...] = ()
    docs: str = ""
    """The address of what people should read about it, such as a runbook."""
    atomic: bool = False
    """Whether the handler, its messages and its completion are one database transaction."""
    record: str | None = None
    """Which of its runs the history keeps, `all` or `failures`; None leaves it to the setting."""
    index: keys.Index = ()
    """What its runs are found by: names, each with a path in the input; one may have several."""
    redact: Redact | None = None
    """The words of keys whose values are masked in its runs; None leaves it to the setting."""
    handler: Callable[..., Any]
    arity: int
    """With how many arguments the handler is called: 0, 1 or 2."""
    is_async: bool
    file: Path
    app: str = ""
    """The label of the Django app it lives in."""
    config_name: str = "config"
    """What its file calls its config."""
    topics: frozenset[str] = field(default=frozenset(), compare=False)
    """The names of `enqueues`."""
    unread: tuple[Problem, ...] = ()
    """Keys in its file, which is in an older dialect, that mean nothing."""

    @property
    def url_name(self) -> str:
        """The name for `reverse("motia:...")`: the Step's, with dots for its colons."""
        return in_urls(self.name)

    @property
    def line(self) -> int | None:
        """The line of the file that names it; the file is read for it."""
        return Source(self.file, self.config_name).line(("name",))

    @property
    def keeps_all(self) -> bool:
        """Whether the history keeps all of its runs, not the failed ones only."""
        return (self.record or settings().record) == "all"

    @property
    def masks(self) -> tuple[str, ...]:
        """The words of keys that are masked in its runs: its own, the setting's, or both."""
        general = settings().redact
        return general if self.redact is None else self.redact.beside(general)

    @property
    def limited(self) -> bool:
        """Whether any of its runs may have to wait its turn."""
        return any(trigger.delivery.limited for trigger in self.triggers)

    def lease(self, most: float) -> float:
        """Return the seconds of silence, `most` or less, after which its worker counts as lost.

        An attempt's limit shortens it, but not so far that a process that lives on a busy machine,
        and may be silent for some seconds, loses what it runs.
        """
        own = (trigger.delivery.visibility_timeout for trigger in self.triggers)
        return min([most, *(max(each, _SHORTEST_LEASE) for each in own if each is not None)])

    def trigger(self, kind: str, index: int, source: str = "") -> Trigger:
        """Return the trigger of `kind` that a run was born of, by its `source` if the file changed.

        A schedule or an address that was changed in its place is still the same; a message is for
        nobody but who listens on its topic. Raise `TriggerGone` if there is none.
        """
        there = self.triggers[index] if 0 <= index < len(self.triggers) else None
        if there is not None and there.kind == kind and there.source == source:
            return there
        same_kind = [each for each in self.triggers if each.kind == kind]
        by_source = [each for each in same_kind if each.starts_by(source)]
        if by_source:
            return there if there is not None and there in by_source else by_source[0]
        if there in same_kind and (kind in _KEEP_THEIR_PLACE or not source):
            return there
        if len(same_kind) == 1 and not source:
            return same_kind[0]
        raise TriggerGone(
            f"Step {self.name!r} has no trigger of type {kind}"
            f"{f' for {source!r}' if source else ''} here: it is gone, or newer than this process"
        )

    def has_trigger(self, kind: str, index: int, source: str = "") -> bool:
        """Return whether there is the trigger that such a run was born of."""
        try:
            return bool(self.trigger(kind, index, source))
        except TriggerGone:
            return False

    def index_of(self, trigger: Trigger | None) -> keys.Index:
        """Return what the runs of a trigger are found by; of one name its own paths count."""
        own = trigger.delivery.index if trigger else ()
        return keys.with_own(self.index, own) if own else self.index

    @property
    def http_triggers(self) -> list[HttpTrigger]:
        """Its triggers that requests start."""
        return [each for each in self.triggers if isinstance(each, HttpTrigger)]

    def says_it_sends(self, topic: str) -> bool:
        """Return whether its config lists a topic, or names it as the one that hears of deaths."""
        return topic in self.topics or topic == self.on_dead

    def triggers_of(self, kind: str) -> list[tuple[int, Trigger]]:
        """Return the triggers of `kind`, each with its index among all."""
        return [(index, each) for index, each in enumerate(self.triggers) if each.kind == kind]


def in_urls(name: str) -> str:
    """Return what a Step of this name is called in URL names, where a colon means a namespace."""
    return name.replace("::", ".").replace(":", ".")


def read_step(module: Any, file: Path, app: str) -> tuple[Step | None, list[Problem]]:
    """Read a Step file's module, or a part of it; return the Step, or all that is wrong."""
    source, declared = Source(file, several.config_name(module)), dialects.modern(module)
    handler = declared.handler
    arity = _arity_of(handler, source, misspelt(module, "handler"))
    problems = [arity] if isinstance(arity, Problem) else []
    hint, instead = 'Write config = {"name": "...", "triggers": [...]}.', misspelt(module, "config")
    reader = config_reader(declared, source, hint, instead)
    if isinstance(reader, Problem):
        return None, [*problems, reader]
    reader.unread = [] if declared.is_old else None
    values = _read_config(reader, needs_trigger=not declared.is_by_people)
    problems += reader.problems
    if not problems:
        problems += _yield_problems(handler, values, source)
    if problems or isinstance(arity, Problem):
        return None, sorted(problems, key=lambda problem: problem.line or 0)
    step = Step(
        **values,
        topics=frozenset(topic.name for topic in values["enqueues"]),
        handler=handler,
        arity=arity,
        is_async=calls.is_async(handler),
        file=file,
        config_name=source.config,
        app=app,
        unread=tuple(reader.unread or ()),
    )
    return step, []


def unknown_keys(config: Mapping[str, Any]) -> list[Place]:
    """Return where in a config, which is in no file yet, there are keys that no Step has."""
    reader = Reader(config, Source(Path()))
    reader.unread = []
    _read_config(reader, needs_trigger=False)
    return [each.place for each in reader.unread]


def _read_config(reader: Reader, *, needs_trigger: bool) -> dict[str, Any]:
    values = {
        "name": reader.take("name", declarations.name_up_to(200)),
        "description": reader.take("description", declarations.any_text, default=""),
        "enqueues": reader.take("enqueues", _topics, default=()),
        **_read_virtual(reader),
        "on_dead": reader.take("on_dead", declarations.name_up_to(255), default=""),
        "flows": reader.take("flows", declarations.texts, default=()),
        "docs": reader.take("docs", declarations.web_address, default=""),
        "triggers": _read_triggers(reader, _list_of_dicts if needs_trigger else _dicts),
        "atomic": reader.take("atomic", declarations.boolean, default=False),
        "record": reader.take("record", declarations.one_of("all", "failures"), default=None),
        "index": keys.taken(reader),
        "redact": reader.take("redact", _redact, default=None),
    }
    reader.finish("a Step")
    if not reader.problems:
        _refuse_secret_keys(reader, values)
    return values


def _refuse_secret_keys(reader: Reader, values: Mapping[str, Any]) -> None:
    """Note which index keys, of the Step and of its triggers, are masked in its runs."""
    keys.refuse_secrets(reader, values["redact"])
    for number, trigger in enumerate(values["triggers"]):
        index = {"index": keys.as_said(trigger.delivery.index)} if trigger.delivery.index else {}
        inner = reader.nested(reader.spelling("triggers"), index, number, "config")
        keys.refuse_secrets(inner, values["redact"])


def _read_virtual(reader: Reader) -> dict[str, Any]:
    """Read what happens outside of the code; Motia's older `virtualEmits` is the same key."""
    return {
        "virtual_enqueues": reader.take(
            "virtual_enqueues", _topics, default=(), also=("virtual_emits",)
        ),
        "virtual_subscribes": reader.take("virtual_subscribes", _topic_names, default=()),
    }


def _read_triggers(
    reader: Reader, parse: Callable[[Any], list[dict[str, Any]]]
) -> tuple[Trigger, ...]:
    before = len(reader.problems)
    declared = reader.take("triggers", parse)
    if len(reader.problems) > before:
        return ()
    key = reader.spelling("triggers")
    read = [triggers.read(reader.nested(key, raw, index)) for index, raw in enumerate(declared)]
    return tuple(each for each in read if each is not None)


def _list_of_dicts(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list | tuple) or not value:
        raise Mismatch("a list of at least one trigger")
    return _dicts(value)


def _dicts(value: Sequence[Any]) -> list[dict[str, Any]]:
    for each in value:
        if not isinstance(each, dict):
            raise Mismatch(f"a list of triggers, each a dict ({each!r:.50} is none)")
    return list(value)


def _redact(value: Any) -> Redact:
    own = redaction.read(value)
    if own is None:
        raise Mismatch(
            'a list of words, such as ["card", "iban"], in the place of MOTIA[\'REDACT\'], or'
            ' {"add": ["iban"]} to add some to it; [] masks nothing'
        )
    return own


def _topics(value: Any) -> tuple[Topic, ...]:
    if not isinstance(value, list | tuple):
        raise Mismatch("a list of topics")
    return tuple(_topic(each) for each in value)


def _topic_names(value: Any) -> tuple[str, ...]:
    names = declarations.texts(value)
    if not all(name.strip() for name in names):
        raise Mismatch("a list of topics, each a string that is not empty")
    return names


def _topic(value: Any) -> Topic:
    if isinstance(value, str) and value.strip():
        return Topic(name=value)
    if isinstance(value, dict) and isinstance(value.get("topic"), str) and value["topic"].strip():
        unknown = set(value) - {"topic", "label", "conditional"}
        if not unknown:
            return Topic(
                name=value["topic"],
                label=str(value.get("label", "")),
                conditional=bool(value.get("conditional", False)),
            )
    raise Mismatch('a list of topics, each a string or {"topic", "label", "conditional"}')


def _yield_problems(
    handler: Callable[..., Any], values: Mapping[str, Any], source: Source
) -> list[Problem]:
    """Return why a handler with a `yield` in it cannot be this Step's, whose answer it would be."""
    https = [each for each in values["triggers"] if isinstance(each, HttpTrigger)]
    if not calls.is_generator(handler):
        return []
    if not https:
        why, hint = "only an HTTP request can be answered so", "Give the Step an http trigger."
    elif values["atomic"]:
        why = "the transaction of an atomic Step is over before any of it is done"
        hint = "Return a generator instead, if what it does need not be atomic."
    elif any(each.idempotency for each in https):
        why = "what is sent part by part cannot be kept for an Idempotency-Key"
        hint = "Take idempotency out of the http trigger."
    else:
        return []
    line = _line_of(handler, source)
    message = f"handler: there is a yield in it, and {why}"
    return [Problem(id=BAD_HANDLER, message=message, hint=hint, file=source.file, line=line)]


def _arity_of(handler: Any, source: Source, instead: str) -> int | Problem:
    """Return with how many arguments a handler is called, or why it cannot be."""
    if handler is None:
        message, hint = (
            f"a Step file needs a top-level `handler`{instead}",
            "Write def handler(input, ctx): ...",
        )
    elif not callable(handler):
        message, hint = f"handler: expected a function, got {handler!r:.100}", ""
    else:
        try:
            return calls.arity(handler, 2)
        except (TypeError, ValueError) as error:
            message, hint = (
                f"handler: {error}",
                "It is called with (input, ctx), (input) or nothing.",
            )
    line = _line_of(handler, source)
    return Problem(id=BAD_HANDLER, message=message, hint=hint, file=source.file, line=line)


def _line_of(handler: Any, source: Source) -> int:
    """Return the line of a handler, which one of several in a file calls by another name."""
    name = getattr(handler, "__name__", "handler")
    return source.line((), "handler") or source.line((), str(name)) or 1
