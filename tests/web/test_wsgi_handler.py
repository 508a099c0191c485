"""Requests under WSGI: answered as by Django's own handler, with less to be done for each."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from types import ModuleType
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.cache import caches
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import connection, connections
from django.http import FileResponse, HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import (
    clear_url_caches,
    get_resolver,
    get_urlconf,
    include,
    path,
    re_path,
    register_converter,
    set_urlconf,
)
from django.urls.converters import StringConverter
from django.utils import translation
from django.utils.functional import lazystr

from motia_django.registry import registry
from motia_django.web.routing import urlpatterns_for
from motia_django.wsgi import get_wsgi_application
from tests.factories import installed, listening, make_step, rows
from tests.web.handled import ASKED, telling
from tests.web.serving import answering, http

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

Answer = tuple[str, dict[str, list[str]], bytes]


def ask(
    application: Any,
    method: str = "GET",
    path: str = "/x",
    content: bytes = b"",
    headers: dict[bytes, bytes] | None = None,
    root_path: str = "",
    query_string: bytes = b"a=1",
    extra: dict[str, Any] | None = None,
) -> Answer:
    """Return what a request is answered, closed as a server closes it."""
    known = {b"host": b"testserver", **(headers or {})}
    named = {name.decode().upper().replace("-", "_"): value for name, value in known.items()}
    asks = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": root_path,
        "PATH_INFO": path.removeprefix(root_path),
        "QUERY_STRING": query_string.decode("latin-1"),
        "CONTENT_TYPE": named.pop("CONTENT_TYPE", b"").decode(),
        "CONTENT_LENGTH": str(len(content)),
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.input": BytesIO(content),
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name}": value.decode() for name, value in named.items()},
    }
    begun: list[Any] = []
    parts = application({**asks, **(extra or {})}, lambda *args: begun.extend(args))
    status, told = begun
    said: dict[str, list[str]] = {}
    for name, value in told:
        said.setdefault(name, []).append(value.strip())  # as servers do
    try:
        return status, said, b"".join(parts)
    finally:
        parts.close()


@pytest.mark.parametrize("asks", ASKED, ids=repr)
def test_the_answer_is_that_of_djangos_own_handler(asks: dict[str, Any]) -> None:
    ours, theirs = get_wsgi_application(), WSGIHandler()
    with telling():
        answers = [ask(each, **asks) for each in (theirs, ours, ours)]
    for _, headers, content in answers:
        headers.pop("Motia-Trace-Id", None)
        length = headers.pop("Content-Length", None)  # Django's own may leave it out
        assert length in (None, [str(len(content))])
    assert answers[0] == answers[1] == answers[2]
    assert len(rows()) % 3 == 0


@pytest.mark.parametrize(
    ("answer", "length"),
    [
        ({"body": {"a": "ä"}}, ["10"]),
        ({"status": 204}, None),
        ({"body": (part for part in "ab")}, None),
        (HttpResponse("four", headers={"Content-Length": "4"}), ["4"]),
    ],
    ids=["JSON", "nothing", "parts", "told"],
)
def test_an_answer_says_how_long_it_is_if_that_is_known(answer: Any, length: Any) -> None:
    with override_settings(MIDDLEWARE=[]), answering(lambda: answer):
        _, headers, _ = ask(get_wsgi_application())
    assert headers.get("Content-Length") == length


def test_a_file_is_read_by_the_server_itself_if_it_can() -> None:
    def answer() -> Any:
        return FileResponse(BytesIO(b"of a file"))

    over: list[bool] = []
    with answering(answer), listening(request_finished, lambda **_: over.append(True)):
        with_it = ask(get_wsgi_application(), extra={"wsgi.file_wrapper": FileWrapper})
        without = ask(get_wsgi_application())
    assert with_it[2] == without[2] == b"of a file"
    assert over == [True, True]


class TestBetweenRequests:
    """What Django's receivers of its two signals do is done, whoever else listens to these."""

    @pytest.fixture(params=["Django alone", "somebody else"], autouse=True)
    def listeners(self, request: pytest.FixtureRequest) -> Iterator[list[str]]:
        told: list[str] = []

        def begun(environ: Any, sender: Any, **_: Any) -> None:
            told.append(f"begun {environ['PATH_INFO']}")

        def over(**_: Any) -> None:
            told.append("over")

        if request.param == "Django alone":
            yield told
            return
        with listening(request_started, begun), listening(request_finished, over):
            yield told

    def test_whoever_listens_is_told(
        self, listeners: list[str], request: pytest.FixtureRequest
    ) -> None:
        with answering(lambda: None):
            ask(get_wsgi_application())
        is_heard = "somebody else" in request.node.callspec.id
        assert listeners == (["begun /x", "over"] if is_heard else [])

    @pytest.mark.parametrize(("left", "closed"), [(None, 0), (60, 0), (-1, 2)])
    def test_connections_live_as_long_as_they_may(
        self, monkeypatch: pytest.MonkeyPatch, left: int | None, closed: int
    ) -> None:
        own, ends = connections["default"], []
        monkeypatch.setattr(own, "close", lambda: ends.append(True))
        own.ensure_connection()
        monkeypatch.setattr(own, "close_at", None if left is None else time.monotonic() + left)
        with answering(lambda: None):
            ask(get_wsgi_application())
        assert len(ends) == closed, "before and after a request"

    def test_queries_of_the_request_before_are_forgotten(self) -> None:
        connection.queries_log.append({"sql": "", "time": ""})
        with answering(lambda: {"body": {"queries": len(connection.queries_log)}}):
            assert ask(get_wsgi_application())[2] == b'{"queries":0}'

    def test_caches_are_closed_and_the_urlconf_is_djangos_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed: list[bool] = []
        monkeypatch.setattr(type(caches["default"]), "close", lambda *_, **__: closed.append(True))

        def handler() -> Any:
            set_urlconf("tests.web.urls_of_somebody_else")

        with answering(handler):
            ask(get_wsgi_application())
        assert get_urlconf() is None
        assert closed == [True]

    def test_what_cannot_be_closed_keeps_nothing_else_from_it(self) -> None:
        closed: list[bool] = []

        def handler() -> Any:
            response = HttpResponse("yes")
            response._resource_closers += [lambda: 1 / 0, lambda: closed.append(True)]  # type: ignore[attr-defined]
            return response

        with answering(handler):
            assert ask(get_wsgi_application())[2] == b"yes"
        assert closed == [True]


