"""Runs when all parts of a merge have come."""

from typing import Any

from motia_django import Context, StateChange, state_changed, step

PARTS = 50


def parts(value: Any) -> int:
    return len((value or {}).get("done", {}))


def is_complete_now(change: StateChange) -> bool:
    return parts(change.new_value) == PARTS > parts(change.old_value)


config = step("MergeComplete", triggers=[state_changed("merges", condition=is_complete_now)])


def handler(change: StateChange, ctx: Context) -> None:
    ctx.state.update("merged", change.item_id, [{"type": "increment", "path": "times"}])
