"""Sets Django up once, and prints how many milliseconds it took until all modules were there.

    python -m benchmarks.contenders.loading.turn discovered|by-hand|without <folder>

* `discovered`: `django.setup()` with the apps, whose Steps motia_django finds.
* `by-hand`: `django.setup()` without the apps; their modules are imported one by one.
* `without`: the same, and motia_django is not there either.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path

import django
from django.conf import settings


def main(way: str, folder: str) -> None:
    """Print the milliseconds."""
    sys.path.insert(0, folder)
    modules = json.loads((Path(folder) / "modules.json").read_text())
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
    apps += ["motia_django"] * (way != "without")
    found = dict.fromkeys(name.partition(".")[0] for name in modules) if way == "discovered" else ()
    settings.configure(
        INSTALLED_APPS=[*apps, *found],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        USE_TZ=True,
    )
    for name in ("celery.app.trace", "pydantic", "rest_framework.views"):
        import_module(name)  # any project has them, with motia_django or without
    began = time.process_time()
    django.setup()
    if way != "discovered":
        for name in modules:
            import_module(name)
    print((time.process_time() - began) * 1000)
    if way == "discovered":
        from motia_django.registry import registry

        assert len(registry()) == len(modules), registry().problems[:3]


if __name__ == "__main__":
    main(*sys.argv[1:])
