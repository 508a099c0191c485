"""How wide a text is when it is drawn, near enough, the text cut to a width, and places written."""

from __future__ import annotations

from unicodedata import category, combining, east_asian_width

from django.utils.safestring import SafeString

_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[]{}/\\` "), frozenset("mwMW@%&<>=+~#")
_MONOSPACE = 0.61
"""The width of one character of such a font, as a share of its size."""


def width_of(text: str, size: float, *, monospace: bool = False) -> float:
    """Return the width of a text of this font size, rather more than less than it is."""
    return size * sum(map(_monospaced if monospace else _proportional, text))


def fitted(text: str, room: float, size: float, *, monospace: bool = False) -> str:
    """Return the text on one line, with an ellipsis where it was too long for `room`."""
    line = "".join(" " if category(each)[0] in "CZ" else each for each in text)
    if width_of(line, size, monospace=monospace) <= room:
        return line
    room -= width_of("…", size, monospace=monospace)
    kept = 0
    while kept < len(line) and width_of(line[: kept + 1], size, monospace=monospace) <= room:
        kept += 1
    return f"{line[:kept].rstrip()}…"


def attributes(**numbers: float) -> SafeString:
    """Return numbers as attributes of an element of SVG; there is nothing in them to escape."""
    return SafeString(" ".join(f'{name}="{number:.1f}"' for name, number in numbers.items()))


def _monospaced(each: str) -> float:
    return _exotic(each) or _MONOSPACE


def _proportional(each: str) -> float:
    if each in _NARROW:
        return 0.34
    if each in _WIDE:
        return 0.92
    return _exotic(each) or (0.7 if each.isupper() else 0.58)


def _exotic(each: str) -> float:
    """Return the width of what is as wide as it is high, or of no width; else 0."""
    if combining(each):
        return 0.001
    return 1.1 if east_asian_width(each) in "WF" or ord(each) > 0x1F000 else 0.0
