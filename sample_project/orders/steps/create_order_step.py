"""POST /orders: the API + queue pattern. Accept quickly, work in the background."""

from typing import Any
from uuid import uuid4

from pydantic import BaseModel, Field

from motia_django import Context, Request, http, step


class NewOrder(BaseModel):
    customer: str = Field(min_length=1)
    amount: float = Field(gt=0, strict=True)


class Accepted(BaseModel):
    status: str
    orderId: str


config = step(
    "CreateOrder",
    description="Accepts an order and answers at once",
    triggers=[
        http("POST", "/orders", body_schema=NewOrder, response_schema={202: Accepted}),
    ],
    enqueues=["order.created"],
    flows=["orders"],
)


def handler(request: Request, ctx: Context) -> dict[str, Any]:
    order = {"orderId": str(uuid4()), "status": "new", **request.body.model_dump()}
    ctx.index(orderId=order["orderId"])
    ctx.state.set("orders", order["orderId"], order)
    ctx.enqueue({"topic": "order.created", "data": order})
    return {"status": 202, "body": {"status": "processing", "orderId": order["orderId"]}}
