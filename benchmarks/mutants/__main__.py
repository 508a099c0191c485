"""Whether the tests notice what is wrong in runs, ledger, dispatch and runner: `make mutants`.

    python -m benchmarks.mutants [--share 0.4] [--at-once 1] [--survivors] [FILES]

Each mutant, one change in one function, is put before the tests that execute the changed line, on
SQLite and in this process: without journeys, browsers and other processes. It is tried in a fork,
so that Django, the tests and the database are loaded once. What became of it is kept in `.mutants`,
so that a run goes on where the last one ended; a function that has changed is tried anew.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.mutants.covering import cover, failing
from benchmarks.mutants.mutants import Mutant, mutants_of
from benchmarks.mutants.reporting import report
from benchmarks.mutants.running import Court, Verdict
from benchmarks.mutants.swapping import loaded

PACKAGE = Path("motia_django")
FILES = [
    *(PACKAGE / f"{name}.py" for name in ("runs", "runner", "dispatch", "offspring")),
    *sorted((PACKAGE / "ledger").glob("*.py")),
]
FOLDER = Path(".mutants")
TESTS = {
    "": "arrivals attempts batches delivery dispatch keys operations prepared publish recording"
    " repeats runner runs schedule tasks ticks upkeep",
    "admin": "dead_letters once overview repeats schedule_deeds step_figures",
    "beat": "operators",
    "commands": "controls dead",
    "ledger": "births claims errors figures keys machine partitions turns",
    "metrics": "collector",
    "testing": "commits drain kit trace",
    "web": "idempotency limits streaming views",
}
"""The modules of tests that a mutant may be put before, by folder: those that are about it."""
SERVERS = {"postgresql_server", "mariadb_server", "redis_server", "rabbitmq_server"}
_CONTROLS = 3
_SEED = 9


class Trying:
    """The plugin of pytest that puts mutants before the tests, in place of running them."""

    def __init__(self, mutants: Sequence[Mutant], at_once: int) -> None:
        self.mutants, self.at_once = mutants, at_once

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what starts servers or browsers, and processes of its own."""
        items[:] = [item for item in items if _is_in_process(item)]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try the mutants, and keep what became of each."""
        items = session.items
        first = next(item for item in items if "db" in getattr(item, "fixturenames", ()))
        assert failing([first]) is None, "it makes the database of the tests"
        files = sorted({each.file for each in self.mutants})
        court = Court(
            items={item.nodeid: item for item in items},
            covering=cover(items, FILES, FOLDER),
            loaded=loaded(files),
            folder=FOLDER,
        )
        self.control(court)
        gc.collect()
        gc.freeze()
        with (FOLDER / "verdicts.jsonl").open("a") as kept:
            for verdict in court.verdicts(self.mutants, self.at_once):
                print(json.dumps(asdict(verdict)), file=kept, flush=True)
        return True

    def control(self, court: Court) -> None:
        """Make sure that tests pass in forks as long as there is no mutant."""
        for mutant in random.Random(_SEED).sample(self.mutants, min(_CONTROLS, len(self.mutants))):
            failed = court.fails_without(mutant)
            if failed is not None:
                pytest.exit(f"{failed} fails without any mutant")


def _is_in_process(item: pytest.Item) -> bool:
    marked = any(map(item.get_closest_marker, ("journey", "browser")))
    return not marked and not SERVERS & {*getattr(item, "fixturenames", ())}


def main() -> None:
    """Try mutants, and print the score."""
    options = _options()
    os.environ["CI"] = "true"  # then hypothesis gives the same examples each time
    FOLDER.mkdir(exist_ok=True)
    mutants = _sampled(options.files, options.share)
    known = _known()
    wanted = [each for each in mutants if _is_wanted(known.get(each.key), options.survivors)]
    wanted.sort(key=lambda each: each.key)  # at random, but always the same
    if wanted:
        plugin = Trying(wanted, options.at_once)
        tests = [
            str(Path("tests", folder, f"test_{name}.py"))
            for folder, names in TESTS.items()
            for name in names.split()
        ]
        pytest.main(["-q", "-s", "-p", "no:cacheprovider", *tests], plugins=[plugin])
    report(mutants, _known())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants")
    parser.add_argument("files", nargs="*", type=Path, default=FILES)
    parser.add_argument("--share", type=float, default=0.4, help="of each module's mutants")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--survivors", action="store_true", help="try those again that survived")
    return parser.parse_args()


def _sampled(files: Sequence[Path], share: float) -> list[Mutant]:
    """Return a share of the mutants of each module, always the same ones."""
    found: list[Mutant] = []
    for file in files:
        mutants = sorted(mutants_of(file), key=lambda each: each.key)
        found += mutants[: round(len(mutants) * share)]
    return found


def _known() -> dict[str, Verdict]:
    """Return the last verdict on each mutant."""
    file = FOLDER / "verdicts.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return {each["key"]: Verdict(**each) for each in map(json.loads, lines)}


def _is_wanted(verdict: Verdict | None, survivors: bool) -> bool:
    if verdict is None:
        return not survivors
    return survivors and verdict.word in ("survived", "uncovered")


if __name__ == "__main__":
    main()
