"""What is asked of an order, as pydantic has it."""

from __future__ import annotations

from pydantic import BaseModel


class NewOrder(BaseModel):
    """What is ordered."""

    title: str
