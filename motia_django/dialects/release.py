"""Motia 1.0: its files are in today's words, but for how handlers are declared and answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from motia_django import calls
from motia_django.dialects.builders import StepDefinition
from motia_django.dialects.declared import Declared, listed
from motia_django.dialects.guards import is_cron_trigger, is_http_trigger
from motia_django.dialects.signatures import names_in, takes_context_alone, takes_dict
from motia_django.dialects.triggers import plain_schema
from motia_django.triggers.channel import Channel, ChannelParts
from motia_django.triggers.exchange import Response, answered

_SCHEMAS = ("bodySchema", "body_schema")
_DEPLOYED = frozenset({"includeFiles", "include_files"})
"""Keys that say what is deployed with a file: of an app, all is."""


def read(module: Any, config: Any, handler: Any) -> Declared:
    """Return what a file of Motia 1.0 declares, the Step in one object among it."""
    if not isinstance(config, Mapping) or handler is None:
        config, handler = _defined(module, config, handler)
    if isinstance(config, Mapping) and not _DEPLOYED.isdisjoint(config):
        config = {key: value for key, value in config.items() if key not in _DEPLOYED}
    triggers = listed(config.get("triggers")) if isinstance(config, Mapping) else []
    if triggers and all(map(is_cron_trigger, triggers)) and takes_context_alone(handler):
        from motia_django.dialects.handlers import Habits, fitted

        return Declared(config=config, handler=fitted(handler, Habits()))
    if not any(map(is_http_trigger, triggers)) or not callable(handler):
        return Declared(config=config, handler=handler)
    https = [each for each in triggers if isinstance(each, Mapping)]
    has_schema = any(key in each for each in https for key in _SCHEMAS)
    names, wants_dict = names_in(handler), has_schema and takes_dict(handler)
    if wants_dict or "request_body" in names:
        own = {"rawBody": True} if "request_body" in names else {}
        changed = [_trigger(each, own, wants_dict=wants_dict) for each in triggers]
        config = {**config, "triggers": changed}
    return Declared(config=config, handler=streaming(handler))


def streaming(handler: Any) -> Any:
    """Return a handler that sends what this one writes to its request's channel, as it does.

    One that has no channel's writer in its code, or is a plain function, is left as it is.
    """
    if "writer" not in names_in(handler) or not calls.is_async(handler):
        return handler
    return handler if calls.is_generator(handler) else _streaming(handler)


def _defined(module: Any, config: Any, handler: Any) -> tuple[Any, Any]:
    """Return the config and the handler of the definition of a Step that a file holds, if any."""
    held = [config, handler, *vars(module).values()]
    for each in held:
        if isinstance(each, StepDefinition) and config in (None, each, each.config):
            return each.config, each.handler
    return config, handler


def _trigger(trigger: Any, own: Mapping[str, Any], *, wants_dict: bool) -> Any:
    """Return a trigger with keys that its handler needs; of another kind as it is."""
    if not is_http_trigger(trigger):
        return trigger
    if "raw_body" in trigger:
        own = {}
    schemas = {key: plain_schema(trigger[key]) for key in _SCHEMAS if wants_dict and key in trigger}
    return {**trigger, **own, **schemas}


def _streaming(handler: Callable[..., Any]) -> Callable[..., Any]:
    arity = calls.arity(handler, 2)

    async def streamed(input: Any, ctx: Any) -> Any:
        arguments = (input, ctx)[:arity]
        channel = getattr(input, "response", None)
        if not isinstance(channel, Channel) or input.raw is None:
            return await handler(*arguments)
        return ChannelParts(channel, partial(_written, handler, arguments, channel, ctx.step))

    return streamed


async def _written(
    handler: Callable[..., Any], arguments: tuple[Any, ...], channel: Channel, step: str
) -> None:
    """Await a handler; what it returns is written too."""
    result = await handler(*arguments)
    if result is None:
        return
    answer: Response = answered(result, f"Step {step!r}")
    channel.status(answer.status)
    if not answer.is_raw and not channel.fields:
        channel.headers({"Content-Type": "application/json"})
    channel.headers(answer.headers)
    if answer.body is not None:
        channel.write(answer.body)
