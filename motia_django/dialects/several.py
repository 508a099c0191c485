"""The Steps of a file that holds more than one, each as a file of its own would hold it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from motia_django.dialects.builders import StepDefinition

STEPS, STREAMS = "__motia_steps__", "__motia_streams__"
"""The names, among those of a file, of the Steps and the streams that it has registered."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What a file of its own would hold for one of the Steps, or streams, of a file."""

    config: Any
    handler: Any = None
    config_name: str = "config"
    """What the file calls the config."""


def register(kind: str, config: Any, handler: Any = None) -> None:
    """Note that the file whose call this is a part of declares one of the `STEPS`, or `STREAMS`."""
    names = sys._getframe(2).f_globals
    names.setdefault(kind, []).append((config, handler))


def parts(module: Any, kind: str) -> list[Any]:
    """Return a file's module, or a part for each of the `STEPS`, or `STREAMS`, that it has."""
    names = vars(module)
    own = names.get("config")
    found: list[Any] = [*_registered(names, kind)]
    if own is None:
        found = found or [*_defined(names)]
    elif not any(each.config is own for each in found):
        found = [module, *found]
    return found or [module]


def config_name(module: Any) -> str:
    """Return what a file calls the config that a module, or a part of one, holds."""
    return module.config_name if isinstance(module, Part) else "config"


def _registered(names: Mapping[str, Any], kind: str) -> Iterator[Part]:
    for config, handler in names.get(kind, ()):
        function = names.get("handler") if handler is None else handler
        yield Part(config=config, handler=function, config_name=_name_of(config, names))


def _defined(names: Mapping[str, Any]) -> Iterator[Part]:
    """Yield a part for each `StepDefinition`, by whatever name it is held."""
    definitions = {id(each): each for each in names.values() if isinstance(each, StepDefinition)}
    for each in definitions.values():
        yield Part(config=each, config_name=_name_of(each.config, names))


def _name_of(config: Any, names: Mapping[str, Any]) -> str:
    return next((name for name, value in names.items() if value is config), "config")
