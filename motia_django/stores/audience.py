"""The Steps that watch the state, as the audience of its changes."""

from __future__ import annotations

from motia_django import dispatch
from motia_django.registry import registry
from motia_django.stores.base import Audience, Change


class Watchers(Audience):
    """The Steps of this process's registry with a state trigger."""

    def hears(self, group: str, key: str) -> bool:
        return registry().is_watched(group, key)

    def tell(self, change: Change) -> None:
        dispatch.state_changed(change.event(), once=change.id, cause=change.cause)


WATCHERS = Watchers()
