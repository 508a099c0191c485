"""The operations as one writes them by hand: the same work, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar

import orjson

VALUE = {
    "id": "08302519-0619-45dc-970b-adebfe71f898",
    "customer": {"name": "Ada Lovelace", "email": "ada@example.com", "city": "Oslo"},
    "lines": [{"sku": f"SKU-{number}", "count": number, "price": 12.5} for number in range(4)],
    "paid": True,
    "n": 0,
}
"""Some 300 bytes of JSON."""
ITEMS = 1000

Act = Callable[[], object]


def with_the_orm() -> dict[str, Act]:
    """Return the operations as one writes them with models and nothing else."""
    from django.db import models, transaction
    from django.utils import timezone

    class Item(models.Model):
        objects: ClassVar[Any] = models.Manager()
        group = models.CharField(max_length=255)
        key = models.CharField(max_length=255)
        value = models.TextField()
        version = models.BigIntegerField()
        expires_at = models.DateTimeField(null=True)
        updated_at = models.DateTimeField()

        class Meta:
            app_label = "benchmarks"
            managed = False
            db_table = "motia_state"

        def __str__(self) -> str:
            return self.key

    def get() -> Any:
        item = Item.objects.get(group="g", key="00500")
        return orjson.loads(item.value)

    def write(new: Callable[[Any], Any]) -> tuple[Any, Any]:
        with transaction.atomic():
            item = Item.objects.select_for_update().get(group="g", key="00500")
            old = orjson.loads(item.value)
            value = new(old)
            item.value = orjson.dumps(value).decode()
            item.version += 1
            item.expires_at = None
            item.updated_at = timezone.now()
            item.save(update_fields=["value", "version", "expires_at", "updated_at"])
        return old, value

    def listed() -> list[Any]:
        texts = Item.objects.filter(group="g").order_by("key").values_list("value", flat=True)
        return [orjson.loads(text) for text in texts]

    return {
        "get": get,
        "set": lambda: write(lambda old: VALUE),
        "update": lambda: write(_counted),
        "list": listed,
    }


def with_redis() -> dict[str, Act]:
    """Return the operations as one writes them with redis-py and nothing else."""
    import redis

    client: Any = redis.Redis.from_url(os.environ["BENCHMARK_REDIS"])
    for key, text in texts():
        client.hset("bare", key, text)
    swap = client.register_script(
        "local old = redis.call('HGET', KEYS[1], ARGV[1])"
        " redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return old"
    )

    def set_() -> Any:
        return orjson.loads(swap(keys=["bare"], args=["00500", orjson.dumps(VALUE)]))

    def update() -> Any:
        with client.pipeline() as pipe:
            while True:
                try:
                    pipe.watch("bare")
                    old = orjson.loads(pipe.hget("bare", "00500"))
                    new = _counted(old)
                    pipe.multi()
                    pipe.hset("bare", "00500", orjson.dumps(new))
                    pipe.execute()
                    return old, new
                except redis.WatchError:
                    continue

    def listed() -> list[Any]:
        return [orjson.loads(text) for _, text in sorted(client.hgetall("bare").items())]

    return {
        "get": lambda: orjson.loads(client.hget("bare", "00500")),
        "set": set_,
        "update": update,
        "list": listed,
    }


def _counted(value: Any) -> Any:
    return {**value, "n": value["n"] + 1}


def texts() -> list[tuple[str, str]]:
    return [(f"{number:05}", orjson.dumps(VALUE).decode()) for number in range(ITEMS)]
