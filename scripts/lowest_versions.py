"""Print the lowest version of each package that setup.cfg lets users have, as constraints.

    uv pip install --constraint <(python -m scripts.lowest_versions) --editable '.[test,beat]'

What only we need, to test or to measure, is as new as can be, and so is what our tests need newer
than users do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from configparser import ConfigParser
from pathlib import Path

SETUP = Path(__file__).resolve().parents[1] / "setup.cfg"
OURS = ("audit", "bench", "grid", "lint", "test")
"""The extras that are not for users."""

_LOWEST = re.compile(r"(?P<name>[\w.-]+)(?:\[[\w,]+\])?>=(?P<version>[\w.]+)")


def main() -> None:
    """Print them, a line each."""
    newer = lowest(_setup()["options.extras_require"]["test"].split("\n"))
    for name, version in sorted(lowest(requirements()).items()):
        if newer.get(name, version) == version:
            print(f"{name}=={version}")


def requirements() -> Iterator[str]:
    """Yield what users are asked for, by the package itself and by each of its extras."""
    setup = _setup()
    yield from setup["options"]["install_requires"].split("\n")[1:]
    for extra, needed in setup["options.extras_require"].items():
        if extra not in OURS:
            yield from needed.split("\n")[1:]


def lowest(requirements: Iterable[str]) -> dict[str, str]:
    """Return the lowest version of each package that names one.

    Raise `ValueError` if two extras name different ones: nobody could say which is tried.
    """
    found: dict[str, str] = {}
    for match in filter(None, map(_LOWEST.match, requirements)):
        name, version = match["name"], match["version"]
        if found.setdefault(name, version) != version:
            raise ValueError(f"{name}: the lowest version is {found[name]}, and also {version}")
    return found


def _setup() -> ConfigParser:
    setup = ConfigParser()
    setup.read(SETUP)
    return setup


if __name__ == "__main__":
    main()
