"""Before deploying: what of the broker, and of Celery's settings for it, will hurt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from celery import Celery
from django.core import checks
from kombu import Connection

from motia_django import celery_app
from motia_django.celery_app import is_the_projects, project_app, task_name
from motia_django.checks.asking import ask, reach
from motia_django.checks.redis_facts import RedisFacts, redis_facts
from motia_django.delivery import Delivery
from motia_django.exceptions import some_of
from motia_django.registry import registry
from motia_django.steps import Step

Warnings = Iterator[checks.CheckMessage]

OF_ONE_MACHINE = "motia.W010"
EAGER = "motia.W011"
NO_BROKER = "motia.W012"
EVICTS = "motia.W013"
SEEN_AGAIN_TOO_SOON = "motia.W014"
FORGETS = "motia.W015"
NO_PRIORITIES = "motia.W016"
READS_PICKLES = "motia.W027"
ENDED_BEFORE = "motia.W039"
NO_TIME_LIMIT = "motia.I001"
CUT_BY_CELERY = "motia.I004"

_VISIBILITY_TIMEOUT = 3600
"""Kombu's, in seconds."""
_PICKLES = {"pickle", "application/x-python-serialize"}
_CARRIED_LIGHT = ("queue", "state", "stream")
_PLACES = {
    "memory": "in the memory of the process that sends them, and no worker ever sees them",
    "filesystem": "in files of this machine, which are looked at once a second",
}


def broker() -> Warnings:
    """Warn of Celery's settings, and of what its broker says when it is asked."""
    app = project_app()
    if not registry().in_background() or not is_the_projects(app):
        return
    if app.conf.task_always_eager:
        yield _eager()
        return
    if _PICKLES & {*(app.conf.accept_content or ()), app.conf.task_serializer}:
        yield _reads_pickles()
    yield from _time_limits()
    try:
        connection = app.connection_for_write()
        driver = connection.transport.driver_type
    except Exception as error:  # no such transport, or its library is not installed
        yield _no_broker("the address in CELERY_BROKER_URL", error)
        return
    if driver in _PLACES:
        yield _of_one_machine(driver)
    elif driver == "redis":
        yield from _visibility(app.conf.broker_transport_options or {})
        yield from _asked_redis(connection)
    else:
        yield from _priorities(app) if driver == "amqp" else ()
        yield from _asked(connection)


def _time_limits() -> Warnings:
    """Tell which Steps Celery's own limits of time end, where their triggers set none or more."""
    cut: dict[tuple[str, float], list[str]] = {}
    for step in registry().in_background():
        limits = celery_app.time_limits(step.name)
        both = {"task_soft_time_limit": limits.soft, "task_time_limit": limits.hard}
        option, least = min(both.items(), key=lambda each: each[1] or math.inf)
        own = {each.delivery.visibility_timeout for each in step.triggers if each.kind != "http"}
        if least and None in own:
            cut.setdefault((celery_app.setting_name(option), least), []).append(step.name)
        longest = max((each for each in own if each), default=0)
        if limits.soft and step.is_async and longest > limits.soft:
            yield _ended_before(step.name, longest, limits.soft)
    for (setting, seconds), names in cut.items():
        yield checks.Info(
            f"Celery ends each attempt of {named(names)} after {seconds:g} s ({setting}), since"
            " a trigger without a visibilityTimeout has no limit of its own.",
            hint='Give the trigger one, which goes before Celery\'s: "config": '
            f'{{"visibilityTimeout": {seconds:.0f}}}; or raise the setting.',
            id=CUT_BY_CELERY,
        )


def _asked_redis(connection: Connection) -> Warnings:
    try:
        facts = ask(lambda: _redis_facts(connection))
    except Exception as error:
        yield _no_broker(connection.as_uri(), error)
        return
    if facts.evicts:
        yield _evicts(facts.policy)
    if facts.on_disk is False and _light_steps():
        yield _forgets([step.name for step, _ in _light_steps()])


def _asked(connection: Connection) -> Warnings:
    try:
        ask(lambda: _reach(connection))
    except Exception as error:
        yield _no_broker(connection.as_uri(), error)


def _reach(connection: Connection) -> None:
    with connection:
        reach(connection)


def _redis_facts(connection: Connection) -> RedisFacts:
    with connection:
        reach(connection)
        channel: Any = connection.channel()
        return redis_facts(channel.client)


def _light_steps() -> list[tuple[Step, Delivery]]:
    """Return the deliveries whose messages are all there is of a run."""
    return [
        (step, trigger.delivery)
        for step in registry()
        if not (step.keeps_all or step.atomic)
        for trigger in step.triggers
        if trigger.kind in _CARRIED_LIGHT
        and not (trigger.delivery.limited or trigger.delivery.delay_seconds)
    ]


