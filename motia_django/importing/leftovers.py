"""What of a Motia project is left to a person, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from motia_django.exceptions import some_of
from motia_django.importing.folder import ROOTS, SCRIPTS, is_declaring

_MOTIAS = re.compile(r"motia\b|@motia(dev)?/|@iii-dev/|iii-sdk\b")
_REQUIRED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?=[\[<>=!~;@#]|$)")
_NAMES_SHOWN = 20
_MOST_BYTES = 1_000_000


def reason(root: Path, file: Path) -> str:
    """Return why a file is left, and what is to be done; an empty text for what no Step needs."""
    for pattern, why in _KNOWN:
        if pattern.fullmatch(file.name):
            return why(root / file) if callable(why) else why
    if "plugins" in file.parts or ".plugin." in file.name:
        return "a plugin of Motia's: there are none here"
    if file.parts[0] not in ROOTS or len(file.parts) < 2:
        return ""
    if file.suffix in (".tsx", ".jsx"):
        return "draws a Step in Motia's workbench: the console here draws its own"
    if is_declaring(file):
        return f"{file.suffix[1:]}: to be written in Python"
    if file.suffix in SCRIPTS:
        language = "TypeScript" if "ts" in file.suffix else "JavaScript"
        return f"{language}: what Steps need of it is to be written in Python"
    return "no Python: copy it if a Step reads it"


def _packages_of_python(file: Path) -> str:
    names = [
        match[1]
        for line in _text(file).splitlines()
        if (match := _REQUIRED.match(line)) and not _MOTIAS.match(match[1])
    ]
    missing = [each for each in names if not _is_installed(each)]
    return f"not installed here: {_listed(missing)}" if missing else "all of it is installed here"


def _packages_of_javascript(file: Path) -> str:
    try:
        found = json.loads(_text(file))
        names = list(found.get("dependencies", {}))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return "cannot be read as JSON"
    others = [each for each in names if not _MOTIAS.match(each)]
    return f"packages to be replaced by Python's: {_listed(others)}" if others else ""


def _variables(file: Path) -> str:
    names = re.findall(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=", _text(file), re.MULTILINE)
    return f"to be set in the environment: {_listed(names)}" if names else "sets nothing"


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            return ""
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except (PackageNotFoundError, ValueError):
        return False
    return True


def _listed(names: Iterable[str]) -> str:
    return some_of(list(dict.fromkeys(names)), _NAMES_SHOWN)


_KNOWN: tuple[tuple[re.Pattern[str], str | Callable[[Path], str]], ...] = (
    (
        re.compile(r"motia\.config\.\w+"),
        "Motia's engine and its plugins; who follows a stream is found by REST framework's"
        " authentication classes, whether he may is said in its file (`canAccess`), all else in"
        " the setting MOTIA",
    ),
    (re.compile(r"(iii-)?config\.ya?ml"), "configures Motia's engine: see the setting MOTIA"),
    (re.compile(r"motia-workbench\.json"), "where Motia's workbench draws what: not needed"),
    (re.compile(r".*-?features\.json|tutorial(\..*)?"), "of Motia's tutorial: not needed"),
    (re.compile(r"types\.d\.ts"), "written by Motia: not needed"),
    (re.compile(r"requirements[\w.-]*\.txt"), _packages_of_python),
    (re.compile(r"pyproject\.toml|Pipfile|setup\.(py|cfg)"), "see which packages it asks for"),
    (re.compile(r"package\.json"), _packages_of_javascript),
    (re.compile(r"\.env.*"), _variables),
)
