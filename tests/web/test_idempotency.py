"""`Idempotency-Key`: who repeats a request gets the answer that he got."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.utils import timezone
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import ValidationError

from motia_django import http as declared
from motia_django import ledger, upkeep
from motia_django.models import Answer
from motia_django.runs import Status
from motia_django.web import views
from motia_django.webhooks import signed_by
from tests.declared import good, wrong
from tests.factories import installed, make_step, rows
from tests.web.serving import answering, http, served, serving

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def pay(client: Client, key: str | None = KEY, body: Any = '{"amount": 1}', **more: str) -> Any:
    headers = more | ({} if key is None else {"Idempotency-Key": key})
    return client.post("/x", body, content_type="application/json", headers=headers)


def counting(answer: Callable[[int], Any]) -> Callable[[], Any]:
    """Return a handler that answers with what `answer` makes of the number of its calls."""
    calls: list[int] = []

    def handler() -> Any:
        calls.append(1)
        Group.objects.create(name=f"call {len(calls)}")
        return answer(len(calls))

    return handler


def with_cookies(call: int) -> HttpResponse:
    response = HttpResponse(f"{call}\xff".encode("latin1"), status=203, headers={"X-A": "b"})
    response.set_cookie("seen", str(call), httponly=True, samesite="Lax")
    response.set_cookie("too", "1")
    return response


@pytest.mark.parametrize(
    "answer",
    [
        lambda call: {"status": 201, "body": {"call": call, "password": "p"}},
        lambda call: {"body": b"\x00" + bytes([call]), "headers": {"Content-Type": "image/png"}},
        lambda call: None,
        lambda call: {"status": 302, "headers": {"Location": f"/{call}"}},
        lambda call: {"status": 404, "body": call},
        with_cookies,
    ],
)
def test_who_repeats_a_request_gets_the_same_answer_without_effect(answer: Any) -> None:
    with answering(counting(answer), "POST", idempotency=True) as client:
        first, second = pay(client), pay(client)
        fresh = [pay(client, "another"), pay(client, None), pay(client, None)]
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert {**second.headers} == {**first.headers, "Idempotency-Replayed": "true"}
    assert str(second.cookies) == str(first.cookies)
    assert not any("Idempotency-Replayed" in each for each in fresh)
    assert Group.objects.count() == len(rows()) == 4


def test_another_body_query_or_path_with_the_same_key_is_422() -> None:
    with answering(counting(lambda call: {"body": call}), "POST", idempotency=True) as client:
        assert pay(client).json() == 1
        assert pay(client, body='{ "amount" :1 }').json() == 1
        refused = pay(client, body='{"amount": 2}')
        form = {"Idempotency-Key": KEY}
        other = client.post("/x?a=1", '{"amount": 1}', "application/json", headers=form)
    assert (refused.status_code, other.status_code) == (422, 422)
    assert "sent before, with another request" in refused.json()["detail"]
    assert Group.objects.count() == 1


def test_files_are_compared_by_their_content() -> None:
    def upload(content: bytes) -> Any:
        file = SimpleUploadedFile("a.txt", content)
        return client.post("/x", {"file": file, "n": "1"}, headers={"Idempotency-Key": KEY})

    def handler(request: Any) -> Any:
        return {"body": request.files["file"].read().decode()}

    with answering(handler, "POST", idempotency=True) as client:
        assert [upload(b"a").json(), upload(b"a").json()] == ["a", "a"]
        assert upload(b"b").status_code == 422


@pytest.mark.parametrize(
    ("key", "status"),
    [(None, 400), ("", 400), ("a" * 255, 204), ("a" * 256, 400), ("ä", 400), ("a b", 400),
     ('"quoted"', 204), ('"', 400), ('""', 400)],
)  # fmt: skip
def test_a_key_is_needed_where_it_is_required_and_bounded(key: str | None, status: int) -> None:
    with answering(lambda: None, "POST", idempotency={"required": True}) as client:
        assert pay(client, key).status_code == status
    assert len(rows()) == (status == 204)


def test_a_key_in_quotes_is_the_same_as_without() -> None:
    with answering(counting(lambda call: {"body": call}), "POST", idempotency=True) as client:
        assert [pay(client, f'"{KEY}"').json(), pay(client).json()] == [1, 1]


def test_the_key_is_in_the_header_that_the_step_names() -> None:
    keys = {"header": "X-GitHub-Delivery", "required": True}
    with answering(counting(lambda call: {"body": call}), "POST", idempotency=keys) as client:
        first, again = (pay(client, None, **{"X-GitHub-Delivery": KEY}) for _ in range(2))
        other = pay(client, None, '{"amount": 2}', **{"X-GitHub-Delivery": KEY})
        missing = pay(client)
    assert (first.json(), again.json(), again.headers["Idempotency-Replayed"]) == (1, 1, "true")
    assert (other.status_code, missing.status_code) == (422, 400)
    assert "This X-GitHub-Delivery was sent before" in other.json()["detail"]
    assert missing.json()["detail"] == "This request needs a header X-GitHub-Delivery."


def test_keys_of_those_who_sign_are_each_paths_own() -> None:
    """Two tenants, each with a secret of his own, may number their events alike."""
    kind = signed_by("X-Sig", lambda request: str(request.params["tenant"]))
    keys = {"authentication": [kind], "permissions": [], "idempotency": {"header": "X-Event"}}
    handler = counting(lambda call: {"body": call})
    with answering(handler, "POST", "/of/:tenant", **keys) as client:
        found = [
            client.post(
                f"/of/{tenant}",
                "{}",
                "application/json",
                headers={"X-Event": "1", **kind.sign("{}", secret=tenant)},
            ).json()
            for tenant in ("acme", "globex", "acme")
        ]
    assert found == [1, 2, 1]


def of_tenants(handler: Any, name: str, path: str, **more: Any) -> Any:
    kind = signed_by("X-Sig", lambda request: next(iter(request.params.values())))
    keys = {"header": "X-Event", **more}
    trigger = http("POST", path, authentication=[kind], permissions=[], idempotency=keys)
    return make_step(handler, trigger, name=name, atomic=True)


def told(step: Any, tenant: str, prefix: str = "") -> Any:
    """Return what a Step answers to the same event of a tenant, in a process that has only it."""
    path = step.triggers[0].path.replace(":tenant", tenant).replace(":org", tenant)
    signed = signed_by("X-Sig", lambda: tenant).sign("{}")
    with installed(step), served(prefix) as client:
        headers = {"X-Event": "1", **signed}
        found = client.post(f"/{prefix}{path[1:]}", "{}", "application/json", headers=headers)
        return found.json()


def test_keys_under_a_scope_outlive_a_rename_and_a_new_path() -> None:
    handler = counting(lambda call: {"body": call})
    old = of_tenants(handler, "Old", "/old/:tenant", scope="events")
    new = of_tenants(handler, "New", "/new/:org/events", scope="events")
    assert [told(old, "acme"), told(old, "globex")] == [1, 2]
    assert [told(new, "acme"), told(new, "globex"), told(old, "acme")] == [1, 2, 1]
    assert {each.scope for each in Answer.objects.all()} == {"events"}
    unscoped = of_tenants(handler, "New", "/new/:org/events")
    assert told(unscoped, "acme") == 3


def test_a_successor_goes_on_with_the_keys_of_a_step_that_had_no_scope() -> None:
    handler = counting(lambda call: {"body": call})
    old = of_tenants(handler, "Old", "/old/:tenant")
    assert [told(old, "acme", "api/"), told(old, "globex", "api/")] == [1, 2]
    [scope] = {each.scope for each in Answer.objects.all()}
    assert scope == "Old /api/old/:tenant"
    new = of_tenants(handler, "New", "/new/:org", scope=scope)
    assert [told(new, "acme"), told(new, "globex"), told(new, "initech")] == [1, 2, 3]


def test_a_scope_of_steps_under_a_prefix_with_a_parameter_tells_apart_what_is_in_it() -> None:
    handler = counting(lambda call: {"body": call})
    step = make_step(handler, http("POST", "/x/:id", idempotency={"scope": "one /x/:id"}))
    with installed(step), served("<int:tenant>/") as client:
        headers = {"Idempotency-Key": KEY}
        found = [client.post(f"/{each}/x/7", headers=headers) for each in (1, 2, 1)]
    assert [each.status_code for each in found] == [200, 422, 200]


def test_two_steps_with_one_scope_share_their_keys() -> None:
    handler = counting(lambda call: {"body": call})
    steps = [
        make_step(handler, http("POST", path, idempotency={"scope": "one"}), name=path)
        for path in ("/x", "/y")
    ]
    with serving(*steps) as client:
        headers = {"Idempotency-Key": KEY}
        other = client.post("/y", '{"amount": 1}', "application/json", headers=headers)
        assert [other.json(), pay(client).json()] == [1, 1]
        assert pay(client, body='{"amount": 2}').status_code == 422


def test_keys_are_each_steps_and_each_users_own() -> None:
    handler = counting(lambda call: {"body": call})
    steps = [
        make_step(handler, http("POST", path, idempotency=True), name=path) for path in ("/x", "/y")
    ]
    with serving(*steps) as client:
        other = Client()
        other.force_login(User.objects.create_user("ada"))
        headers = {"Idempotency-Key": KEY}
        said = [
            pay(client),
            client.post("/y", '{"amount": 1}', "application/json", headers=headers),
            pay(other),
            pay(client, Authorization="Bearer a"),
            pay(client, Authorization="Bearer b"),
        ]
        assert [each.json() for each in said] == [1, 2, 3, 4, 5]
        assert [pay(client).json(), pay(other).json()] == [1, 3]


@pytest.mark.parametrize("atomic", [False, True])
def test_a_failure_lets_the_key_go(atomic: bool) -> None:
    def answer(call: int) -> Any:
        if call == 1:
            raise ValueError("no")
        return {"status": 503} if call == 2 else {"body": call}

    step = make_step(counting(answer), http("POST", idempotency=True), atomic=atomic)
    with serving(step) as client:
        assert [pay(client).status_code for _ in range(4)] == [500, 503, 200, 200]
    assert Answer.objects.count() == 1


def test_what_never_reached_the_handler_lets_the_key_go() -> None:
    keys: dict[str, Any] = {
        "bodySchema": dict[str, int],
        "condition": lambda request: request.body["amount"] > 1,
    }
    with answering(lambda: {"body": 1}, "POST", idempotency=True, **keys) as client:
        bodies = ("[]", '{"amount": 1}', '{"amount": 2}')
        assert [pay(client, body=body).status_code for body in bodies] == [400, 422, 200]


@pytest.mark.parametrize("atomic", [False, True])
def test_an_exception_that_is_an_answer_is_kept_too(atomic: bool) -> None:
    def answer(call: int) -> Any:
        raise ValidationError({"call": [str(call)]})

    step = make_step(counting(answer), http("POST", idempotency=True), atomic=atomic)
    with serving(step) as client:
        first, second = pay(client), pay(client)
    assert (first.status_code, second.status_code, second.json()) == (400, 400, {"call": ["1"]})
    assert Group.objects.count() == (0 if atomic else 1)


def test_the_answer_of_an_atomic_step_commits_with_what_it_did() -> None:
    seen: list[Any] = []

    def handler() -> Any:
        Group.objects.create(name="a")
        seen.append((connection.in_atomic_block, Answer.objects.get().status))
        return {"body": 1}

    with serving(make_step(handler, http("POST", idempotency=True), atomic=True)) as client:
        assert pay(client).status_code == 200
        assert pay(client)["Idempotency-Replayed"] == "true"
    assert seen == [(True, None)]


@pytest.mark.parametrize("atomic", [False, True])
def test_who_lost_his_lease_is_told_so_and_undone_if_atomic(atomic: bool) -> None:
    def handler() -> Any:
        Group.objects.create(name="a")
        # As if another had taken the key over: its lease is over, and so it was claimed anew.
        Answer.objects.update(holder="00000000-0000-0000-0000-000000000000")
        return {"body": 1}

    with serving(make_step(handler, http("POST", idempotency=True), atomic=atomic)) as client:
        assert pay(client).status_code == 500
    assert "another has its Idempotency-Key" in rows()[0].error
    assert (rows()[0].status, Group.objects.exists()) == (Status.DEAD, not atomic)


def test_two_at_once_are_one_and_a_409() -> None:
    entered, gate = threading.Event(), threading.Event()

    def handler() -> Any:
        entered.set()
        gate.wait()
        Group.objects.create(name="once")
        return {"body": "done"}

    answers: list[Any] = []

    def ask() -> None:
        answers.append(pay(Client()))
        connections.close_all()

    with answering(handler, "POST", idempotency=True) as client:
        thread = threading.Thread(target=ask)
        thread.start()
        entered.wait()
        refused, other = pay(client), pay(client, body='{"amount": 2}')
        gate.set()
        thread.join()
        replayed = pay(client)
    assert (refused.status_code, refused["Retry-After"], other.status_code) == (409, "1", 422)
    assert (answers[0].status_code, replayed.content) == (200, answers[0].content)
    assert Group.objects.count() == 1


@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="in-memory SQLite has no real concurrency"
)
def test_of_many_at_once_one_is_handled() -> None:
    begin = threading.Barrier(8)
    called: list[int] = []
    statuses: list[int] = []

    def ask() -> None:
        begin.wait()
        statuses.append(pay(Client()).status_code)
        connections.close_all()

    with answering(lambda: called.append(1), "POST", idempotency=True):
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert called == [1]
    assert set(statuses) <= {204, 409}
    assert 204 in statuses


def killed(**values: Any) -> None:
    """Leave the row that a process leaves that was killed while it worked on a request."""
    past = timezone.now() - timedelta(seconds=1)
    Answer.objects.update(status=None, **{"locked_until": past, **values})


def test_who_was_killed_holds_the_key_only_until_his_lease_ends() -> None:
    with answering(counting(lambda call: {"body": call}), "POST", idempotency=True) as client:
        pay(client)
        killed(locked_until=timezone.now() + timedelta(seconds=60))
        assert pay(client).status_code == 409
        killed()
        assert pay(client, body="2").status_code == 422
        assert pay(client).json() == pay(client).json() == 2


def test_answers_expire_and_are_pruned_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(counting(lambda call: {"body": call}), "POST", idempotency=True) as client:
        assert [pay(client, key).json() for key in ("a", "b", "c", "d")] == [1, 2, 3, 4]
        past = timezone.now() - timedelta(seconds=1)
        Answer.objects.filter(step="Work").update(expires_at=past)
        assert pay(client, "a").json() == 5
    monkeypatch.setattr(upkeep, "BATCH", 2)
    assert [upkeep.prune(), upkeep.prune(), upkeep.prune()] == [2, 1, 0]
    assert Answer.objects.count() == 1


def test_an_answer_is_kept_for_its_ttl_and_never_less_than_a_lease() -> None:
    with answering(lambda: None, "POST", idempotency={"ttl": 10, "lease": 100}) as client:
        pay(client)
    row = Answer.objects.get()
    assert row.expires_at == row.locked_until
    with answering(lambda: None, "POST", idempotency={"ttl": 1000, "lease": 10}) as client:
        pay(client, "other")
    row = Answer.objects.exclude(key=row.key).get()
    assert row.expires_at - row.locked_until == timedelta(seconds=990)


@pytest.mark.parametrize(
    "answer",
    [lambda: {"body": (each for each in "ab")}, lambda: StreamingHttpResponse(["a"])],
    ids=["ours", "django's"],
)
def test_what_is_sent_part_by_part_is_refused(answer: Any) -> None:
    with answering(answer, "POST", idempotency=True) as client:
        assert [pay(client).status_code, pay(client, None).status_code] == [500, 500]
    assert "part by part cannot be kept for an Idempotency-Key" in rows()[0].error
    assert not Answer.objects.exists()


def test_a_repeated_request_is_answered_before_its_conditions_are_asked() -> None:
    version: list[str] = ["1"]

    def handler() -> Any:
        version.append("2")
        return {"body": len(version)}

    keys: dict[str, Any] = {"idempotency": True, "etag": lambda: version[-1]}
    with answering(handler, "POST", **keys) as client:
        first = pay(client, **{"If-Match": '"1"'})
        assert pay(client, **{"If-Match": '"1"'}).content == first.content
        assert pay(client, "other", **{"If-Match": '"1"'}).status_code == 412
        assert pay(client, "other", **{"If-Match": '"2"'}).status_code == 200


def test_a_key_that_cannot_be_let_go_is_held_until_its_lease_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import logging

    from django.db import DatabaseError

    def away(key: str, holder: Any) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(ledger, "release_answer", away)
    monkeypatch.setattr(logging.getLogger("motia"), "propagate", True)
    with answering(lambda: {"status": 500}, "POST", idempotency=True) as client:
        assert [pay(client).status_code, pay(client).status_code] == [500, 409]
    assert "held until its lease ends" in caplog.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_is_repeatable_by_itself_has_no_such_key(method: str) -> None:
    text = wrong({"type": "http", "path": "/x", "method": method, "idempotency": True})
    assert f"a {method} request is repeatable by itself" in text
    assert good(declared(method, "/x", idempotency=False)).idempotency is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("yes", "config.idempotency: expected True, or a dict"),
        (1, "expected True, or a dict"),
        ({"requird": True}, "Did you mean 'required'?"),
        ({"ttl": 0}, "config.idempotency.ttl: expected a number greater than 0"),
        ({"lease": "1"}, "config.idempotency.lease: expected a number"),
        ({"header": "X Event"}, "config.idempotency.header: expected the name of a header"),
        ({"header": 1}, "config.idempotency.header: expected the name of a header"),
        ({"required": 1}, "config.idempotency.required: expected True or False"),
        ({"scope": ""}, "config.idempotency.scope: expected a string that is not empty"),
        ({"scope": "a\nb"}, "config.idempotency.scope: expected a string of at most 1000"),
    ],
)
def test_what_is_no_idempotency_is_a_problem(value: Any, says: str) -> None:
    assert says in wrong({"type": "http", "path": "/x", "method": "POST", "idempotency": value})


# -- who repeats what


class Customer:
    is_authenticated = True
    pk = 1


class ByHeader(BaseAuthentication):
    """Three kinds of callers: a customer, one of the staff, and a tenant without a user."""

    def authenticate(self, request: Any) -> Any:
        if "X-Customer" in request.headers:
            return Customer(), None
        if "X-Staff" in request.headers:
            return User(pk=1, username="staff"), None
        tenant = request.headers.get("X-Tenant")
        return (AnonymousUser(), {"tenant": tenant}) if tenant else None


def test_nobody_is_given_the_answer_of_somebody_of_another_kind_with_the_same_number() -> None:
    keys: Any = {"idempotency": True, "authentication": ByHeader, "permissions": []}
    callers: list[dict[str, str]] = [{"X-Customer": "1"}, {"X-Staff": "1"}]
    callers += [{"X-Tenant": "a"}, {"X-Tenant": "b"}, {}]
    with answering(counting(lambda call: {"body": call}), "POST", **keys) as client:
        for _ in range(2):
            assert [pay(client, **each).json() for each in callers] == [1, 2, 3, 4, 5]


class Site:
    """A user of an authentication of one's own, who says nothing of himself."""

    is_authenticated = True
    pk = None


