"""What is asked of an order, as pydantic has it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from rest_framework.exceptions import ValidationError as Refused


class NewOrder(BaseModel):
    """What is ordered."""

    title: str


def checked(order: Any) -> dict[str, Any]:
    """Return an order as it is kept; raise what its view answers by 400."""
    try:
        return NewOrder.model_validate(order).model_dump()
    except ValidationError as error:
        raise Refused(str(error)) from error
