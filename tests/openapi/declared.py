"""http Steps that between them have every key an http trigger may have."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from django.http import Http404
from pydantic import BaseModel, ConfigDict, Field, computed_field
from rest_framework import serializers
from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.parsers import JSONParser
from rest_framework.permissions import IsAuthenticated

from motia_django import Upload
from motia_django.steps import Step
from tests.factories import make_step
from tests.web.serving import http

T = TypeVar("T")


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Strict(BaseModel):
    """What is no such type in JSON is none here either."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Node(Strict):
    name: str = Field(max_length=20)
    children: list[Node] = []


class Cat(Strict):
    kind: Literal["cat"]
    lives: float = Field(ge=0, le=9)


class Dog(Strict):
    kind: Literal["dog"]
    tricks: list[str] = []


class Page(BaseModel, Generic[T]):
    items: list[T]
    total: int


class Item(BaseModel):
    id: UUID
    size: Size
    price: Decimal = Field(ge=0, max_digits=8, decimal_places=2)
    since: date | None = None

    @computed_field
    def label(self) -> str:
        return f"{self.size.value} {self.price}"


class Filters(BaseModel):
    size: Size | None = None
    ids: list[int] = Field([], max_length=3)
    limit: int = Field(10, ge=1, le=100, description="How many at most")


class Path(BaseModel):
    number: int = Field(ge=1, le=1000)
    word: str = Field(pattern=r"^[a-z]{1,8}$")


class Headers(BaseModel):
    x_request_number: int = Field(ge=0)
    x_note: str = Field("", max_length=10)


class Photo(BaseModel):
    caption: str = Field(max_length=40)
    file: Upload


class OrderSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(read_only=True)
    title = serializers.RegexField(r"^[a-z]+$", max_length=30)
    secret = serializers.RegexField(r"^[a-z]+$", write_only=True, max_length=5)
    size = serializers.ChoiceField(choices=["small", "large"])


POINT = {
    "title": "Point",
    "type": "object",
    "properties": {
        "x": {"$ref": "#/$defs/Number"},
        "y": {"$ref": "#/$defs/Number"},
        "kind": {"enum": ["point", 7, None]},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    },
    "required": ["x"],
    "additionalProperties": False,
    "$defs": {"Number": {"type": "number", "minimum": -100, "maximum": 100}},
}
ITEM = {"id": "7a8c1a3e-3f0a-4f0c-8f0a-0123456789ab", "size": "small", "price": "1.50"}


def echo(request: Any) -> Any:
    return {"body": request.body}


def done() -> Any:
    return None


def items() -> Any:
    return {"body": {"items": [ITEM], "total": 1}}


def listed(request: Any) -> Any:
    return {"body": request.query.model_dump(mode="json")}


def found(request: Any) -> Any:
    if request.params.number % 2:
        raise Http404
    return {"body": f"{request.params.word} {request.params.number}"}


def numbered(request: Any) -> Any:
    return {"body": {"number": request.headers.x_request_number}}


def stored(request: Any) -> Any:
    return {"status": 201, "body": {"size": request.body.file.size}}


def ordered(request: Any) -> Any:
    return {"body": {"id": ITEM["id"], **request.body}}


def version() -> str:
    return "1"


def around(req: Any, ctx: Any, next: Any) -> Any:
    return next() if req.body else {"status": 403, "body": {"error": "nothing given"}}


def parts() -> Any:
    yield {"part": 1}
    yield {"part": 2}


def is_even(request: Any) -> bool:
    body = request.body
    return len(body.name if isinstance(body, Node) else body["name"]) % 2 == 0


ANIMAL = Annotated[Cat | Dog, Field(discriminator="kind")]
SIZED = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
NOTHING: dict[str, Any] = {"responseSchema": {204: {}}}
BASIC = {"authentication": [BasicAuthentication], "permissions": [IsAuthenticated]}
TOKEN = {"authentication": [TokenAuthentication], "permissions": [IsAuthenticated]}
OPEN: dict[str, Any] = {"authentication": [], "permissions": []}
JSON = {"parsers": JSONParser}


def both(schema: Any) -> dict[str, Any]:
    """Return the keys of a Step that answers with what it is asked with."""
    return {"bodySchema": schema, "responseSchema": {200: schema}}


DECLARED: list[tuple[str, Any, str, str, dict[str, Any]]] = [
    ("Tree", echo, "POST", "/trees", both(Node)),
    ("Animal", echo, "POST", "/animals", both(ANIMAL) | JSON),
    ("Point", echo, "PUT", "/points", both(POINT) | JSON),
    ("Order", ordered, "POST", "/orders", both(OrderSerializer)),
    ("Remove", done, "DELETE", "/orders/:id", NOTHING | BASIC),
    ("Items", items, "GET", "/items", {"responseSchema": {200: Page[Item]}}),
    (
        "Filtered",
        listed,
        "GET",
        "/filtered",
        {"querySchema": Filters, "responseSchema": {200: Filters}},
    ),
    (
        "Found",
        found,
        "GET",
        "/found/:number/:word",
        {"paramsSchema": Path, "responseSchema": {200: str}},
    ),
    (
        "Numbered",
        numbered,
        "GET",
        "/numbered",
        {"headersSchema": Headers, "responseSchema": {200: dict[str, int]}},
    ),
    (
        "Photo",
        stored,
        "POST",
        "/photos",
        {
            "bodySchema": Photo,
            "responseSchema": {201: SIZED},
            "maxBodySize": 10_000,
            "maxFileSize": 1000,
        },
    ),
    ("Rated", done, "GET", "/rated", NOTHING | {"throttles": ["5/min"]}),
    ("Even", done, "PATCH", "/even", NOTHING | JSON | {"bodySchema": Node, "condition": is_even}),
    ("Version", items, "GET", "/version", {"etag": True, "responseSchema": {200: Page[Item]}}),
    ("Write", done, "PUT", "/version", NOTHING | {"etag": version}),
    ("Once", done, "POST", "/once", NOTHING | {"idempotency": {"required": True}}),
    ("Around", done, "POST", "/around", NOTHING | {"middleware": [around]}),
    ("Parts", parts, "GET", "/parts", {}),
    ("Hook", done, "POST", "/hook", NOTHING | OPEN | {"rawBody": True}),
    ("Token", done, "GET", "/token", TOKEN | {"queryParams": [{"name": "q"}]}),
]


def steps() -> list[Step]:
    """Return them anew: each for a registry of a test's own."""
    return [
        make_step(handler, http(method, path, **keys), name=name)
        for name, handler, method, path, keys in DECLARED
    ]
