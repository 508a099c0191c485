"""What is asked of an order, as REST framework has it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class NewOrder(serializers.Serializer[Any]):
    """What is ordered."""

    title = serializers.CharField()


def checked(order: Any) -> dict[str, Any]:
    """Return an order as it is kept; raise what its view answers by 400."""
    new = NewOrder(data=order)
    new.is_valid(raise_exception=True)
    return {**new.validated_data}
