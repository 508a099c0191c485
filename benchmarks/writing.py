"""The process that writes what a benchmark's clients hear: one round for each line of input."""

from __future__ import annotations

import sys
import time
from importlib import import_module


def main() -> None:
    """Write as the contender in this folder does."""
    import django

    django.setup()
    write = import_module(f"benchmarks.contenders.{sys.argv[1]}.writer").write
    print("ready", flush=True)
    for line in sys.stdin:
        write(int(line), f"{time.time():.6f}")
        print("written", flush=True)


if __name__ == "__main__":
    main()
