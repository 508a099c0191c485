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
    for name, version in sorted(lowest(requirements()).items()):
        print(f"{name}=={version}")


def requirements() -> Iterator[str]:
    """Yield what users are asked for, by the package itself and by each of its extras."""
    setup = ConfigParser()
    setup.read(SETUP)
    yield from setup["options"]["install_requires"].split("\n")[1:]
    extras = setup["options.extras_require"]
    ours = {match["name"]: match["version"] for match in _named(extras["test"].split("\n"))}
    for extra, needed in extras.items():
        if extra not in OURS:
            for each in _named(needed.split("\n")):
                if ours.get(each["name"], each["version"]) == each["version"]:
                    yield each[0]


def lowest(requirements: Iterable[str]) -> dict[str, str]:
    """Return the lowest version of each package that names one.

    Raise `ValueError` if two extras name different ones: nobody could say which is tried.
    """
    found: dict[str, str] = {}
    for match in _named(requirements):
        name, version = match["name"], match["version"]
        if found.setdefault(name, version) != version:
            raise ValueError(f"{name}: the lowest version is {found[name]}, and also {version}")
    return found


def _named(requirements: Iterable[str]) -> Iterator[re.Match[str]]:
    return filter(None, map(_LOWEST.match, requirements))


if __name__ == "__main__":
    main()
