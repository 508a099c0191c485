"""The same endpoint as a plain view, in REST framework and in django-ninja; and as a Step."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, ClassVar

import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from pydantic import BaseModel, ValidationError
from rest_framework.exceptions import ValidationError as RestValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.contenders.http.shapes import (
    Order,
    OrderSerializer,
    Todo,
    TodoSerializer,
    answer,
)


class SerializerView(APIView):
    """The way of REST framework's tutorial."""

    serializer_class: ClassVar[Any] = TodoSerializer

    def post(self, request: Any) -> Response:
        """Validate by a serializer."""
        serializer = self.serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        return Response(answer(data["title"], data["priority"]), status=201)


class ModelView(APIView):
    """REST framework with pydantic in the place of its serializers."""

    model: ClassVar[Any] = Todo

    def post(self, request: Any) -> Response:
        """Validate by a model."""
        try:
            data = self.model.model_validate(request.data)
        except ValidationError as error:
            raise RestValidationError(error.errors()) from error
        return Response(answer(data.title, data.priority), status=201)


def plain(model: type[BaseModel]) -> Any:
    """Return a plain view of Django's, with pydantic and orjson and nothing else."""

    @csrf_exempt
    def view(request: HttpRequest) -> HttpResponse:
        try:
            data: Any = model.model_validate_json(request.body)
        except ValidationError as error:
            return JsonResponse(error.errors(), safe=False, status=400)
        body = orjson.dumps(answer(data.title, data.priority))
        return HttpResponse(body, status=201, content_type="application/json")

    return view


def ninja() -> list[Any]:
    """Return the endpoint in django-ninja, if it is installed."""
    if find_spec("ninja") is None:
        return []
    from ninja import NinjaAPI, Status

    api = NinjaAPI(docs_url=None, openapi_url=None)

    def post_todo(request: HttpRequest, body: Todo) -> Any:
        return Status(201, answer(body.title, body.priority))

    def post_order(request: HttpRequest, body: Order) -> Any:
        return Status(201, answer(body.title, body.priority))

    post_todo.__annotations__["body"] = Todo
    post_order.__annotations__["body"] = Order
    api.post("/3", response={201: dict[str, Any]})(post_todo)
    api.post("/60", response={201: dict[str, Any]})(post_order)
    return [path("ninja/", api.urls)]


urlpatterns = [
    path("serializer/3", SerializerView.as_view()),
    path("serializer/60", SerializerView.as_view(serializer_class=OrderSerializer)),
    path("model/3", ModelView.as_view()),
    path("model/60", ModelView.as_view(model=Order)),
    path("plain/3", plain(Todo)),
    path("plain/60", plain(Order)),
    *ninja(),
    path("", include("motia_django.urls")),
]
