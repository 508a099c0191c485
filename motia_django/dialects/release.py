"""Motia 1.0: its files are in today's words, but for how handlers are declared."""

from __future__ import annotations

from typing import Any

from motia_django.dialects.declared import Declared


def read(module: Any, config: Any, handler: Any) -> Declared:
    """Return what a file of Motia 1.0 declares."""
    return Declared(config=config, handler=handler)
