"""Motia 1.0: its files are in today's words, but for how handlers are declared and answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any, get_args, get_origin

from motia_django import calls
from motia_django.dialects.builders import StepDefinition
from motia_django.dialects.declared import Declared, listed
from motia_django.dialects.guards import is_http_trigger
from motia_django.dialects.triggers import plain_schema
from motia_django.triggers.channel import ChannelParts
from motia_django.triggers.exchange import Request, Response, answered

_SCHEMAS = ("bodySchema", "body_schema")


def read(module: Any, config: Any, handler: Any) -> Declared:
    """Return what a file of Motia 1.0 declares, the Step in one object among it."""
    if not isinstance(config, Mapping) or handler is None:
        config, handler = _defined(module, config, handler)
    triggers = listed(config.get("triggers")) if isinstance(config, Mapping) else []
    if not any(map(is_http_trigger, triggers)) or not callable(handler):
        return Declared(config=config, handler=handler)
    names, wants_dict = _names_in(handler), _wants_dict(handler)
    if wants_dict or "request_body" in names:
        own = {"rawBody": True} if "request_body" in names else {}
        changed = [_trigger(each, own, wants_dict=wants_dict) for each in triggers]
        config = {**config, "triggers": changed}
    if "writer" in names and calls.is_async(handler) and not calls.is_generator(handler):
        handler = _streaming(handler)
    return Declared(config=config, handler=handler)


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


def _names_in(function: Any) -> set[str]:
    """Return the names of attributes and globals in a function's code, and in functions in it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return {name for each in _codes(code) for name in each.co_names} if code else set()


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _wants_dict(handler: Any) -> bool:
    """Return whether a handler says that the body of its request is a dict, or anything."""
    try:
        given = next(iter(inspect.get_annotations(handler, eval_str=True).values()), None)
    except Exception:
        return False  # an annotation that cannot be read says nothing
    if get_origin(given) is not Request:
        return False
    [body] = get_args(given)
    return body is Any or (get_origin(body) or body) in (dict, Mapping)


def _streaming(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return a handler that sends what this one writes to its request's channel, as it does."""
    arity = calls.arity(handler, 2)

    async def streaming(input: Any, ctx: Any) -> Any:
        arguments = (input, ctx)[:arity]
        if not isinstance(input, Request) or input.raw is None:
            return await handler(*arguments)
        return ChannelParts(input.response, lambda: _written(handler, arguments, input, ctx.step))

    return streaming


async def _written(
    handler: Callable[..., Any], arguments: tuple[Any, ...], request: Request, step: str
) -> None:
    """Await a handler; what it returns is written too."""
    result = await handler(*arguments)
    if result is None:
        return
    answer: Response = answered(result, f"Step {step!r}")
    channel = request.response
    channel.status(answer.status)
    if not answer.is_raw and not channel.fields:
        channel.headers({"Content-Type": "application/json"})
    channel.headers(answer.headers)
    if answer.body is not None:
        channel.write(answer.body)
