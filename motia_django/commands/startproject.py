"""`python -m motia_django startproject`: a project to begin with, where there is none yet.

It is what Django's own `startproject` writes, with Celery's guide followed and our app put in.
"""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from string import Template

from django.core.management import call_command
from django.core.management.base import CommandError

_NEW = ("{name}/celery.py", "{name}/__init__.py", "pytest.ini")
"""What it writes besides, by its path in the project's folder."""
_PARTS = ("settings_apps", "settings_sqlite", "settings_celery")
_CHANGED = {
    "asgi.py": {r"from django\.core\.asgi import": "from motia_django.asgi import"},
    "wsgi.py": {r"from django\.core\.wsgi import": "from motia_django.wsgi import"},
    "settings.py": {
        r"from pathlib import Path\n": "import os\nfrom pathlib import Path\n",
        r"""(['"])django.contrib.staticfiles\1,\n""": "{0}{settings_apps}",
        r"""(['"])NAME\1: BASE_DIR / (['"])db.sqlite3\2,\n""": "{0}{settings_sqlite}",
        r"\Z": "{settings_celery}",
    },
    "urls.py": {
        r"import path\n": "import include, path\n",
        r"admin\.site\.urls\),\n": "{0}    path('', include('motia_django.urls')),\n",
    },
}
"""What Django writes, and what comes in its place: `{0}` is what was there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = ArgumentParser("python -m motia_django")
    commands = parser.add_subparsers(required=True)
    start = commands.add_parser("startproject", help="write a Django project with Celery and Steps")
    start.add_argument("name", help="of the project and of its first app, such as shop")
    start.add_argument("folder", nargs="?", help="it is written into; default: a new one, NAME")
    options = parser.parse_args(arguments)
    try:
        folder = startproject(options.name, options.folder)
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return error.returncode
    sys.stdout.write(_template("next", folder=folder))
    return 0


def startproject(name: str, folder: str | None = None) -> Path:
    """Write a project and return its folder; raise `CommandError` as Django's `startproject` does.

    The package of its settings is its first app, too: Steps go into `<name>/steps/`.
    """
    call_command("startproject", name, *([folder] if folder else []))
    root = Path(folder or name)
    parts = {each: _template(each, name=name) for each in _PARTS}
    for file, changes in _CHANGED.items():
        _change(root / name / file, changes, parts)
    for file in _NEW:
        path = root / file.format(name=name)
        path.write_text(_template(path.name, name=name), "utf-8")
    return root


def _change(file: Path, changes: Mapping[str, str], parts: Mapping[str, str]) -> None:
    """Change a file that Django wrote; raise `CommandError` if it looks otherwise than expected."""
    text = file.read_text("utf-8")
    for there, put in changes.items():
        text, number = re.subn(there, partial(_put, put, parts), text)
        if number != 1:
            raise CommandError(f"{file} is not as Django writes it: it should have {there!r} once")
    file.write_text(text, "utf-8")


def _put(put: str, parts: Mapping[str, str], match: re.Match[str]) -> str:
    return put.format(match[0], **parts)


def _template(called: str, **values: object) -> str:
    file = files("motia_django.commands").joinpath("templates", "project", f"{called}.tpl")
    return Template(file.read_text("utf-8")).substitute(values)
