"""A process that runs `manage.py` commands for a journey, one line of words after the other.

Starting Python and Django takes a second each time, and journeys ask a hundred times.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout

import django
from django.core.management import call_command
from django.db import connections


def main() -> None:
    """Answer each line, a list of words as JSON, with what the command printed, as JSON."""
    django.setup()
    for line in sys.stdin:
        out = io.StringIO()
        try:
            with redirect_stdout(out):
                call_command(*json.loads(line))
            answer = {"out": out.getvalue()}
        except Exception as error:
            answer = {"error": repr(error)}
        connections.close_all()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
