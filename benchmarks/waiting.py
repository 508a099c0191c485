"""What requests that wait for another service cost the others of the same ASGI worker.

    python -m benchmarks.waiting

One uvicorn worker serves; many requests at once wait a second each, as a Step or as a view, and
meanwhile one other request after the other is made, to a view that does not wait.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass

import psutil

from benchmarks import report
from benchmarks.streams import free_port, served

APPLICATION = "benchmarks.contenders.waiting.asgi"
CONTENDERS = {
    "/drf-view": "REST framework, `def`",
    "/async-view": "Django, `async def`",
    "/step": "Step, `def`",
    "/async-step": "Step, `async def`",
}
COLUMNS = ("", "all answered within", "another request meanwhile", "threads", "kB a request")
PACKAGES = ("django", "djangorestframework", "uvicorn")


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured of one contender."""

    name: str
    total: float
    """Seconds until the last of the waiting requests was answered."""
    other: float
    """Milliseconds, the median."""
    threads: int
    """At most, while they waited."""
    memory: float
    """kB for each waiting request."""


async def get(port: int, path: str) -> float:
    """Return the seconds that a request took; raise `ValueError` unless it was answered well."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    answer = await reader.read()
    writer.close()
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise ValueError(f"{path}: {answer[:200]!r}")
    return time.perf_counter() - began


async def measure(port: int, server: psutil.Process, path: str, number: int) -> Result:
    """Let so many requests wait at once, and make others meanwhile."""
    await asyncio.gather(*(get(port, path) for _ in range(5)))
    memory, began = server.memory_info().rss, time.perf_counter()
    waiting = asyncio.gather(*(get(port, path) for _ in range(number)))
    others, threads, most = [], 0, memory
    while not waiting.done():
        others.append(await get(port, "/other"))
        threads = max(threads, server.num_threads())
        most = max(most, server.memory_info().rss)
    await waiting
    return Result(
        name=CONTENDERS[path],
        total=time.perf_counter() - began,
        other=1000 * statistics.median(others),
        threads=threads,
        memory=(most - memory) / number / 1024,
    )


def row(result: Result, first: Result) -> list[str]:
    """Return a line of the table, with ratios to the first contender."""
    return [
        result.name,
        f"{result.total:.2f} s ({result.total / first.total:.2f} x)",
        f"{result.other:.1f} ms ({result.other / first.other:.2f} x)",
        str(result.threads),
        f"{result.memory:.0f}",
    ]


def main() -> int:
    """Measure each contender with a server of its own, and print what came of it."""
    parser = argparse.ArgumentParser("python -m benchmarks.waiting", description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--write-docs", action="store_true", help=f"into docs/{report.PAGE.name}")
    options = parser.parse_args()
    machine = report.machine(*PACKAGES)
    results = []
    for path in CONTENDERS:
        port = free_port()
        with served(APPLICATION, port) as server:
            results.append(asyncio.run(measure(port, server, path, options.requests)))
    table = report.table(COLUMNS, [row(each, results[0]) for each in results])
    text = f"{options.requests} requests that wait a second each.\n{machine}.\n\n{table}"
    print(text)
    if options.write_docs:
        report.write("waiting", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
