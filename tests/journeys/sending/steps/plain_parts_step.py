"""A Step that sends its last part when the test opens the gate, as a plain generator."""

from collections.abc import Iterator
from typing import Any

from motia_django import Context, http, step
from tests.journeys.sending.gates import gate

config = step("PlainParts", triggers=[http("GET", "/parts/plain/:gate")])


def handler(request: Any, ctx: Context) -> Iterator[Any]:
    name = request.params["gate"]
    try:
        yield {"part": "first"}
        if name == "broken":
            raise ValueError("a part cannot be made")
        while not gate(name).exists():
            gate(name).wait()
            yield {"part": "between"}
        ctx.logger.info("The gate is open")
        yield {"part": "last"}
    finally:
        ctx.state.set("sending", name, "closed")