class BySite(BaseAuthentication):
    def authenticate(self, request: Any) -> Any:
        site = request.headers["X-Site"]
        return Site(), {"site": site} if site != "nowhere" else None


def test_a_user_who_says_nothing_of_himself_is_told_by_his_credentials(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keys: Any = {"idempotency": True, "authentication": BySite, "permissions": []}
    with answering(counting(lambda call: {"body": call}), "POST", **keys) as client:
        calls = [pay(client, **{"X-Site": site}).json() for site in ("oslo", "bergen") * 2]
        assert pay(client, **{"X-Site": "nowhere"}).status_code == 500
    assert calls == [1, 2, 1, 2]
    assert "got neither in tests.web.test_idempotency.Site" in caplog.text


class Tags(serializers.Serializer[Any]):
    tags = serializers.ListField(child=serializers.CharField())


class Files(serializers.Serializer[Any]):
    files = serializers.ListField(child=serializers.FileField())


def uploads(*contents: bytes) -> dict[str, Any]:
    return {"files": [SimpleUploadedFile("n", each) for each in contents]}


@pytest.mark.parametrize(
    ("schema", "first", "other"),
    [
        (Tags, lambda: {"tags": ["a", "z"]}, lambda: {"tags": ["b", "z"]}),
        (Files, lambda: uploads(b"1", b"z"), lambda: uploads(b"2", b"z")),
    ],
)
def test_each_value_of_a_form_counts(schema: Any, first: Any, other: Any) -> None:
    headers = {"Idempotency-Key": KEY}
    keys: Any = {"bodySchema": schema, "idempotency": True}
    with answering(lambda request: {"status": 201}, "POST", **keys) as client:
        assert client.post("/x", first(), headers=headers).status_code == 201
        assert client.post("/x", first(), headers=headers).status_code == 201
        assert client.post("/x", other(), headers=headers).status_code == 422


@pytest.mark.parametrize(
    ("asked", "atomic", "is_kept", "expected"),
    [
        ([], False, True, []),
        ([], True, True, ["default"]),
        (["other"], False, False, ["other"]),
        (["other"], False, True, ["default", "other"]),
        (["other"], True, False, ["default", "other"]),
        (["other", "default"], False, False, ["default", "other"]),
    ],
)
def test_an_answer_is_committed_after_what_it_says_was_done_in_other_databases(
    asked: list[str], atomic: bool, is_kept: bool, expected: list[str], monkeypatch: Any
) -> None:
    """The first that is opened is the last that is committed."""
    monkeypatch.setattr(views, "atomic_requests", lambda: asked)
    step = make_step(lambda: None, http("POST"), atomic=atomic)
    assert views._transactions_of(step, is_kept=is_kept) == expected
