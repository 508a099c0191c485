"""PUT /orders/:id/ship: a path parameter, and a change of state that others listen to."""

from typing import Any

from pydantic import BaseModel, Field

from motia_django import Context, Request, http, step


class Params(BaseModel):
    id: str = Field(pattern=r"^[\w-]{1,36}$")


class Order(BaseModel, extra="allow"):
    orderId: str
    status: str


class NotFound(BaseModel):
    error: str


config = step(
    "ShipOrder",
    description="Marks an order as shipped",
    triggers=[
        http(
            "PUT",
            "/orders/:id/ship",
            params_schema=Params,
            response_schema={200: Order, 404: NotFound},
        ),
    ],
    flows=["orders"],
    index={"orderId": "id"},
)


def handler(request: Request, ctx: Context) -> dict[str, Any]:
    order_id = request.params.id
    if ctx.state.get("orders", order_id) is None:
        return {"status": 404, "body": {"error": "No such order"}}
    shipped = [{"type": "set", "path": "status", "value": "shipped"}]
    changed = ctx.state.update("orders", order_id, shipped)
    return {"status": 200, "body": changed["new_value"]}
