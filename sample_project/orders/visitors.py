"""What the shop's visitors do: a plan of deeds, the same for the same seed, and its doing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from motia_django import enqueue, starts, state, streams

NAMES = ("ada", "alan", "barbara", "dennis", "edsger", "grace", "katherine", "ken", "linus")
SERVERS = (
    *["mail.example"] * 12,
    *["busy.example"] * 4,
    *["gone.example"] * 2,
    "silent.example",
)
"""Where they have their email; the `SendEmail` Step knows which of these servers takes it."""
PATIENCE = 20
"""Seconds for an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that a visitor, another system or the clock does."""

    kind: str
    """A method of `Shop`."""
    data: dict[str, Any]


def plan(seed: int) -> Iterator[Deed]:
    """Yield deeds without end: first a few users, who are reminded later on, then what comes."""
    random = Random(seed)
    for name in NAMES[:6]:
        yield Deed(kind="store", data={"group": "users", "key": name, "value": {"id": name}})
    deeds, weights = list(WEIGHTS), list(WEIGHTS.values())
    while True:
        [make] = random.choices(deeds, weights)
        yield make(random)


def _order(random: Random, least: int, most: int) -> Deed:
    customer = f"{random.choice(NAMES)}@{random.choice(SERVERS)}"
    return _request("POST", "/orders", customer=customer, amount=random.randint(least, most) / 100)


def _request(method: str, path: str, **body: Any) -> Deed:
    return Deed(kind="request", data={"method": method, "path": path, "body": body})


def _message(topic: str, data: Any, delay: int = 0) -> Deed:
    return Deed(kind="send", data={"topic": topic, "data": data, "delaySeconds": delay})


def _small_order(random: Random) -> Deed:
    return _order(random, 500, 9_900)


def _large_order(random: Random) -> Deed:
    return _order(random, 11_000, 200_000)


def _order_that_fits_no_box(random: Random) -> Deed:
    return _order(random, 510_000, 990_000)


def _order_that_the_card_refuses(random: Random) -> Deed:
    return _order(random, 1_100_000, 5_000_000)


def _order_without_an_amount(random: Random) -> Deed:
    return _request("POST", "/orders", customer=random.choice(NAMES))


def _shipment(random: Random) -> Deed:
    return Deed(kind="ship", data={"which": random.random()})


def _shipment_of_nothing(random: Random) -> Deed:
    return _request("PUT", f"/orders/{random.randrange(100)}/ship")


def _todo(random: Random) -> Deed:
    return _request("POST", "/todos", title=f"Write to {random.choice(NAMES)}")


def _look_at_todos(random: Random) -> Deed:
    return _request("GET", "/todos")


def _greeting(random: Random) -> Deed:
    return _request("GET", f"/greet?name={random.choice(NAMES).title()}")


def _refresh(random: Random) -> Deed:
    return _request("POST", "/process")


def _refresh_later(random: Random) -> Deed:
    return _message("process.requested", None, delay=random.randint(300, 7200))


def _payment(random: Random) -> Deed:
    number = f"invoice-{random.randrange(10_000)}"
    amount: Any = random.choice([12.5, 80, 400, "a lot", None, 15_000])
    return _message("payment.requested", {"orderId": number, "amount": amount})


def _tick(random: Random) -> Deed:
    step, index = random.choice([("RemindUsers", 0), ("RefreshCatalog", 2)])
    return Deed(kind="tick", data={"step": step, "index": index})


def _half_an_order(random: Random) -> Deed:
    """An import that forgot most of it: the Steps that watch orders cannot make sense of it."""
    key = f"imported-{random.randrange(1000)}"
    return Deed(kind="store", data={"group": "orders", "key": key, "value": {"source": "import"}})


def _notice(random: Random) -> Deed:
    return Deed(kind="notice", data={"text": f"{random.choice(NAMES).title()} says hello"})


WEIGHTS: dict[Callable[[Random], Deed], int] = {
    _small_order: 24,
    _large_order: 10,
    _order_that_fits_no_box: 3,
    _order_that_the_card_refuses: 4,
    _order_without_an_amount: 3,
    _shipment: 20,
    _shipment_of_nothing: 2,
    _todo: 6,
    _look_at_todos: 4,
    _greeting: 8,
    _refresh: 3,
    _refresh_later: 2,
    _payment: 6,
    _tick: 2,
    _half_an_order: 1,
    _notice: 2,
}
"""How often each comes, of a hundred."""


@dataclass(slots=True)
class Shop:
    """The running shop: requests go to its URL, the rest to its queue, state and schedules."""

    url: str
    orders: list[str] = field(default_factory=list)
    """The ids of the orders that were accepted."""

    def do(self, deed: Deed) -> None:
        """Do it; raise `OSError` if the shop does not answer."""
        getattr(self, deed.kind)(**deed.data)

    def request(self, method: str, path: str, body: dict[str, Any]) -> None:
        """Ask over HTTP; a refusal is an answer like any other."""
        data = json.dumps(body).encode() if body else None
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = Request(f"{self.url}{path}", data, headers, method=method)
        try:
            with urlopen(request, timeout=PATIENCE) as response:
                answer = json.load(response)
        except HTTPError as error:
            error.close()
            return
        if "orderId" in answer and method == "POST":
            self.orders.append(answer["orderId"])

    def ship(self, which: float) -> None:
        """Ship one of the orders so far."""
        if self.orders:
            order = self.orders[int(which * len(self.orders))]
            self.request("PUT", f"/orders/{order}/ship", {})

    def send(self, **message: Any) -> None:
        """Send a message."""
        enqueue(message)

    def store(self, group: str, key: str, value: Any) -> None:
        """Change an item of state."""
        state.set(group, key, value)

    def notice(self, text: str) -> None:
        """Tell whoever follows the orders."""
        streams.orders.send("board", "notice", {"text": text})

    def tick(self, step: str, index: int) -> None:
        """Let a schedule come."""
        starts.tick_now(step, index, by="the visitors")
