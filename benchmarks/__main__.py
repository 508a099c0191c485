"""All benchmarks, one after the other: `python -m benchmarks`, with `--write-docs` for the page.

At the end all goals are told of in one table.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks import report, summary

BENCHMARKS = (
    "http",
    "handlers",
    "jobs",
    "latency",
    "sending",
    "state",
    "loading",
    "memory",
    "ledger_size",
    "footprint",
    "workers",
    "tutorial",
    "streams",
    "waiting",
    "console",
)


def main() -> int:
    """Run each in a process of its own; 1 if one of them ends so."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--write-docs", action="store_true", help="into docs/performance.md")
    options = parser.parse_args()
    ended = []
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]]
        ended.append(subprocess.run(command).returncode)
    goals = summary.table(summary.kept(BENCHMARKS, written=options.write_docs))
    print(goals)
    if options.write_docs:
        report.write("summary", goals)
    return int(any(ended))


if __name__ == "__main__":
    raise SystemExit(main())
