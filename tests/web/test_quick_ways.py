"""What is read and written quickly is what REST framework would have read and written."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.test import RequestFactory, override_settings
from django.utils.functional import SimpleLazyObject
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer, JSONRenderer

from motia_django.twofold import is_in_loop
from motia_django.web.incoming import Headers
from tests.docs.pages import ROOT
from tests.factories import make_step
from tests.web.reading import Reading
from tests.web.serving import answering, http, serving

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def echo(request: Any) -> Any:
    return {"status": 200, "body": {"got": request.body, "data": request.raw.data}}


class PassingOn:
    """A middleware that lets each request pass."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self.get_response(request)


class Plainly(JSONParser):
    """REST framework's parser under another name: to it all is left."""


@pytest.mark.parametrize(
    "sent",
    [
        b'{"a": 1, "b": [true, null, 1.5, "\xc3\xa5"]}',
        b'{"a": 1, "a": 2}',
        b'{"wide": 123456789012345678901234567890, "small": -9223372036854775808}',
        b"[" * 150 + b"]" * 150,
        b"[" * 240 + b"]" * 240,
        b"[" * 300 + b"]" * 300,
        b"[" + b'{"a": [1]},' * 500 + b"{}]",
        b'"text"',
        b"0",
        b"null",
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"NaN",
        b"1e999",
        b'"\\ud800"',
        b"\xff",
        b'\xef\xbb\xbf{"bom": 1}',
        b"[" * 5000,
    ],
    ids=lambda sent: sent[:20].decode("latin-1"),
)
def test_a_body_is_read_as_rest_framework_reads_it(sent: bytes) -> None:
    answers = []
    for parser in (JSONParser, Plainly):
        with answering(echo, "POST", parsers=[parser]) as client:
            answer = client.post("/x", sent, content_type="application/json")
            answers.append((answer.status_code, answer.content))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b'{"hunter": "\\ud800"}', "there is half a character in it, a lone surrogate"),
        (b'{"\\ud800": "hunter"}', "there is half a character in it, a lone surrogate"),
        (b'{"hunter": ' + b"[" * 300 + b"]" * 300 + b"}", "it is nested too deeply"),
        (b'{"hunter": ' + b"[" * 50_000, "it is nested too deeply"),
    ],
    ids=["surrogate", "surrogate in a key", "deep", "too deep to be read"],
)
def test_a_body_that_is_no_json_is_refused_without_being_repeated(sent: bytes, why: str) -> None:
    with answering(echo, "POST") as client:
        answer = client.post("/x", sent, content_type="application/json")
    assert (answer.status_code, answer.json()) == (400, {"detail": f"JSON parse error - {why}"})


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "latin-1", "utf-16", "nonsense"])
def test_a_body_is_read_in_the_character_set_that_it_says(charset: str) -> None:
    sent = '{"name": "å"}'.encode("utf-8" if charset == "nonsense" else charset)
    answers = []
    for parser in (JSONParser, Plainly):
        with answering(echo, "POST", parsers=[parser]) as client:
            kind = f"application/json; charset={charset}"
            answer = client.generic("POST", "/x", sent, content_type=kind)
            answers.append((answer.status_code, answer.content))
    assert answers[0] == answers[1]


def test_a_parser_of_the_step_before_the_usual_one_is_asked_first() -> None:
    class Upper(JSONParser):
        def parse(self, *args: Any, **kwargs: Any) -> Any:
            return {"mine": super().parse(*args, **kwargs)}

    with answering(echo, "POST", parsers=[Upper, JSONParser]) as client:
        answer = client.post("/x", b"1", content_type="application/json")
    assert answer.json()["got"] == {"mine": 1}


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/json; indent=2"])
def test_an_answer_is_written_as_rest_framework_writes_it(accept: str) -> None:
    class Mine(JSONRenderer):
        """The same under another name."""

    body = {"text": "å <&> \u2028", "n": [1, 1.5, None, True], "deep": {"a": {}}}
    answers = []
    for renderer in (JSONRenderer, Mine):
        headers = {"accept": accept} if accept else {}
        with answering(lambda: {"body": body}, renderers=[renderer]) as client:
            answer = client.get("/x", headers=headers)
            answers.append((answer.status_code, dict(answer.headers), answer.json()))
            spaced = b"\n" in answer.content
            assert spaced == ("indent" in accept)
            assert client.get("/x", headers=headers).content == answer.content
    for found in answers:
        found[1].pop("Motia-Trace-Id")
        found[1].pop("Content-Length", None)
    assert answers[0] == answers[1]


def test_what_accept_asks_for_is_asked_each_time() -> None:
    class Text(BaseRenderer):
        media_type, format = "text/plain", "txt"

        def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
            return repr(data).encode()

    with answering(lambda: {"body": [1]}, renderers=[JSONRenderer, Text]) as client:
        for _ in range(2):
            assert client.get("/x", headers={"accept": "text/plain"}).content == b"[1]"
            assert client.get("/x", headers={"accept": "application/json"}).json() == [1]
            assert client.get("/x", headers={"accept": "image/png"}).status_code == 406
            by_name = client.get("/x?format=txt", headers={"accept": "*/*"})
            assert by_name["Content-Type"].startswith("text/plain")
            assert "Accept" in by_name["Vary"]


