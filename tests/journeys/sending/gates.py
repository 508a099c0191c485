"""Gates: what a test opens, a handler waits for, in another process."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path


class Gate:
    """A file that is there once the gate is open."""

    def __init__(self, name: str) -> None:
        self._file = Path(os.environ["SAMPLE_DATA"]) / f"gate-{name}"

    def exists(self) -> bool:
        """Return whether it is open."""
        return self._file.exists()

    def open(self) -> None:
        """Let whoever waits go on."""
        self._file.touch()

    def wait(self) -> None:
        """Wait a moment."""
        time.sleep(0.05)

    async def await_(self) -> None:
        """Wait a moment, letting others work."""
        await asyncio.sleep(0.05)


def gate(name: str) -> Gate:
    """Return the gate of that name."""
    return Gate(name)
