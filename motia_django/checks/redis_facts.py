"""What a Redis says of itself, when a check asks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts:
    """The answers of one Redis; None is what it does not tell."""

    policy: str | None
    """Which keys go when its memory is full."""
    on_disk: bool | None
    """Whether it keeps anything there."""

    @property
    def evicts(self) -> bool:
        """Whether keys go that do not expire by themselves."""
        return (self.policy or "").startswith("allkeys-")


def redis_facts(client: Any) -> RedisFacts:
    """Ask a Redis; raise what keeps it from answering."""
    policy = client.info("memory").get("maxmemory_policy")
    if client.info("persistence").get("aof_enabled"):
        return RedisFacts(policy=policy, on_disk=True)
    return RedisFacts(policy=policy, on_disk=_saves(client))


def _saves(client: Any) -> bool | None:
    """Return whether a Redis writes snapshots; None if it does not let itself be asked."""
    try:
        return bool(client.config_get("save").get("save"))
    except Exception:
        return None
