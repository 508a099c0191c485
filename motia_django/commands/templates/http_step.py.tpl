"""$method $path"""

from pydantic import BaseModel, Field


class ${class_name}Body(BaseModel):
    title: str = Field(min_length=1)


config = {
    "name": "$name",
    "description": "",
    "triggers": [
        {"type": "http", "method": "$method", "path": "$path", "bodySchema": ${class_name}Body},
    ],
    "enqueues": $topics,
    "flows": [],
}


def handler(request, ctx):
    ctx.logger.info("$name", {"title": request.body.title})
${sending}    return {"status": 201, "body": {"title": request.body.title}}
