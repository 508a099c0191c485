"""The command line: fight each pair, print what came of it, fail if a promise was broken."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chaos import report
from benchmarks.chaos.battle import Order, Report, fight
from benchmarks.chaos.plan import Plan
from benchmarks.chaos.servers import PAIRS, missing

LONG, QUICK = (10_000, 50), (1_000, 8)
SECONDS_PER_FAULT = {False: 4.0, True: 2.5}
PATIENCE = {False: 150.0, True: 60.0}


def main(words: Sequence[str]) -> int:
    """Do what the command line asks; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("stopped"))  # by way of what ends the processes
    options = _parser().parse_args(words)
    pairs = _pairs(options.pairs)
    logs = Path(tempfile.mkdtemp(prefix="motia-chaos-logs-"))
    reports = [fight(_order(pair, options, logs)) for pair in pairs]
    print(f"\n{report.results(reports)}\n\n{report.faults(reports)}\n")
    if options.write_docs:
        report.write(reports, shlex.join(["python", "-m", "benchmarks.chaos", *words]))
    broken = _tell_broken(reports)
    if broken or options.keep_logs:
        print(f"The logs of all processes are in {logs}")
    else:
        shutil.rmtree(logs)
    return int(broken)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--pairs", default=",".join(PAIRS), help="such as postgresql+redis,...")
    parser.add_argument("--messages", type=int, help="committed messages for each pair")
    parser.add_argument("--faults", type=int, help="faults for each pair")
    parser.add_argument("--seed", type=int, default=1, help="decides what is sent, what fails when")
    parser.add_argument("--quick", action="store_true", help="1,000 messages and 8 faults")
    parser.add_argument("--keep-logs", action="store_true", help="also if all went well")
    parser.add_argument("--write-docs", action="store_true", help="write docs/reliability.md")
    return parser


def _pairs(given: str) -> list[str]:
    """Return the pairs that can be fought here; where CI=true, all must."""
    pairs = []
    for pair in given.split(","):
        if pair not in PAIRS:
            sys.exit(f"unknown pair {pair!r}; known are {', '.join(PAIRS)}")
        if (reason := missing(pair)) is None:
            pairs.append(pair)
        elif os.environ.get("CI") == "true":
            sys.exit(f"{pair}: {reason} (compulsory where CI=true)")
        else:
            print(f"{pair}: left out: {reason}")
    return pairs


def _order(pair: str, options: argparse.Namespace, logs: Path) -> Order:
    messages, faults = QUICK if options.quick else LONG
    count = faults if options.faults is None else options.faults
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{pair} {time.monotonic() - begun:4.0f} s] {text}", flush=True)

    plan = Plan(
        messages=options.messages or messages,
        faults=count,
        seed=options.seed,
        seconds=max(count, 2) * SECONDS_PER_FAULT[options.quick],
    )
    say(f"{plan.messages} messages, {plan.faults} faults, seed {plan.seed}")
    return Order(pair=pair, plan=plan, patience=PATIENCE[options.quick], logs=logs / pair, say=say)


def _tell_broken(reports: Sequence[Report]) -> bool:
    for each in reports:
        for promise in each.findings.broken:
            print(f"BROKEN {each.pair}: {promise}")
    return any(each.findings.broken for each in reports)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
