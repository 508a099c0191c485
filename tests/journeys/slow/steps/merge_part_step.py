"""One part of a merge: fifty of these run in parallel, and write to one item."""

from typing import Any

from motia_django import Context, queue, step

config = step("MergePart", triggers=[queue("merge.part")])


def handler(input: dict[str, Any], ctx: Context) -> None:
    done = {"type": "merge", "path": "done", "value": {str(input["part"]): True}}
    ctx.state.update("merges", input["merge"], [done])
