"""Requests of all kinds, and a Step that tells of them: for Django's own handlers and for ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.http import FileResponse, HttpResponse

from tests.factories import make_step
from tests.web.serving import http, serving

_JSON = {b"content-type": b"application/json"}
ASKED: list[dict[str, Any]] = [
    {},
    {"method": "HEAD"},
    {"method": "OPTIONS"},
    {"method": "DELETE"},
    {"path": "/nowhere"},
    {"path": "/p/%C3%A4/17"},
    {"path": "/mounted/p/b/17", "root_path": "/mounted"},
    {"method": "POST", "content": b'{"n": "\xc3\xa4"}', "headers": _JSON},
    {"method": "POST", "content": b"{", "headers": _JSON},
    {"method": "POST", "content": b"a=1&b=2"},
    {"method": "POST", "content": b'{"answer": "error"}', "headers": _JSON},
    {"method": "POST", "content": b'{"answer": "cookie"}', "headers": _JSON},
    {"method": "POST", "content": b'{"answer": "parts"}', "headers": _JSON},
    {"method": "POST", "content": b'{"answer": "file"}', "headers": _JSON},
    {"method": "POST", "content": b"x" * 70_000, "headers": _JSON},
    {"headers": {b"accept": b"text/plain"}},
    {"query_string": b"answer=file"},
    {"query_string": b"\xff"},
    {"query_string": b"a=1&a=2&b=%C3%A4"},
    {"headers": {b"host": b"no_host_at_all!"}},
]
"""What is asked, as an ASGI server has it."""


def tell(request: Any) -> Any:
    """Answer with all that is known of a request, or as its `answer` says."""
    kind = request.query.get("answer") or (request.body or {}).get("answer")
    if kind == "error":
        raise ValueError("no")
    if kind == "file":
        return FileResponse(Path(__file__).open("rb"))  # Django closes it
    if kind == "parts":
        return {"status": 201, "body": (part for part in ("a", {"b": 1}))}
    if kind == "cookie":
        response = HttpResponse("yes", status=202)
        response.set_cookie("a", "b", httponly=True)
        return response
    told = {name: getattr(request, name) for name in ("method", "path", "params", "query", "body")}
    meta = request.raw.META
    return {"body": {**told, "headers": dict(request.headers), "root": meta["SCRIPT_NAME"]}}


@contextmanager
def telling() -> Iterator[None]:
    """Serve the Step by all that is asked."""
    methods = [http(each) for each in ("GET", "DELETE")]
    posts = http("POST", maxBodySize=50_000)
    with serving(make_step(tell, *methods, posts, http("GET", "/p/:name/:id"))):
        yield
