"""What is asked of an order, as REST framework has it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class NewOrder(serializers.Serializer[Any]):
    """What is ordered."""

    title = serializers.CharField()
