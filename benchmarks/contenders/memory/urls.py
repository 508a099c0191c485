"""The admin, and one endpoint each: a view of REST framework's, and Steps where they are."""

import os
from importlib import import_module
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.contenders.memory.models import Order
from benchmarks.contenders.memory.tasks import job

schemas = import_module(f"benchmarks.contenders.memory.{os.environ['BENCHMARK_SCHEMA']}")


class Orders(APIView):
    """Takes an order, and has it worked on."""

    def post(self, request: Any) -> Response:
        """Take it."""
        new = schemas.checked(request.data)
        job.delay(Order.objects.create(**new).pk)
        return Response(new, status=201)


urlpatterns = [path("admin/", admin.site.urls), path("orders", Orders.as_view())]
if apps.is_installed("motia_django"):
    urlpatterns.append(path("steps/", include("motia_django.urls")))
