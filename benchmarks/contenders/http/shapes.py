"""A body of 3 fields and one of 60, for pydantic and for REST framework."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, create_model
from rest_framework import serializers


class Todo(BaseModel):
    """The tutorial's."""

    title: str
    description: str
    priority: int


class TodoSerializer(serializers.Serializer[Any]):
    """The same."""

    title = serializers.CharField()
    description = serializers.CharField()
    priority = serializers.IntegerField()


_KINDS: tuple[tuple[type, type[Any], Any], ...] = (
    (str, serializers.CharField, "of some thirty characters each"),
    (int, serializers.IntegerField, 17),
    (float, serializers.FloatField, 12.5),
    (bool, serializers.BooleanField, True),
)
_FIELDS = {f"field{number:02}": _KINDS[number % 4] for number in range(57)}

_TYPES: dict[str, Any] = {name: (kind, ...) for name, (kind, _, _) in _FIELDS.items()}
Order: Any = create_model("Order", __base__=Todo, **_TYPES)
OrderSerializer: Any = type(
    "OrderSerializer",
    (TodoSerializer,),
    {name: field() for name, (_, field, _) in _FIELDS.items()},
)

TODO = {"title": "Buy milk", "description": "Two bottles", "priority": 1}
ORDER = TODO | {name: value for name, (_, _, value) in _FIELDS.items()}


def answer(title: str, priority: int) -> dict[str, Any]:
    """Return what each contender answers."""
    return {"id": "todo-17", "title": title, "priority": priority, "done": False}
