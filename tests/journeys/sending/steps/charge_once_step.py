"""A Step that charges once for each Idempotency-Key, and dies the first time if it is told to."""

import os
import signal
from typing import Any

from motia_django import Context, http, step
from tests.journeys.sending.gates import gate

config = step(
    "ChargeOnce",
    triggers=[http("POST", "/charge", idempotency={"required": True, "lease": 2})],
    atomic=True,
)


def handler(request: Any, ctx: Context) -> dict[str, Any]:
    name = request.body["gate"]
    charged = ctx.state.update("charged", name, [{"type": "increment", "path": "times"}])
    if not gate(name).exists():
        gate(name).open()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"status": 201, "body": charged["new_value"]}