def test_middleware_may_change_the_data_before_they_are_rendered() -> None:
    class Adding(PassingOn):
        def process_template_response(self, request: Any, response: Any) -> Any:
            response.data = {**response.data, "added": {1, 2}, "price": 10**30}
            return response

    globals()["Adding"] = Adding
    with (
        override_settings(MIDDLEWARE=[f"{__name__}.Adding"]),
        answering(lambda: {"status": 200, "body": {"a": 1}}) as client,
    ):
        found = client.get("/x").json()
    assert found == {"a": 1, "added": [1, 2], "price": 10**30}


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the names of the functions that async code has had threads do, as they are called."""
    names: list[str] = []
    usual: Any = SyncToAsync.__call__

    async def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        names.append(self.func.__name__)
        return await usual(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", noted)
    return names


def test_under_asgi_an_answer_is_rendered_without_a_thread(in_threads: list[str]) -> None:
    with answering(lambda: {"status": 200, "body": {"a": 1}}):
        reading = Reading("asgi")
        reading.close()
    assert reading.response.content == b'{"a":1}'
    assert "view" in in_threads
    assert "render" not in in_threads


def test_under_asgi_a_renderer_of_the_projects_own_is_given_a_thread(in_threads: list[str]) -> None:
    class Text(BaseRenderer):
        media_type, format = "text/plain", "txt"

        def render(self, data: Any, *args: Any, **kwargs: Any) -> str:
            return f"{data} {is_in_loop()}"

    with answering(lambda: {"body": {"a": 1}}, renderers=[JSONRenderer, Text]):
        reading = Reading("asgi", accept="text/plain")
        reading.close()
    assert reading.response.content == b"{'a': 1} False"
    assert "render" in in_threads


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
def test_what_waits_for_the_rendering_may_change_the_answer(server: str) -> None:
    def shortened(response: Any) -> Any:
        assert not is_in_loop()
        response.content = response.content[:4]
        return response

    class Shortening(PassingOn):
        def process_template_response(self, request: Any, response: Any) -> Any:
            response.add_post_render_callback(shortened)
            return response

    globals()["Shortening"] = Shortening
    with (
        override_settings(MIDDLEWARE=[f"{__name__}.Shortening"]),
        answering(lambda: {"status": 200, "body": {"a": 1}}),
    ):
        reading = Reading(server)
        reading.close()
    assert reading.response.content == b'{"a"'


def test_nothing_of_a_request_that_was_answered_waits_for_pythons_collector() -> None:
    seen: list[weakref.ref[Any]] = []

    def handler(request: Any) -> Any:
        seen.append(weakref.ref(request.raw))
        return {"status": 200, "body": {"a": 1}}

    with answering(handler, "POST"):
        asked = RequestFactory().post("/x", {"b": 2}, content_type="application/json")
        gc.disable()
        try:
            handled: Any = WSGIHandler()
            handled(asked.environ, lambda *_: None).close()
            assert [each() for each in seen] == [None]
        finally:
            gc.enable()


def test_headers_are_those_of_django() -> None:
    request = HttpRequest()
    request.META = {
        "HTTP_X_MANY_WORDS": "1",
        "HTTP_ETAG": "2",
        "CONTENT_TYPE": "3",
        "CONTENT_LENGTH": "4",
        "SERVER_NAME": "no header",
        "wsgi.input": object(),
    }
    ours = Headers(request.META)
    assert ours["x-many-words"] == ours["X_MANY_WORDS"] == ours.get("X-Many-Words") == "1"
    assert (ours.get("content-type"), "Server-Name" in ours, ours.get("nothing")) == (
        "3",
        False,
        None,
    )
    assert dict(ours) == ours.as_dict() == dict(request.headers)
    assert len(ours) == len(request.headers)


def whoever(request: Any) -> Any:
    return {"body": {"user": str(request.user), "named": bool(request.user.is_authenticated)}}


def test_who_has_logged_in_is_known_and_who_has_not_is_nobody() -> None:
    user = User.objects.create_user("ada")
    with answering(whoever) as client:
        before = client.get("/x")
        assert before.json() == {"user": "AnonymousUser", "named": False}
        assert "Cookie" in before["Vary"]
        client.force_login(user)
        assert client.get("/x").json() == {"user": "ada", "named": True}
        client.logout()
        assert client.get("/x").json()["named"] is False


class ByHeader(AuthenticationMiddleware):
    """Middleware of a project's own, as lazy as Django's."""

    def process_request(self, request: Any) -> None:
        request.user = SimpleLazyObject(
            lambda: User.objects.get(username=request.headers["X-User"])
        )


def test_the_user_of_middleware_of_the_projects_own_is_asked_for() -> None:
    User.objects.create_user("ada")
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        f"{__name__}.ByHeader",
    ]
    with override_settings(MIDDLEWARE=middleware), answering(whoever) as client:
        assert client.get("/x", headers={"X-User": "ada"}).json()["user"] == "ada"


def test_a_project_without_users_and_sessions_is_served() -> None:
    code = (
        "import benchmarks.contenders.http.wsgi\n"
        "from django.core.management import call_command\n"
        "from django.test import Client\n"
        "call_command('migrate', run_syncdb=True, verbosity=0)\n"
        "sent = {'title': 'a', 'description': 'b', 'priority': 1}\n"
        "answer = Client().post('/kept/3', sent, 'application/json')\n"
        "assert answer.status_code == 201, answer.content\n"
    )
    database = '{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}'
    known = {"BENCHMARK_CONTENDER": "steps", "BENCHMARK_DATABASE": database}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **known},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr


def test_each_method_on_a_path_has_the_policies_of_its_own_step() -> None:
    get = make_step(lambda: {"body": 1}, http("GET"), name="Get")
    put = make_step(
        lambda request: {"body": 2}, http("PUT", permissions=[lambda request: False]), name="Put"
    )
    with serving(get, put) as client:
        assert client.get("/x").status_code == 200
        assert client.put("/x", "{}", content_type="application/json").status_code == 403
        assert client.get("/x")["Allow"] == "GET, PUT, HEAD, OPTIONS"
        assert client.options("/x").status_code == 200
        assert client.post("/x").status_code == 405
