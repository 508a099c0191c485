"""Where state lives: one contract, several stores, chosen by the setting `STATE`."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

from django.utils.module_loading import import_string

from motia_django.conf import MEMORY_STATE, ORM_STATE, REDIS_STATE, settings
from motia_django.exceptions import SettingsError, did_you_mean
from motia_django.stores.base import StateStore

Options = tuple[tuple[str, Any], ...]

_OURS = (ORM_STATE, REDIS_STATE, MEMORY_STATE)


def state_store() -> StateStore:
    """Return the store that the settings name; raise `SettingsError` if they name none."""
    declared = settings().state
    if len(declared) == 1:
        return _store(declared["BACKEND"], ())
    options = tuple((key, value) for key, value in declared.items() if key != "BACKEND")
    try:
        return _store(declared["BACKEND"], options)
    except TypeError as error:  # what cannot be hashed is no option of any store
        _check_names(_class_at(declared["BACKEND"]), options)
        raise SettingsError(f'MOTIA["STATE"]: {error}') from error


def forget() -> None:
    """Make stores anew when they are asked for next: one in memory is empty then."""
    _store.cache_clear()


@lru_cache(maxsize=8)
def _store(path: str, options: Options) -> StateStore:
    store_class = _class_at(path)
    if options:
        _check_names(store_class, options)
    return store_class(**{key.lower(): value for key, value in options})


def _check_names(store_class: type[StateStore], options: Options) -> None:
    """Raise `SettingsError` for an option that the store does not have."""
    known = [name.upper() for name in inspect.signature(store_class).parameters]
    path = f"{store_class.__module__}.{store_class.__qualname__}"
    for name, _ in options:
        if name not in known:
            raise SettingsError(
                f'MOTIA["STATE"]: unknown option {name!r} of {path}.'
                f"{did_you_mean(str(name), known)} Known are {', '.join(['BACKEND', *known])}."
            )


def _class_at(path: str) -> type[StateStore]:
    where = 'MOTIA["STATE"]["BACKEND"]'
    try:
        store_class = import_string(path)
    except ImportError as error:
        name = path.rpartition(".")[2]
        meant = [ours for ours in _OURS if did_you_mean(name, [ours.rpartition(".")[2]])]
        hint = did_you_mean(path, _OURS) or "".join(f" Did you mean {ours!r}?" for ours in meant)
        raise SettingsError(
            f"{where}: {error}.{hint} Write one of {', '.join(_OURS)}, or a path of your own."
        ) from error
    if not (isinstance(store_class, type) and issubclass(store_class, StateStore)):
        raise SettingsError(f"{where}: {path} is not a StateStore. Write {', '.join(_OURS)}.")
    if inspect.isabstract(store_class):
        raise SettingsError(f"{where}: {path} is the contract, not a store of its own")
    return store_class
