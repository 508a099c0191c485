"""Fingerprints of errors: what two failures with the same cause have in common, as a short hash."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import pairwise
from pathlib import PurePath
from types import CodeType

LENGTH = 16
"""Of a fingerprint: so many hexadecimal digits."""
_MOST_READ = 4000
_MOST_KEPT = 300
"""Characters of a message: read, and kept once its variable parts are gone."""
_ALWAYS_SECRET = ("bearer", "basic")
"""Words that are followed by a secret, whatever the setting says."""
_SHORT = 4
"""Letters of words such as `card` and `cvv`: numbers follow them, which do not count anyway."""
_INLINED = ("<listcomp>", "<dictcomp>", "<setcomp>")
"""Functions of their own up to Python 3.11, and none since (PEP 709)."""
_OURS = PurePath(__file__).parent
_LIBRARIES = tuple(
    PurePath(folder) for name, folder in sysconfig.get_paths().items() if "lib" in name
)
_PACKAGES = ("site-packages", "dist-packages")
_CARRIERS = ("asgiref", "celery", "django", "rest_framework")
"""Packages that call a project's code, so that they are not what failed."""

_QUOTED = re.compile(
    r"""(?<!\w)[bruBRU]{0,2}(?:'(?:\\.|[^'\\])*(?:'|$)|"(?:\\.|[^"\\])*(?:"|$)|`[^`]*(?:`|$))""",
    re.DOTALL,
)
_ASSIGNED = re.compile(r"=.*")
_WORD = re.compile(r"[\w-]+")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]{8,}")
_LONGEST_WORD = 31
_NUMBERS = re.compile(r"#(?:[\s.,:;+/-]*#)+")
_PLACES = ("/", "\\", "@")


def fingerprint(step: str, error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Return what this error of this Step has in common with others of the same cause.

    It is made from the Step, the exception's type, the innermost place in the project's own code
    (file and function, not the line) and the message without what varies: numbers, ids, quoted
    text, addresses, paths, and what follows a word of `secrets` that is not short. The same
    failure has the same fingerprint in every process, deployment and version of Python. Whatever
    the error, return one.
    """
    leaf = _leaf(error)
    kinds = type(error).__qualname__, type(leaf).__qualname__
    parts = (step, *kinds, _place(leaf) or _place(error), essence(_text(leaf), secrets))
    text = "\x1f".join(parts).encode("utf-8", "backslashreplace")
    return blake2b(text, digest_size=LENGTH // 2).hexdigest()


def essence(message: str, secrets: Iterable[str] = ()) -> str:
    """Return a message without its variable parts, and bounded."""
    named = (word for word in secrets if not word.startswith("-") and len(word) > _SHORT)
    words = tuple(_folded(word) for word in (*named, *_ALWAYS_SECRET))
    unquoted = _QUOTED.sub("*", message[:_MOST_READ])
    kept = " ".join(_tokens(unquoted.split(), words))
    return _NUMBERS.sub("#", kept)[:_MOST_KEPT]


def _tokens(tokens: list[str], secrets: tuple[str, ...]) -> Iterator[str]:
    after_secret = False
    for token in tokens:
        is_secret = any(word in _folded(token) for word in secrets)
        if after_secret:
            yield "*"
        elif is_secret:
            yield _general(re.split(r"[=:]", token)[0])
        else:
            yield _general(token)
        after_secret = is_secret or (after_secret and not token.strip("=:"))


def _general(token: str) -> str:
    """Return a word of a message as it would be in others of the same cause."""
    if any(mark in token for mark in _PLACES):
        return "*"
    return _WORD.sub(_general_word, _ASSIGNED.sub("=*", token))


def _general_word(found: re.Match[str]) -> str:
    word = found[0]
    if any(character.isdigit() for character in word) or _HEXADECIMAL.fullmatch(word):
        return "#"
    return "*" if len(word) > _LONGEST_WORD else word


def _folded(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def _leaf(error: BaseException) -> BaseException:
    """Return the first error that is no group of others."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _place(error: BaseException) -> str:
    """Return the innermost place in the project's own code, else the outermost in a package.

    Where a recursion had gone to when it was ended is chance: it is known by where it began.
    """
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    named = [code for code in codes if code.co_name not in _INLINED]
    own = [code for code in named if _is_own(code)]
    if own:
        return _named(own[0 if isinstance(error, RecursionError) else -1])
    others = (code for code in named if _is_of_a_package(code))
    return next(map(_named, others), "")


def _named(code: CodeType) -> str:
    return f"{'/'.join(PurePath(code.co_filename).parts[-2:])} {code.co_qualname}"


def _is_own(code: CodeType) -> bool:
    file = PurePath(code.co_filename)
    if not file.is_absolute() or set(_PACKAGES) & set(file.parts):
        return False
    return not any(file.is_relative_to(folder) for folder in (_OURS, *_LIBRARIES))


def _is_of_a_package(code: CodeType) -> bool:
    parts = PurePath(code.co_filename).parts
    within = (after for before, after in pairwise(parts) if before in _PACKAGES)
    return next(within, _OURS.name) not in (*_CARRIERS, _OURS.name)
