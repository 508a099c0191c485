"""What the page on http Steps says of lists, transactions, async handlers and tests is so."""

from __future__ import annotations

import json
import unittest
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connections
from django.test.utils import CaptureQueriesContext
from rest_framework.pagination import PageNumberPagination
from rest_framework.settings import api_settings

from motia_django import state
from motia_django.webhooks import signed_by
from tests.docs.pages import DOCS, Block, blocks
from tests.docs.test_examples import shown
from tests.factories import make_step, rows
from tests.projects import Project
from tests.web.serving import answering, http, post, served, serving

PAGE = DOCS / "http.md"


def load(project: Project, *files: str) -> None:
    """Make the Steps of these files, as the page shows them, those of the process."""
    for file in files:
        project.step(file, shown(PAGE, file).text)
    project.load()


# -- lists


class Pages(PageNumberPagination):
    page_size = 2


@pytest.mark.django_db
def test_the_list_answers_as_printed(
    project: Project, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(api_settings, "DEFAULT_PAGINATION_CLASS", Pages)
    settings.ALLOWED_HOSTS = ["localhost"]
    users = [User.objects.create(username=name) for name in ("ada", "bob", "eve")]
    load(project, "list_people_step.py")
    with served() as client:
        answer = client.get("/people", headers={"Host": "localhost:8000"}).json()
    ids = {user.pk: number for number, user in enumerate(users, 1)}
    for row in answer["results"]:
        row["id"] = ids[row["id"]]
    printed: Block = next(each for each in blocks(PAGE) if '"results"' in each.text)
    assert answer == json.loads(printed.text)


# -- what comes in


@pytest.mark.django_db
def test_text_that_no_column_takes_is_refused_and_all_other_is_not(project: Project) -> None:
    load(project, "add_tag_step.py")
    names = ["größe", "two\nlines\n", "\u2028 \U0001f600", "x" * 150]
    with served() as client:
        found = [post(client, {"name": name}, "/tags") for name in names]
        refused = [post(client, {"name": name}, "/tags") for name in ("a\x00b", "\x00", "a\n\x00")]
        long = post(client, {"name": "x" * 151}, "/tags")
    assert [each.json().get("name") for each in found] == names
    assert [each.status_code for each in [*refused, long]] == [400] * 4
    assert "name" in refused[0].json()


@pytest.mark.django_db
def test_so_it_is_by_the_json_schema_that_is_named() -> None:
    pattern = "^[^\u0000]*$"
    assert pattern.encode("unicode_escape").decode().replace("\\x00", "\\u0000") in PAGE.read_text()
    schema = {"type": "object", "properties": {"name": {"type": "string", "pattern": pattern}}}
    with answering(lambda: None, "POST", bodySchema=schema) as client:
        found = [post(client, {"name": name}).status_code for name in ("a\x00b", "a\nb")]
    assert found == [400, 204]


# -- errors


@pytest.mark.django_db
def test_the_exception_handler_that_is_shown_names_the_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names: dict[str, Any] = {}
    exec(shown(PAGE, "errors.py").text, names)
    monkeypatch.setattr(api_settings, "EXCEPTION_HANDLER", names["with_step"])
    signed: Any = {"authentication": signed_by("X-S", lambda: "s"), "permissions": []}
    schema = {"type": "object", "required": ["id"]}
    steps = [
        make_step(writes, http("POST", bodySchema=schema), name="Schema"),
        make_step(writes, http("PUT", **signed), name="Signed"),
    ]
    with serving(*steps) as client:
        invalid, unsigned = post(client, {}), client.put("/x")
    assert invalid.json()["step"] == "Schema"
    assert (unsigned.status_code, unsigned.json()["step"]) == (401, "Signed")


# -- transactions


@pytest.fixture(params=["atomic", "atomic requests"])
def _all_or_nothing(request: Any) -> Iterator[None]:
    own = connections["default"].settings_dict
    own["ATOMIC_REQUESTS"] = request.param == "atomic requests"
    yield
    own["ATOMIC_REQUESTS"] = False


@pytest.mark.django_db(transaction=True)
def test_what_is_raised_is_undone_and_what_is_returned_is_kept(project: Project) -> None:
    Group.objects.create(name="staff")
    load(project, "join_group_step.py")
    tries = []
    with served() as client:
        for name, body in [("none", "now"), ("staff", ""), ("staff", "later"), ("staff", "now")]:
            answer = post(client, json.dumps(body), f"/groups/{name}/join")
            item = state.get("joining", name)
            tries.append((answer.status_code, item and item["tries"]))
    assert tries == [(404, None), (400, None), (409, 1), (200, 2)]
    assert len(rows(step="JoinGroup")) == 4


def writes(request: Any, ctx: Any) -> Any:
    """Write to the database, to state, and a message; then end as the body says."""
    Group.objects.create(name="written")
    ctx.state.set("g", "k", 1)
    ctx.enqueue("work")
    if request.body == "raise":
        from rest_framework.exceptions import ValidationError

        raise ValidationError("no")
    if request.body == "missing":
        from django.shortcuts import get_object_or_404

        get_object_or_404(User, pk=0)
    return {"status": 409}


@pytest.mark.usefixtures("_all_or_nothing")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "status", "is_kept"), [("raise", 400, False), ("missing", 404, False), ("", 409, True)]
)
def test_a_test_in_a_transaction_goes_on_after_an_error(
    body: str, status: int, is_kept: bool
) -> None:
    """REST framework's own handler would mark the transaction of the test as broken."""
    atomic = not connections["default"].settings_dict["ATOMIC_REQUESTS"]
    step = make_step(writes, http("POST"), name="Writes", enqueues=["work"], atomic=atomic)
    with serving(step, make_step(name="Listener")) as client:
        assert post(client, json.dumps(body)).status_code == status
    assert Group.objects.filter(name="written").exists() is is_kept
    assert (state.get("g", "k") is not None) is is_kept
    assert len(rows(step="Listener")) == is_kept
    assert len(rows(step="Writes")) == 1


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_each_write_stays() -> None:
    step = make_step(writes, http("POST"), name="Writes", enqueues=["work"])
    with serving(step, make_step(name="Listener")) as client:
        assert post(client, '"raise"').status_code == 400
    assert Group.objects.filter(name="written").exists()
    assert len(rows(step="Listener")) == 1


