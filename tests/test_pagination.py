"""Lists, page by page, as REST framework's own views answer them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pydantic import BaseModel
from rest_framework import generics, serializers
from rest_framework.pagination import (
    CursorPagination,
    LimitOffsetPagination,
    PageNumberPagination,
)
from rest_framework.permissions import BasePermission
from rest_framework.settings import api_settings
from rest_framework.test import APIRequestFactory

from motia_django import Request, apaginate, invoke, paginate
from motia_django.exceptions import MotiaError
from tests.factories import rows
from tests.web.serving import answering

pytestmark = pytest.mark.django_db


class Numbered(PageNumberPagination):
    page_size = 2
    page_size_query_param = "size"


class Offset(LimitOffsetPagination):
    default_limit = 2


class Cursor(CursorPagination):
    page_size = 2
    ordering = "name"


class ByLink(Numbered):
    """Tells of the other pages in a header, as REST framework's documentation has it."""

    def get_paginated_response(self, data: Any) -> Any:
        answer = super().get_paginated_response(data)
        answer.data, answer["Link"] = data, f"<{self.get_next_link()}>; rel=next"
        return answer


class GroupSerializer(serializers.ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class GroupModel(BaseModel):
    id: int
    name: str
    color: str = "none"


GROUP = {"type": "object", "required": ["id", "name"], "additionalProperties": False}
GROUP["properties"] = {"id": {"type": "integer"}, "name": {"type": "string"}}


@pytest.fixture(autouse=True)
def _groups() -> None:
    for name in ("ä", "b", "c", "d", "e"):
        Group.objects.create(name=name)


def of_rest_framework(paginator: Any, url: str) -> tuple[int, Any]:
    """Return what REST framework's generic view answers."""

    class View(generics.ListAPIView[Group]):
        queryset = Group.objects.order_by("name")
        serializer_class = GroupSerializer
        pagination_class = paginator
        authentication_classes = ()
        permission_classes: tuple[type[BasePermission], ...] = ()

    answer = View.as_view()(APIRequestFactory().get(url))
    answer.render()
    return answer.status_code, answer.content


QUERIES = ["", "?page=2", "?page=3", "?page=9", "?page=x", "?page=last", "?size=4&page=2",
           "?size=0", "?limit=1", "?limit=2&offset=2", "?offset=99", "?offset=-1", "?limit=x",
           "?cursor=x", "?cursor=cD1i", "?name=%C3%A4&page=1"]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("paginator", [Numbered, Offset, Cursor, None], ids=str)
def test_a_page_is_answered_as_rest_framework_answers_it(paginator: Any, query: str) -> None:
    def handler(request: Any) -> Any:
        return paginate(request, Group.objects.order_by("name"), GroupSerializer, paginator)

    with answering(handler) as client:
        answer = client.get(f"/x{query}")
    expected = of_rest_framework(paginator, f"/x{query}")
    assert (answer.status_code, answer.content) == expected


@pytest.mark.parametrize("paginator", [Numbered, Offset, Cursor])
def test_all_pages_are_reached_by_their_links(paginator: Any) -> None:
    def handler(request: Any) -> Any:
        return paginate(request, Group.objects.order_by("name"), GroupSerializer, paginator())

    names, url = [], "/x"
    with answering(handler) as client:
        while url:
            page = client.get(url).json()
            names += [each["name"] for each in page["results"]]
            url = page["next"]
    assert names == list(Group.objects.order_by("name").values_list("name", flat=True))


def test_the_projects_pagination_is_taken_where_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api_settings, "DEFAULT_PAGINATION_CLASS", Numbered)
    with answering(ask_for(GroupSerializer)) as client:
        assert client.get("/x").json()["count"] == 5


def ask_for(schema: Any, *paginator: Any, values: bool = False) -> Any:
    def handler(request: Request) -> Any:
        groups = Group.objects.order_by("name")
        return paginate(
            request, groups.values("id", "name") if values else groups, schema, *paginator
        )

    return handler


@pytest.mark.parametrize(
    ("schema", "values", "more"),
    [
        (GroupSerializer, False, {}),
        (GroupSerializer(), False, {}),
        (GroupModel, False, {"color": "none"}),
        (GROUP, True, {}),
        (None, True, {}),
    ],
    ids=["serializer", "made", "pydantic", "json schema", "none"],
)
def test_rows_go_out_by_any_schema(schema: Any, values: bool, more: dict[str, str]) -> None:
    with answering(ask_for(schema, Numbered, values=values)) as client:
        [first, _] = client.get("/x").json()["results"]
    group = Group.objects.order_by("name").first()
    assert group
    assert first == {"id": group.pk, "name": group.name, **more}


def test_one_page_is_read_and_no_more() -> None:
    with answering(ask_for(GroupSerializer, Numbered)) as client:
        client.get("/x")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get("/x")
    asked = [each["sql"] for each in queries if "auth_group" in each["sql"]]
    assert len(asked) == 2
    assert "COUNT" in asked[0] and "LIMIT 2" in asked[1]


def test_the_history_has_the_page() -> None:
    with answering(ask_for(GroupSerializer, Numbered)) as client:
        page = client.get("/x").json()
    assert rows()[0].output["body"] == page


def test_an_async_handler_has_a_twin() -> None:
    async def handler(request: Any) -> Any:
        return await apaginate(request, Group.objects.order_by("name"), GroupModel, Cursor)

    with answering(handler) as client:
        assert [each["name"] for each in client.get("/x").json()["results"]] != []


def test_headers_of_a_paginator_go_out() -> None:
    with answering(ask_for(GroupSerializer, ByLink)) as client:
        answer = client.get("/x")
    assert answer["Link"] == "<http://testserver/x?page=2>; rel=next"
    assert len(answer.json()) == 2


def test_the_envelope_is_checked_by_the_response_schema() -> None:
    schema = {200: {"type": "object", "required": ["total"]}}
    handler = ask_for(GroupSerializer, Numbered)
    from django.test import override_settings

    with override_settings(DEBUG=True), answering(handler, responseSchema=schema) as client:
        assert client.get("/x").status_code == 500


@pytest.mark.parametrize(("schema", "says"), [(GROUP, "JSON"), (None, "JSON")])
def test_rows_that_cannot_go_out_are_a_500_that_the_history_explains(
    schema: Any, says: str
) -> None:
    with answering(ask_for(schema, Numbered)) as client:
        assert client.get("/x").status_code == 500
    assert says in rows()[0].error


def test_who_invokes_a_step_has_no_page(client: Client) -> None:
    with answering(ask_for(GroupSerializer, Numbered)), pytest.raises(MotiaError, match="invoked"):
        invoke("Work")
