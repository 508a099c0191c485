"""Which names are those of secrets: told by the words that a name is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_NO_SECRET = "Idempotency-Key"  # nosec B105  # a header, by its name
"""A header that is named like a secret, and is none."""
_LONG = 5
"""Letters of a word that is looked for inside of others, too: `token` in `accesstoken`."""
_BESIDE = ("code", "no", "nr", "num", "number")
"""What short words are written together with: `cvvcode`, `cardno`."""
_HUMP = re.compile(r"(?<=[a-z\d])(?=[A-Z])")
_AFTER_CAPITALS = re.compile(r"(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a word of capitals alone ends: `IBANOf`, if it is not one letter further on: `IBANof`."""
_BETWEEN = re.compile(r"[\W_]+")
_BETWEEN_LETTERS = re.compile(r"[\W\d_]+")
_CANCELLED = frozenset(
    ("password", "secret", "token", "signature", "cookie", "authorization", "creditcard", "card")
)
"""Words after or before which others may say that no secret is meant."""
_HARMLESS = re.compile(
    # how many tokens a language model has read, written, or may write
    r"(?:.+_)?(?:max|min|total|prompt|completion|input|output|cached|reasoning|remaining)"
    r"_(?:(?:new|prompt|completion|input|output)_)?tokens(?:_details)?"
    # where tokens are given away
    r"|(?:.+_)?tokens_ur[il]|(?:oauth2?_|access_)?token_(?:ur[il]|endpoint)"
    r"|authorization_(?:ur[il]|endpoint)"
    # of what kind it is, how many there are, how long it holds
    r"|(?:.+_)?(?:password|secret|token|signature|cookie|authorization)s?"
    r"_(?:type|count|limit|ttl|algorithm|version|expiry|expires(?:_(?:at|in|on))?)"
    # which payment card it is, without its number
    r"|(?:.+_)?card_(?:brand|type|count|limit|ids?|present|last_?4|last_four)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redact:
    """Words that are declared, in the place of those that hold in general, or added to them."""

    words: tuple[str, ...]
    adds: bool = False

    def beside(self, general: tuple[str, ...]) -> tuple[str, ...]:
        """Return the words that hold, where in general those would."""
        return (*general, *self.words) if self.adds else self.words


def read(declared: Any) -> Redact | None:
    """Read `["card"]` or `{"add": ["card"]}`; return None for what is neither.

    A word has a letter or a digit at least: any other would be found in every name.
    """
    adds = isinstance(declared, Mapping) and set(declared) == {"add"}
    words = declared["add"] if adds else declared
    if not isinstance(words, list | tuple | set | frozenset):
        return None
    if not all(isinstance(word, str) and _BETWEEN.sub("", word) for word in words):
        return None
    return Redact(words=tuple(words), adds=adds)


@lru_cache(maxsize=1024)
def asker(words: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what tells whether a name looks like that of a secret, by these words.

    A short word has to be one of those that the name is made of, in snake, kebab or camel case; a
    long one may stand inside of another. Of names such as `token_type` and `max_tokens` it is
    known that they are none. A word that begins with a dash is how names of headers end, spelled
    as Django spells them; one that begins with an equals sign is the name of one header.
    """
    endings = tuple(word for word in words if word.startswith("-"))
    headers = {_folded(word.lower()) for word in words if word.startswith("=")}
    headers |= {f"http{name}" for name in headers}  # as servers have it in their environment
    whole = [word.lower() for word in words if not word.startswith(("-", "="))]
    looks_secret = _finder(whole)
    looks_secret_still = _finder([word for word in whole if _folded(word) not in _CANCELLED])

    @lru_cache(maxsize=4096)
    def is_secret(name: str) -> bool:
        humps = _HUMP.sub("_", name)
        ways = (_AFTER_CAPITALS.sub("_", humps), humps)
        snake, other = (_BETWEEN.sub("_", way).lower() for way in ways)
        looks = looks_secret_still if _HARMLESS.fullmatch(snake) else looks_secret
        is_named = looks(snake) or looks(other) or _folded(name.lower()) in headers
        return is_named or (name.endswith(endings) and name != _NO_SECRET)

    return is_secret


def _finder(words: list[str]) -> Callable[[str], bool]:
    """Return what tells whether one of these words is in a name in snake case."""
    long = [_folded(word) for word in words if _is_long(word)]
    short = [word for word in words if not _is_long(word)]
    any_short, beside = "|".join(map(re.escape, short)), "|".join(_BESIDE)
    together = re.compile(rf"(?:{beside})*(?:{any_short})(?:{any_short}|{beside})*s?")

    def is_found(snake: str) -> bool:
        joined = _folded(snake)
        if any(word in joined for word in long):
            return True
        return bool(short) and any(map(together.fullmatch, _BETWEEN_LETTERS.split(snake)))

    return is_found


def _is_long(word: str) -> bool:
    return len(word) >= _LONG or _BETWEEN.search(word) is not None


def _folded(word: str) -> str:
    return _BETWEEN.sub("", word)
