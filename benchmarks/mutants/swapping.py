"""A mutant in the place of what it is a mutant of, in this process, where all is loaded."""

from __future__ import annotations

import gc
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from benchmarks.mutants.mutants import Mutant

_PLAIN = (int, float, str, tuple, list, dict, set, frozenset)
"""Constants that are compared by what they say; whatever else is there stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What of some files is loaded, however it is wrapped, and whoever has it."""

    functions: dict[tuple[str, str, int], list[FunctionType]]
    """By file, qualified name and first line."""
    caches: list[_lru_cache_wrapper[Any]]
    """What these functions have returned is kept there."""

    def swap(self, mutant: Mutant) -> bool:
        """Put the mutant in its place; return whether that could be done."""
        for cache in self.caches:
            cache.cache_clear()
        code = mutant.code()
        return self._swap_code(mutant, code) if mutant.place.function else _swap_values(code)

    def _swap_code(self, mutant: Mutant, code: CodeType) -> bool:
        done = False
        for each in _codes(code):
            if each.co_qualname == mutant.place.function:
                for function in self.functions.get(_named(each), ()):
                    if each.co_freevars != function.__code__.co_freevars:
                        return False
                    function.__code__ = each
                    done = True
        return done


def loaded(files: Sequence[Path]) -> Loaded:
    """Return what is loaded of these files."""
    wanted = {str(each.resolve()) for each in files}
    functions: dict[tuple[str, str, int], list[FunctionType]] = defaultdict(list)
    caches: list[_lru_cache_wrapper[Any]] = []
    gc.unfreeze()  # of what is frozen `gc` tells nothing
    for each in gc.get_objects():
        # Not `isinstance`, which asks a lazy object of somebody's for what it stands for.
        if type(each) is FunctionType and each.__code__.co_filename in wanted:
            functions[_named(each.__code__)].append(each)
        elif type(each) is _lru_cache_wrapper and each.__module__.startswith("motia_django"):
            caches.append(each)
    return Loaded(functions=functions, caches=caches)


def _swap_values(code: CodeType) -> bool:
    """Execute a mutated module apart, and take over constants and defaults that are different."""
    [module] = [
        each
        for each in [*sys.modules.values()]
        if getattr(each, "__file__", None) == code.co_filename
    ]
    other: dict[str, Any] = {"__name__": module.__name__, "__package__": module.__package__}
    exec(code, other)
    swapped = [_swap_value(module, name, value) for name, value in other.items()]
    return any(swapped)


def _swap_value(module: ModuleType, name: str, other: Any) -> bool:
    """Take over one value, and have all that imported it do so; return whether it was another."""
    there = getattr(module, name, None)
    if isinstance(there, FunctionType) and there.__module__ == module.__name__:
        return _swap_defaults(there, other)
    if isinstance(there, type) and there.__module__ == module.__name__:
        pairs = ((vars(there)[each], vars(other)[each]) for each in vars(there))
        swapped = [_swap_defaults(a, b) for a, b in pairs if isinstance(a, FunctionType)]
        return any(swapped)
    is_value = isinstance(there, _PLAIN) or type(there).__module__ == "datetime"
    if not is_value or repr(there) == repr(other):
        return False
    for each in [*sys.modules.values()]:
        if getattr(each, "__dict__", {}).get(name) is there:
            setattr(each, name, other)
    return True


def _swap_defaults(function: FunctionType, other: FunctionType) -> bool:
    before = repr((function.__defaults__, function.__kwdefaults__))
    if before == repr((other.__defaults__, other.__kwdefaults__)):
        return False
    function.__defaults__ = other.__defaults__
    function.__kwdefaults__ = other.__kwdefaults__
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of all functions and classes below this."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


def _named(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno
