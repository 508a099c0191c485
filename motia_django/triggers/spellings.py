"""The keyword arguments of the helpers: in either spelling, and an unknown one with the nearest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import wraps
from inspect import Parameter, signature
from typing import Any, ParamSpec, TypeVar

from motia_django.declarations import camel
from motia_django.delivery import Delivery
from motia_django.exceptions import did_you_mean
from motia_django.sources import snake

P = ParamSpec("P")
T = TypeVar("T")

_OF_CONFIG = frozenset(each.name for each in fields(Delivery)) - {"fifo"} | {"type"}


def spelled(**others: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a helper take its keys in camelCase, too, and by `others`: `scope="group_id"`.

    It raises TypeError for a key that is given twice, and for an unknown one unless it takes
    `**more`, which is checked when the file is loaded.
    """

    def decorate(helper: Callable[P, T]) -> Callable[P, T]:
        kinds = {name: each.kind for name, each in signature(helper).parameters.items()}
        is_open = Parameter.VAR_KEYWORD in kinds.values()
        known = [name for name, kind in kinds.items() if kind is not Parameter.VAR_KEYWORD]
        names = {name: name for name in known} | others

        @wraps(helper)
        def called(*args: P.args, **keys: P.kwargs) -> T:
            given = once(helper.__name__, keys, names)
            if not is_open:
                _refuse_unknown(helper.__name__, given, names)
            return helper(*args, **given)

        return called

    return decorate


def once(helper: str, keys: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the keys by their `names`, others as they are; raise TypeError if one comes twice."""
    found: dict[str, str] = {}
    for key in keys:
        name = names.get(snake(key), snake(key))
        if name in found:
            both = f"{found[name]!r} and {key!r}"
            raise TypeError(f"{helper}(): {both} are two spellings of one key")
        found[name] = key
    return {name if name in names else key: keys[key] for name, key in found.items()}


def _refuse_unknown(helper: str, given: Iterable[str], names: Mapping[str, str]) -> None:
    for key in given:
        if key not in names:
            raise TypeError(f"{helper}(): unknown key {key!r}.{_hint(key, names)}")


def _hint(key: str, names: Mapping[str, str]) -> str:
    if snake(key) in _OF_CONFIG:
        return f" Write config={{{key!r}: ...}}."
    known = [*names, *map(camel, names)]
    return did_you_mean(key, known) or f" Known are {', '.join(sorted(set(known)))}."
