"""`python -m motia_django`: what there is before there is a project."""

from __future__ import annotations

import sys

from motia_django.commands.startproject import main

if __name__ == "__main__":
    sys.exit(main())
