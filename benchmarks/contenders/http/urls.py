"""The same endpoint as a plain view, in REST framework and in django-ninja; and as a Step."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import uuid4

import orjson
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from pydantic import BaseModel, ValidationError
from rest_framework.exceptions import ValidationError as RestValidationError
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.contenders.http.models import Written
from benchmarks.contenders.http.shapes import (
    Order,
    OrderSerializer,
    Todo,
    TodoSerializer,
    answer,
)
from benchmarks.contenders.http.work import process


class SerializerView(APIView):
    """The way of REST framework's tutorial."""

    serializer_class: ClassVar[Any] = TodoSerializer

    def post(self, request: Any) -> Response:
        """Validate by a serializer."""
        serializer = self.serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        return Response(answer(data["title"], data["priority"]), status=201)


class WritingView(APIView):
    """Saves a row and sends a message for it, both or none."""

    def post(self, request: Any) -> Response:
        """Validate by a serializer."""
        serializer = TodoSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = serializer.validated_data
        with transaction.atomic():
            Written.objects.create(id=str(uuid4()), value=data)
            task: Any = process  # it is one of Celery's Django tasks
            task.delay_on_commit({"title": data["title"], "priority": data["priority"]})
        return Response(answer(data["title"], data["priority"]), status=201)


class ModelView(APIView):
    """REST framework with pydantic in the place of its serializers."""

    model: ClassVar[Any] = Todo

    def post(self, request: Any) -> Response:
        """Validate by a model."""
        try:
            data = self.model.model_validate(request.data)
        except ValidationError as error:
            raise RestValidationError(error.json()) from error
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
    """Return the endpoint in django-ninja; raise if it is not installed."""
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
    return [path("", api.urls)]


def views(small: Any, large: Any) -> list[Any]:
    """Return the patterns of a contender that is written as two views."""
    return [path("3", small), path("60", large)]


MAKERS: dict[str, Callable[[], list[Any]]] = {
    "serializer": lambda: [
        *views(
            SerializerView.as_view(),
            SerializerView.as_view(serializer_class=OrderSerializer),
        ),
        path("writes", WritingView.as_view()),
    ],
    "model": lambda: views(ModelView.as_view(), ModelView.as_view(model=Order)),
    "plain": lambda: views(plain(Todo), plain(Order)),
    "ninja": ninja,
    "steps": lambda: [path("", include("motia_django.urls"))],
    "steps_by_django": lambda: [path("", include("motia_django.urls"))],
}
"""Each is served by a process of its own, so that nobody's paths are tried before another's."""
urlpatterns = MAKERS[os.environ["BENCHMARK_CONTENDER"]]()
