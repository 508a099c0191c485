"""What is called after a commit; and whether a commit came, or a rollback."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connections, transaction

Hook = Callable[[], None]


def after_commit(work: Callable[[], object], alias: str) -> Hook:
    """Do work after commit, at once outside of a transaction; what it raises is logged.

    Before the project's own hooks: one of these that raises keeps Django from calling the rest.
    Not so in a TestCase, whose transaction never commits: `captureOnCommitCallbacks` calls hooks in
    the order of the list and leaves them there, so that one put before others is never called.
    Return the hook that Django keeps until then.
    """

    def ours() -> None:
        work()

    transaction.on_commit(ours, using=alias, robust=True)
    connection = connections[alias]
    in_test = any(getattr(each, "_from_testcase", False) for each in connection.atomic_blocks)
    hooks = connection.run_on_commit
    if hooks and hooks[-1][1] is ours and not in_test:
        names = [getattr(each[1], "__qualname__", "") for each in hooks[:-1]]
        hooks.insert(names.count(ours.__qualname__), hooks.pop())
    return ours


class Fate:
    """What becomes of something just written in a transaction that goes on."""

    __slots__ = ("_connection", "_hook", "_is_committed")

    def __init__(self, alias: str) -> None:
        self._is_committed = False
        self._connection = connections[alias]
        self._hook = after_commit(self._commit, alias)

    @property
    def is_undone(self) -> bool:
        """Whether it was rolled back: Django has dropped the hook then, and never called it."""
        waiting = (each[1] for each in self._connection.run_on_commit)
        return not self._is_committed and all(hook is not self._hook for hook in waiting)

    def _commit(self) -> None:
        self._is_committed = True


def fate_in(alias: str | None) -> Fate | None:
    """Return the fate of what was just written there; None if no rollback can undo it any more."""
    return Fate(alias) if alias and connections[alias].in_atomic_block else None