# -- async handlers


@pytest.mark.django_db
def test_the_async_handler_reads_what_it_needs_in_one_query(
    project: Project,
) -> None:
    load(project, "list_permissions_step.py")
    with served() as client:
        with CaptureQueriesContext(connections["default"]) as queries:
            answer = client.get("/permissions/auth")
        assert len([each for each in queries if "auth_permission" in each["sql"]]) == 1
        assert not [each for each in queries if 'FROM "django_content_type"' in each["sql"]]
        assert client.get("/permissions/none").status_code == 404
    assert "user: add_user" in answer.json()
    assert len(answer.json()) == Permission.objects.filter(content_type__app_label="auth").count()


@pytest.mark.django_db
def test_what_is_looked_up_late_in_async_code_is_a_500_that_names_it() -> None:
    async def handler() -> Any:
        return {"body": [each.content_type.model async for each in Permission.objects.all()]}

    from django.contrib.contenttypes.models import ContentType

    with answering(handler) as client:
        ContentType.objects.clear_cache()
        assert client.get("/x").status_code == 500
    assert "SynchronousOnlyOperation" in rows()[0].error


@pytest.mark.django_db
def test_an_async_handler_is_in_the_transaction_and_the_thread_of_its_request() -> None:
    import threading

    from asgiref.sync import sync_to_async

    async def handler(request: Any, ctx: Any) -> Any:
        await Group.objects.acreate(name="undone")
        await ctx.state.set("g", "k", 1)
        raise RuntimeError(await sync_to_async(threading.get_ident)())

    step = make_step(handler, http("POST"), atomic=True)
    with serving(step) as client:
        assert client.post("/x").status_code == 500
    assert str(threading.get_ident()) in rows()[0].error
    assert not Group.objects.exists()
    assert state.get("g", "k") is None


# -- tests


@pytest.mark.django_db
def test_the_tests_that_are_shown_pass(project: Project) -> None:
    load(project, "who_am_i_step.py")
    names: dict[str, Any] = {"__name__": "test_whoami"}
    exec(shown(PAGE, "test_whoami.py").text, names)
    with served():
        tests = unittest.defaultTestLoader.loadTestsFromTestCase(names["WhoAmITests"])
        result = unittest.TestResult()
        tests.run(result)
    assert result.testsRun == 4
    assert not result.errors + result.failures, result
