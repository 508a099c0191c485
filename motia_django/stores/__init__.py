"""Where state lives: one contract, several stores, chosen by the setting `STATE`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.utils.module_loading import import_string

from motia_django.conf import settings
from motia_django.exceptions import SettingsError
from motia_django.stores.base import StateStore


def state_store() -> StateStore:
    """Return the store that the settings name; raise `SettingsError` if they name none."""
    declared = settings().state
    options = tuple((str(key), value) for key, value in declared.items() if key != "BACKEND")
    try:
        return _store(declared["BACKEND"], options)
    except TypeError as error:
        raise SettingsError(f'MOTIA["STATE"]: {error}') from error


@lru_cache(maxsize=8)
def _store(path: str, options: tuple[tuple[str, Any], ...]) -> StateStore:
    where = 'MOTIA["STATE"]'
    try:
        store_class = import_string(path)
    except ImportError as error:
        raise SettingsError(f'{where}["BACKEND"]: {error}') from error
    if not (isinstance(store_class, type) and issubclass(store_class, StateStore)):
        raise SettingsError(f'{where}["BACKEND"]: {path} is not a StateStore')
    return store_class(**{key.lower(): value for key, value in options})
