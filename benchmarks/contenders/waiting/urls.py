"""The same wait as a view of Django's and of REST framework's, and who does not wait."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from rest_framework.response import Response
from rest_framework.views import APIView


async def wait(request: HttpRequest) -> JsonResponse:
    """Wait as a coroutine."""
    await asyncio.sleep(1)
    return JsonResponse({})


class Wait(APIView):
    """Waits in a thread."""

    def get(self, request: Any) -> Response:
        """Wait as for another service."""
        time.sleep(1)
        return Response({})


class Other(APIView):
    """Does not wait: how long it takes meanwhile is what is measured."""

    def get(self, request: Any) -> Response:
        """Answer at once."""
        return Response({})


urlpatterns = [
    path("async-view", wait),
    path("drf-view", Wait.as_view()),
    path("other", Other.as_view()),
    path("", include("motia_django.urls")),
]
