"""In the background, for every message on "$topic"."""

from pydantic import BaseModel


class ${class_name}Input(BaseModel):
    id: str


config = {
    "name": "$name",
    "description": "",
    "triggers": [{"type": "queue", "topic": "$topic", "input": ${class_name}Input}],
    "enqueues": $topics,
    "flows": [],
}


def handler(input, ctx):
    ctx.logger.info("$name", {"id": input.id})
    ctx.state.set("$topic", input.id, {"done": True})
${sending}