def _visibility(options: Mapping[str, Any]) -> Warnings:
    timeout = options.get("visibility_timeout", _VISIBILITY_TIMEOUT)
    light = _light_steps()
    limits = {step.name: each.visibility_timeout or 0 for step, each in light}
    longest = max(limits, key=lambda name: limits[name], default="")
    if longest and limits[longest] >= timeout:
        yield checks.Warning(
            f"Redis delivers a message again that is not acknowledged within {timeout:g} seconds,"
            f" and Step {longest!r}, whose messages are acknowledged when its runs are over, may"
            f" take {limits[longest]:g}: such runs would be run twice at once.",
            hint="Set CELERY_BROKER_TRANSPORT_OPTIONS = {"
            f'"visibility_timeout": {2 * limits[longest]:.0f}}}, the same for web and workers.',
            id=SEEN_AGAIN_TOO_SOON,
        )
    endless = sorted({step.name for step, each in light if each.visibility_timeout is None})
    if endless:
        yield checks.Info(
            f"{named(endless)} may take any time, and Redis delivers a message again that is not"
            f" acknowledged within {timeout:g} seconds: a run that takes longer is run twice.",
            hint='Give the trigger a limit well below that: "config": {"visibilityTimeout": 300}.',
            id=NO_TIME_LIMIT,
        )


def _priorities(app: Celery) -> Warnings:
    without = {
        queue
        for step in registry()
        for trigger in step.triggers
        if trigger.delivery.priority is not None
        for queue in _without_priorities(app, step, trigger.delivery)
    }
    for name in sorted(without):
        yield checks.Warning(
            f"Triggers have a priority, and their Celery queue {name!r} has none: RabbitMQ delivers"
            " its messages in the order they came.",
            hint="Set CELERY_TASK_QUEUE_MAX_PRIORITY = 9, and delete the queue once so that it is"
            " declared anew: RabbitMQ does not change one that exists.",
            id=NO_PRIORITIES,
        )


def _without_priorities(app: Celery, step: Step, delivery: Delivery) -> Iterator[str]:
    """Yield the name of the queue that a trigger's messages go to, if it knows no priorities."""
    options = {"queue": delivery.queue} if delivery.queue else {}
    try:
        queue = app.amqp.router.route(options, task_name(step.name))["queue"]
        arguments = queue.queue_arguments or {}
    except Exception:
        return  # routes of the project's own making, or a queue that is not there
    if arguments.get("x-queue-type") == "quorum":
        return  # which knows two priorities by itself
    if not (queue.max_priority or arguments.get("x-max-priority")):
        yield queue.name


def _ended_before(step: str, own: float, soft: float) -> checks.CheckMessage:
    return checks.Warning(
        f"Step {step!r} is async and may take {own:g} s by its visibilityTimeout, and Celery ends"
        f" it after {soft:g} s ({celery_app.setting_name('task_soft_time_limit')}).",
        hint="Raise the setting above it, or leave it to the visibilityTimeout of each trigger.",
        id=ENDED_BEFORE,
    )


def _eager() -> checks.CheckMessage:
    return checks.Warning(
        "Celery is eager: background Steps run in the process that sends their message, and"
        " whoever made the request waits for them; nothing is delayed, and nothing rescued.",
        hint="Take CELERY_TASK_ALWAYS_EAGER out of the settings of production.",
        id=EAGER,
    )


def _reads_pickles() -> checks.CheckMessage:
    return checks.Warning(
        "Workers read pickles: whoever can write to the broker can have them run any code.",
        hint='Take "pickle" out of CELERY_ACCEPT_CONTENT and CELERY_TASK_SERIALIZER. Steps need'
        " neither: their messages are plain JSON.",
        id=READS_PICKLES,
    )


def _of_one_machine(driver: str) -> checks.CheckMessage:
    return checks.Warning(
        f"Celery's broker is {driver}://, which keeps messages {_PLACES[driver]}.",
        hint='Set CELERY_BROKER_URL to a server\'s: "redis://host:6379/0" or "amqp://user@host//".',
        id=OF_ONE_MACHINE,
    )


def _no_broker(tried: str | None, error: Exception) -> checks.CheckMessage:
    return checks.Warning(
        f"Celery's broker did not answer at {tried}: {type(error).__name__}: {error}",
        hint="See that it runs and that CELERY_BROKER_URL names it. Until then messages wait in"
        " the ledger.",
        id=NO_BROKER,
    )


def _evicts(policy: str | None) -> checks.CheckMessage:
    return checks.Warning(
        f"The broker's Redis deletes any key when its memory is full (maxmemory-policy {policy}),"
        " whole queues included. The ledger sends their messages again after a while; those of"
        ' Steps with "record": "failures" are lost.',
        hint="Set maxmemory-policy to noeviction, or give the broker a Redis of its own.",
        id=EVICTS,
    )


def _forgets(steps: list[str]) -> checks.CheckMessage:
    return checks.Warning(
        f"The broker's Redis keeps nothing on disk, and the messages of {named(steps)} are in no"
        " table: a restart of Redis loses them.",
        hint='Switch on appendonly in Redis, or give these Steps "record": "all".',
        id=FORGETS,
    )


def named(steps: Sequence[str]) -> str:
    """Return the Steps of these names, in words."""
    names = sorted(set(steps))
    return f"{'Step' if len(names) == 1 else 'Steps'} {some_of([*map(repr, names)], 3)}"
