"""Serializers as schemas do here what they do in REST framework's own views."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response as RestResponse
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from motia_django import invoke
from motia_django.registry import registry
from tests.factories import make_step, rows
from tests.web.serving import answering, http, post, serving

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


class LineSerializer(serializers.Serializer[Any]):
    sku = serializers.CharField(max_length=3)
    count = serializers.IntegerField(min_value=1)


class OrderSerializer(serializers.Serializer[Any]):
    by = serializers.HiddenField(default=serializers.CurrentUserDefault())
    lines = LineSerializer(many=True, required=False)
    gift = serializers.BooleanField()
    tags = serializers.ListField(child=serializers.CharField(), required=False)
    note = serializers.FileField(required=False)


class GroupSerializer(serializers.ModelSerializer[Group]):
    url = serializers.HyperlinkedIdentityField(view_name="motia:ShowGroup")
    greeting = serializers.SerializerMethodField()

    class Meta:
        model = Group
        fields = ("url", "name", "greeting")

    def get_greeting(self, group: Group) -> str:
        return f"{self.context['request'].user} asks {type(self.context['view']).__name__}"


def tell(request: Any) -> Any:
    """Answer what the serializer gave."""
    body = request.body
    return {"body": [{key: str(value) for key, value in each.items()} for each in listed(body)]}


def listed(body: Any) -> list[Any]:
    return body if isinstance(body, list) else [body]


def errors(serializer: serializers.BaseSerializer[Any]) -> Any:
    """Return the errors as REST framework writes them: their shape is its own matter."""
    assert not serializer.is_valid()
    return json.loads(JSONRenderer().render(serializer.errors))


def test_who_asks_is_known_on_the_way_in() -> None:
    with answering(tell, "POST", bodySchema=OrderSerializer) as client:
        client.force_login(User.objects.create_user("ada"))
        assert post(client, {"gift": True}).json() == [{"gift": "True", "by": "ada"}]


def test_who_asks_is_known_to_the_serializer_of_a_query_too() -> None:
    class QuerySerializer(serializers.Serializer[Any]):
        by = serializers.HiddenField(default=serializers.CurrentUserDefault())
        limit = serializers.IntegerField()

    def handler(request: Any) -> Any:
        return {"body": {key: str(value) for key, value in request.query.items()}}

    with answering(handler, querySchema=QuerySerializer) as client:
        assert client.get("/x?limit=5").json() == {"limit": "5", "by": "AnonymousUser"}


def test_nested_errors_are_nested_and_keep_their_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = []

    def noting(error: Any, context: Any) -> RestResponse | None:
        codes.append(error.get_codes())
        return exception_handler(error, context)

    monkeypatch.setattr(api_settings, "EXCEPTION_HANDLER", noting)
    body = {"lines": [{"sku": "a", "count": 1}, {"sku": "long", "count": 0}], "gift": "?"}
    with answering(tell, "POST", bodySchema=OrderSerializer) as client:
        answer = post(client, body)
    context = {"request": answer.wsgi_request}
    assert answer.status_code == 400
    assert answer.json() == errors(OrderSerializer(data=body, context=context))
    assert answer.json()["gift"] == ["Must be a valid boolean."]
    [told] = codes
    assert told["lines"][1] == {"sku": ["max_length"], "count": ["min_value"]}


def test_errors_of_other_parts_are_beside_those_of_the_body() -> None:
    query = {"type": "object", "required": ["page"]}
    with answering(tell, "POST", bodySchema=OrderSerializer, querySchema=query) as client:
        answer = post(client, {"lines": [{}]})
    assert set(answer.json()) == {"query.page", "gift", "lines.0.sku", "lines.0.count"}


def test_many_and_partial_are_declared_as_they_are_made() -> None:
    with answering(tell, "POST", bodySchema=LineSerializer(many=True)) as client:
        assert len(post(client, [{"sku": "a", "count": 1}] * 2).json()) == 2
        wrong = [{"sku": "a", "count": 1}, {"sku": "b"}]
        assert post(client, wrong).json() == errors(LineSerializer(data=wrong, many=True))
        assert post(client, {"sku": "a"}).status_code == 400
        assert post(client, [{"sku": "b", "count": 2}]).json() == [{"sku": "b", "count": "2"}]
    with answering(tell, "PATCH", bodySchema=LineSerializer(partial=True)) as client:
        answer = client.patch("/x", '{"count": 3}', "application/json")
        assert answer.json() == [{"count": "3"}]
        assert client.patch("/x", '{"count": 0}', "application/json").status_code == 400


def test_a_form_is_read_as_rest_framework_reads_it() -> None:
    """A box that is not ticked is no value at all, and a list is a key that repeats."""
    file = SimpleUploadedFile("ß.txt", b"12345", "text/plain")
    with answering(tell, "POST", bodySchema=OrderSerializer) as client:
        lines = {"lines[0]sku": "a", "lines[0]count": "2"}
        answer = client.post("/x", {"tags": ["a", "b"], "note": file, **lines})
    [told] = answer.json()
    assert (told["gift"], told["tags"], told["note"]) == ("False", "['a', 'b']", "ß.txt")
    assert told["lines"] == "[{'sku': 'a', 'count': 2}]"
    kept = rows()[0].input["body"]
    assert kept["tags"] == ["a", "b"]
    assert kept["note"] == {"file": "ß.txt", "size": 5, "contentType": "text/plain"}


def test_an_object_goes_out_by_its_serializer_with_links() -> None:
    group = Group.objects.create(name="staff")

    def show(request: Any) -> Any:
        return {"body": Group.objects.get(pk=request.params["pk"])}

    def list_all(request: Any) -> Any:
        return {"body": Group.objects.all()}

    many = GroupSerializer(many=True)
    one = http("GET", "/groups/:pk", responseSchema={200: GroupSerializer})
    all_of_them = http("GET", "/groups", responseSchema={200: many})
    steps = [make_step(show, one, name="ShowGroup"), make_step(list_all, all_of_them, name="List")]
    with serving(*steps) as client:
        shown = client.get(f"/groups/{group.pk}").json()
        assert client.get("/groups").json() == [shown]
    url = f"http://testserver/groups/{group.pk}"
    assert shown == {"url": url, "name": "staff", "greeting": "AnonymousUser asks StepView"}


def test_the_context_is_at_hand_for_serializers_that_a_handler_makes() -> None:
    def handler(request: Any) -> Any:
        serializer = OrderSerializer(data=request.body, context=request.serializer_context)
        serializer.is_valid(raise_exception=True)
        return {"body": str(serializer.validated_data["by"])}

    with answering(handler, "POST") as client:
        assert post(client, {"gift": True}).json() == "AnonymousUser"


def test_who_invokes_the_step_is_nobody_and_the_serializer_is_told_nothing() -> None:
    with answering(lambda request: {"body": request.serializer_context}, "POST"):
        assert invoke("Work").body == {}


def test_the_schema_of_a_made_serializer_is_known() -> None:
    step = make_step(tell, http("POST", bodySchema=LineSerializer(many=True, partial=True)))
    with serving(step):
        trigger: Any = registry().step("Work").triggers[0]
    schema = trigger.schema.json_schema()
    assert (schema["title"], schema["type"]) == ("LineSerializer", "array")
    assert set(schema["items"]["properties"]) == {"sku", "count"}
