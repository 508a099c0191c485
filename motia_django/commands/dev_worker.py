"""The worker of `dev`: `python -m motia_django.commands.dev_worker ARGUMENTS...`, as for `celery`.

It consumes what a worker does that is told no queues, and all queues that Steps lead to. These are
found here, in the process that is started anew with each change, as the files have them now.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import django
from celery.__main__ import main

from motia_django import celery_app


def queues() -> list[str]:
    """Return the names of the queues, the project's own first."""
    from motia_django import consumers

    declared = celery_app.project_app().amqp.queues
    usual = list(declared.consume_from)  # before routes are asked: what they lead to is added
    return list(dict.fromkeys([*usual, *filter(declared.__contains__, consumers.queues())]))


def command(arguments: Sequence[str]) -> list[str]:
    """Return Celery's command with these arguments and the queues."""
    return ["celery", *arguments, "-Q", ",".join(queues())]


if __name__ == "__main__":
    django.setup()
    sys.argv = command(sys.argv[1:])
    main()
