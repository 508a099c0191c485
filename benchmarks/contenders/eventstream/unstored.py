"""The same without storage: it is quicker, and who is away misses what is sent."""

from __future__ import annotations

from benchmarks.contenders.eventstream.settings import *  # noqa: F403

del EVENTSTREAM_STORAGE_CLASS  # noqa: F821
