"""Text that is the same each time: ids and times replaced by what stands for them."""

from __future__ import annotations

import re

_ID = re.compile(
    r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"
)


class Stable:
    """Replaces ids, each by its number in the order of their coming, and times."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def text(self, text: str) -> str:
        """Return a text with `<id 1>` for the first UUID, or 32 hex digits, and `<time>`."""
        return _TIME.sub("<time>", _ID.sub(self._named, text))

    def _named(self, found: re.Match[str]) -> str:
        key = found[0].lower().replace("-", "")
        return f"<id {self._numbers.setdefault(key, len(self._numbers) + 1)}>"
