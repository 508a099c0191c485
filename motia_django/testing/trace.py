"""What ran, as a tree: each run below the one that caused it, to be read and to be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from motia_django.testing.ran import Ran, in_order
from motia_django.testing.stable import Stable


class Trace:
    """Runs as a tree; `str()` draws it, and it is the same each time.

    Ids and times are replaced: `<id 1>` is the same id wherever it stands.
    """

    def __init__(self, runs: Iterable[Ran]) -> None:
        self.runs = in_order(runs)
        """All runs, in the order of their birth."""
        known = {each.id for each in self.runs}
        self._below: dict[str | None, list[Ran]] = {}
        for each in self.runs:
            parent = each.parent_id if each.parent_id in known else None
            self._below.setdefault(parent, []).append(each)

    def __iter__(self) -> Iterator[Ran]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def of(self, step: str) -> list[Ran]:
        """Return the runs of one Step; raise `UnknownStep` if there is none."""
        return self.runs.of(step)

    def __str__(self) -> str:
        return self._drawn(with_events=False)

    def __repr__(self) -> str:
        return f"<Trace\n{self}>"

    def in_full(self) -> str:
        """Draw the tree with all that happened in each run."""
        return self._drawn(with_events=True)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the tree as plain data, as stable as its drawing.

        Each run is `{"run": "...", "failures": [...], "events": [...], "causes": [...]}`.
        """
        stable = Stable()
        return [_plain(each, self._below, stable) for each in self._below.get(None, ())]

    def _drawn(self, *, with_events: bool) -> str:
        roots = self._below.get(None, ())
        lines = [line for root in roots for line in self._lines(root, with_events=with_events)]
        return Stable().text("\n".join(lines))

    def _lines(self, root: Ran, *, with_events: bool) -> Iterator[str]:
        """Yield the lines of a run and of what it caused, however deep that goes."""
        waiting = [(root, "", "")]
        while waiting:
            run, first, margin = waiting.pop()
            yield f"{first}{run}"
            below = self._below.get(run.id, [])
            rail = "│ " if below else "  "
            told = [f"attempt {number}: {error}" for number, error in enumerate(run.failures, 1)]
            unheard = [f"enqueue {topic} -> nobody" for topic in run.unheard]
            told = [*(run.events if with_events else unheard), *told]
            yield from (f"{margin}{rail} {each}" for each in told)
            for each in reversed(below):
                first, bar = ("└─ ", "   ") if each is below[-1] else ("├─ ", "│  ")
                waiting.append((each, margin + first, margin + bar))


def what_ran(kit: Any) -> str:
    """Return it for a test that failed; never fail itself, if the database is not to be had."""
    try:
        return kit.trace.in_full() or "nothing"
    except Exception as error:
        return f"it cannot be read: {error!r}"


def _plain(run: Ran, below: dict[str | None, list[Ran]], stable: Stable) -> dict[str, Any]:
    return {
        "run": stable.text(str(run)),
        "failures": [stable.text(each) for each in run.failures],
        "events": [stable.text(each) for each in run.events],
        "causes": [_plain(each, below, stable) for each in below.get(run.id, ())],
    }
