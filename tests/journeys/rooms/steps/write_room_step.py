"""POST /rooms {"do": "set", "with": ["group", "item", {...}]}: any method of the stream `rooms`."""

from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from motia_django import Request, Stream, http, step
from motia_django.live.tokens import stream_token

config = step("WriteRoom", triggers=[http("POST", "/rooms"), http("POST", "/rooms/tokens/:name")])


def handler(request: Request) -> dict[str, Any]:
    name = request.path_params.get("name")
    if name:
        user, _ = get_user_model()._default_manager.get_or_create(username=name)
        browser = Client()
        browser.force_login(user)
        session = browser.cookies["sessionid"].value
        token = stream_token(user, **request.body)
        return {"status": 200, "body": {"token": token, "session": session}}
    stream = Stream("rooms")
    for each in request.body if isinstance(request.body, list) else [request.body]:
        getattr(stream, each["do"])(*each["with"])
    return {"status": 200, "body": {}}
