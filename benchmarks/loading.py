"""What very many Steps cost when a process starts, and when a request looks for its route.

    python -m benchmarks.loading

writes projects with Steps of all kinds, has them set up in processes of their own, and takes the
processor's time, not the clock's: the rest is reading of files that are in the cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import timeit
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks import contests
from benchmarks.contenders.loading.writing import write
from benchmarks.contests import Contest, Goal, Turn, in_turns

PACKAGES = ("django", "djangorestframework", "celery", "pydantic")
DISCOVERED, BY_HAND, WITHOUT = "django.setup()", "modules by hand", "the same, no motia_django"
FEW, MANY = 1_000, 10_000
LOOKUPS = 2_000


def measure(repeats: int) -> list[Contest]:
    """Set up a thousand and ten thousand Steps, and look for the last of ten and of many routes."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few", Path(folder) / "many"
        for place, steps in ((few, FEW), (many, MANY)):
            place.mkdir()
            (place / "modules.json").write_text(json.dumps(write(place, steps)))
            _took("by-hand", place)  # from now on they are compiled
        return [_setting_up(few, repeats), _growing(few, many, min(repeats, 2)), _routing(repeats)]


def _setting_up(folder: Path, repeats: int) -> Contest:
    turns: dict[str, Turn] = {
        DISCOVERED: partial(_took, "discovered", folder),
        BY_HAND: partial(_took, "by-hand", folder),
        WITHOUT: partial(_took, "without", folder),
    }
    return Contest(
        work=f"{FEW:,} Steps in 50 apps",
        unit="ms",
        figures=in_turns(turns, repeats),
        goals=[Goal(ours=DISCOVERED, beside=BY_HAND, plus=150)],
    )


def _growing(few: Path, many: Path, repeats: int) -> Contest:
    """Return what one Step takes of all that a project takes, its modules' import included."""
    large, small = f"{MANY:,} Steps", f"{FEW:,} Steps"
    turns: dict[str, Turn] = {
        large: lambda: _took("discovered", many) / MANY,
        small: lambda: _took("discovered", few) / FEW,
    }
    return Contest(
        work="django.setup(), for each Step",
        unit="ms",
        figures=in_turns(turns, repeats),
        goals=[Goal(ours=large, beside=small, as_fast=0.9)],
    )


def _took(way: str, folder: Path) -> float:
    """Return the milliseconds that a process took."""
    command = [sys.executable, "-m", "benchmarks.contenders.loading.turn", way, str(folder)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _routing(repeats: int) -> Contest:
    """Return how long the way from a path to its view is, with few routes and with many."""
    import django
    from django.conf import settings

    settings.configure(INSTALLED_APPS=["django.contrib.contenttypes", "motia_django"])
    django.setup()
    turns: dict[str, Turn] = {
        f"the {name} of {routes:,}": partial(_lookup, _resolver(routes), number)
        for routes in (10, 1_000)
        for name, number in (("first", 0), ("last", routes - 1))
    }
    return Contest(
        work="resolve a path",
        unit="µs",
        figures=in_turns(turns, repeats),
        goals=[Goal(ours="the last of 1,000", beside="the last of 10", as_fast=0.9)],
    )


def _resolver(routes: int) -> Any:
    from django.urls import include, path
    from django.urls.resolvers import RegexPattern, URLResolver

    from motia_django.registry import Registry
    from motia_django.steps import read_step
    from motia_django.web.routing import urlpatterns_for

    steps = []
    for number in range(routes):
        trigger = {"type": "http", "path": f"/area{number}/items/:id"}
        config = {"name": f"Step{number}", "triggers": [trigger]}
        module = SimpleNamespace(config=config, handler=lambda request: None)
        step, _ = read_step(module, Path(__file__), "benchmarks")
        steps += [step] if step else []
    patterns = urlpatterns_for(Registry(steps).routes())
    return URLResolver(RegexPattern(r"^/"), [path("api/", include((patterns, "motia")))])


def _lookup(resolver: Any, number: int) -> float:
    """Return the microseconds of one look-up, by the best of five rounds."""
    look = partial(resolver.resolve, f"/api/area{number}/items/7")
    return min(timeit.repeat(look, number=LOOKUPS, repeat=5)) / LOOKUPS * 1e6


def main() -> int:
    """Measure and print."""
    return contests.run("loading", __doc__, PACKAGES, measure)


if __name__ == "__main__":
    raise SystemExit(main())
