"""The orders as browsers follow them live: one item for each order, in the group `board`."""

from pydantic import BaseModel, Field


class Order(BaseModel):
    id: str
    customer: str
    amount: float
    status: str
    percent: int = Field(default=0, ge=0, le=100)


config = {
    "name": "orders",
    "description": "How each order gets on",
    "schema": Order,
    "canAccess": lambda: True,  # everybody may look at the board
}
