"""$method $path"""
$models
config = {
    "name": "$name",
    "description": "",
    "triggers": [
        {
            "type": "http",
            "method": "$method",
            "path": "$path",
${schemas}        },
    ],
    "enqueues": $topics,
    "flows": [],
}


def handler(request, ctx):
    ctx.logger.info("$name"$told)
${sending}    return $answer
