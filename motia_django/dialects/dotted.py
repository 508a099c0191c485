"""Files named as in 0.x, `create_order.step.py`: imported as if no dot was in their name."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType


def undotted(name: str) -> str:
    """Return the name of a module: `clean_up_cron_step` for `clean_up.cron.step`."""
    return name.replace(".", "_")


def module_names(files: Iterable[str]) -> dict[str, str]:
    """Return the names of the modules that the files of a folder become, no two of them the same.

    A file without dots has its own name; of two that would have the same, one gets another `_`.
    """
    names: dict[str, str] = {}
    for file in sorted(files, key=lambda each: (each.count("."), each)):
        name = undotted(file.removesuffix(".py"))
        while name in names:
            name += "_"
        names[name] = file
    return {file: name for name, file in names.items()}


def load(name: str, file: Path) -> ModuleType:
    """Import a module by its name, from a file that may be named otherwise."""
    if file.stem == name.rpartition(".")[2] or name in sys.modules:
        return import_module(name)
    import_module(name.rpartition(".")[0])
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
