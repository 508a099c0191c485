"""What somebody sends who means no good, and what must not come of it."""

from __future__ import annotations

import json
from typing import Any

LONG = "x" * 100_000
DIGITS = "9" * 5_000
"""A number that Python refuses to read: it has more than 4,300 digits."""


def nested(levels: int, inner: str = "1", opening: str = "[", closing: str = "]") -> str:
    """Return JSON that is so many levels deep."""
    return opening * levels + inner + closing * levels


REFUSED: dict[str, str | bytes] = {
    "lists beyond any stack": nested(100_000),
    "objects beyond any stack": nested(100_000, opening='{"a":', closing="}"),
    "lists that nobody could write again": nested(500),
    "never closed": "[" * 100_000,
    "not a number": "NaN",
    "not a number, deep inside": '{"a": [1, {"b": NaN}]}',
    "infinity": "Infinity",
    "infinity by its exponent": '{"a": 1e999}',
    "infinity by its exponent, beside a large integer": '{"a": 1e999, "b": 12345678901234567890}',
    "more digits than are read": f'{{"a": {DIGITS}}}',
    "half a surrogate pair": '"\\ud800"',
    "half a surrogate pair as a key": '{"\\udfff": 1}',
    "half a surrogate pair, encoded": b'"\xed\xa0\x80"',
    "bytes that are no UTF-8": b'{"a": "\xff\xfe"}',
    "a NUL as it is": b'"\x00"',
    "a line break in a string": '"a\nb"',
    "two documents": "{} {}",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "cut off": '{"a": "b',
    "single quotes": "{'a': 1}",
    "a comment": "{} // drop everything",
}
"""Bodies that no handler may be given."""

TAKEN: dict[str, str] = {
    "a NUL": '"a\\u0000b"',
    "a key with a NUL": '{"\\u0000": "\\u0000"}',
    "an integer of 4,000 digits": "9" * 4_000,
    "a key of 100 kB": json.dumps({LONG: LONG}),
    "two equal keys": '{"a": 1, "b": 2, "a": 3}',
    "nothing, by its exponent": "[1e-999, -0.0]",
    "names that mean something elsewhere": (
        '{"__proto__": {}, "__class__": "os.system", "$ref": "#", "py/object": "os.system"}'
    ),
    "text that is code elsewhere": json.dumps(
        ["'; DROP TABLE motia_run; --", "{{ 7*7 }}", "<script>", "${jndi:ldap://x}", "%s%n%(a)s"]
    ),
    "characters that turn text around": '"\\u202e\\u2028\\ufeff\\u0085 \\ud83d\\udeb2"',
}
"""Bodies that are nothing but JSON, whatever they look like: they arrive as they are."""

TEXTS: dict[str, str] = {
    "empty": "",
    "a NUL": "a\x00b",
    "quotes": "'\"`; --",
    "percent signs": "%s %(x)s %",
    "patterns": "_%\\",
    "a path": "../../etc/passwd",
    "a header": "a\r\nSet-Cookie: stolen=1",
    "markup": "<script>alert(1)</script>",
    "digits": DIGITS,
    "long": LONG[:10_000],
    "digits elsewhere": "٣²",
    "a minus": "-1",
    "infinity": "1e999",
    "turned around": "\u202e\u2028",
}
"""Texts for wherever a page, a query or an address takes one."""

LEAKS = ("Traceback", "SELECT ", "site-packages", "OperationalError", "DataError")
"""What an answer may not tell of the inside."""


REFUSED_TEXTS = {name: body for name, body in REFUSED.items() if isinstance(body, str)}


def told_nothing(content: bytes) -> bool:
    """Return whether an answer is silent about the inside."""
    return not any(leak.encode() in content for leak in LEAKS)


def by_name(cases: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `parametrize` that make of each case one that is called by it."""
    return {"argvalues": list(cases.values()), "ids": list(cases)}