class Marking:
    """Middleware that gives each view an argument, and says which ones it found there."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        if "HTTP_ELSEWHERE" in request.META:
            request.urlconf = urls_of(path("x", other))
        response = self.get_response(request)
        response["X-Found"] = request.META.get("FOUND", "")
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        request.META["FOUND"] = repr({**kwargs})
        kwargs["mark"] = True


class Wavering(StringConverter):
    """A converter that takes whatever it is asked for, or nothing."""

    takes = False

    def to_python(self, value: str) -> str:
        if not self.takes:
            raise ValueError
        return value


register_converter(Wavering, "wavering")


def urls_of(*patterns: Any) -> ModuleType:
    urls = ModuleType("urls_of_this_test")
    urls.urlpatterns = [*patterns]  # type: ignore[attr-defined]
    return urls


def other(request: HttpRequest, **params: Any) -> HttpResponse:
    return HttpResponse("another view")


class TestPaths:
    """Where a Step's path leads to is remembered, but no longer than it leads there."""

    @pytest.fixture(autouse=True)
    def steps(self) -> Iterator[None]:
        triggers = http(), http("GET", "/p/:name")
        with installed(make_step(lambda request: {"body": request.params}, *triggers)):
            yield
        clear_url_caches()

    @contextmanager
    def served(self, *before: Any, around: Any = lambda one: [one]) -> Iterator[Any]:
        """Serve the Steps after other patterns, or within some."""
        own = path("", include((urlpatterns_for(registry().routes()), "motia")))
        with override_settings(ROOT_URLCONF=urls_of(*before, *around(own))):
            clear_url_caches()
            yield get_wsgi_application()

    def test_a_path_is_looked_up_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []
        with override_settings(MIDDLEWARE=[]), self.served() as application:
            resolver = get_resolver()
            resolve = resolver.resolve

            def noted(path: str) -> Any:
                asked.append(path)
                return resolve(path)

            monkeypatch.setattr(resolver, "resolve", noted)
            answers = [ask(application, path=each)[2] for each in ["/x", "/p/a", "/nowhere"] * 2]
        assert asked == ["/x", "/p/a", "/nowhere", "/p/a", "/nowhere"]
        assert answers[:2] == answers[3:5] == [b"{}", b'{"name":"a"}']

    def test_other_urls_are_found_once_they_are_there(self) -> None:
        with self.served() as application:
            assert ask(application)[0] == "200 OK"
            with override_settings(ROOT_URLCONF=urls_of(path("x", other))):
                assert ask(application)[2] == b"another view"
            assert ask(application)[2] == b"{}"

    def test_a_path_that_depends_on_the_language_is_looked_up_each_time(self) -> None:
        with self.served(around=i18n_patterns) as application:
            with translation.override("de"):
                assert ask(application, path="/de/x")[0] == "200 OK"
                assert ask(application, path="/de/x")[0] == "200 OK"
            with translation.override("fr"):
                assert ask(application, path="/de/x")[0] == "404 Not Found"

    @pytest.mark.parametrize("route", [path, re_path])
    def test_so_is_one_that_is_translated(self, route: Any) -> None:
        before = route(lazystr("x"), other)
        with self.served(before) as application:
            assert ask(application)[2] == b"another view"

    def test_so_is_one_that_a_converter_of_the_project_may_take(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with self.served(path("<wavering:what>", other)) as application:
            assert ask(application)[2] == ask(application)[2] == b"{}"
            monkeypatch.setattr(Wavering, "takes", True)
            assert ask(application)[2] == b"another view"

    def test_what_is_wrong_elsewhere_in_the_urls_is_of_no_account(self) -> None:
        broken = path("broken/", include("tests.web.no_urls"))
        with self.served(broken) as application:
            assert ask(application)[2] == ask(application)[2] == b"{}"

    def test_middleware_may_name_other_urls_and_change_the_arguments_of_views(self) -> None:
        middleware = override_settings(MIDDLEWARE=[f"{__name__}.Marking"])
        with middleware, self.served() as application:
            for _ in range(2):
                _, headers, body = ask(application)
                assert (headers["X-Found"], body) == (["{}"], b"{}")
            assert ask(application, headers={b"elsewhere": b"1"})[2] == b"another view"

    def test_views_of_the_project_have_their_transactions(self) -> None:
        def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse(str(connection.in_atomic_block))

        def handler() -> Any:
            return {"body": connection.in_atomic_block}

        connection.settings_dict["ATOMIC_REQUESTS"] = True
        try:
            with self.served(path("view", view)) as application:
                assert ask(application, path="/view")[2] == b"True"
            with answering(handler):
                assert ask(get_wsgi_application())[2] == b"true"
        finally:
            connection.settings_dict["ATOMIC_REQUESTS"] = False
