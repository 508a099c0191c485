"""Several triggers on one Step: by HTTP, by message, or every six hours."""

from typing import Any

from motia_django import Context

config = {
    "name": "RefreshCatalog",
    "description": "Refreshes the catalog, whoever asks for it",
    "triggers": [
        {
            "type": "http",
            "method": "POST",
            "path": "/process",
            "responseSchema": {200: dict[str, int]},
        },
        {"type": "queue", "topic": "process.requested"},
        {"type": "cron", "schedule": "0 */6 * * *"},  # Every 6 hours
    ],
    "flows": ["catalog"],
}


def handler(input: Any, ctx: Context) -> Any:
    refreshed = ctx.state.update("catalog", "main", [{"type": "increment", "path": "refreshes"}])
    ctx.logger.info("Catalog refreshed", {"by": ctx.trigger.type})
    return ctx.match(
        {
            "http": lambda request: {"status": 200, "body": refreshed["new_value"]},
            "default": lambda: None,
        }
    )
