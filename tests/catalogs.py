"""Catalogues of translations for tests, as `compilemessages` would make them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.test import override_settings
from django.utils import translation


@contextmanager
def spoken(folder: Path, texts: Mapping[str, str]) -> Iterator[None]:
    """Speak German for the block, with these translations; `schedule|at` has a context.

    `folder` is where the catalogue is put.
    """
    place = folder / "de" / "LC_MESSAGES"
    place.mkdir(parents=True)
    known = {key.replace("|", "\x04", 1): text for key, text in texts.items()}
    (place / "django.mo").write_bytes(_compiled({"": _HEADER, **known}))
    with override_settings(LOCALE_PATHS=[folder], LANGUAGE_CODE="de"), translation.override("de"):
        yield


_HEADER = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"


def _compiled(texts: Mapping[str, str]) -> bytes:
    """Return a catalogue in the format of a .mo file.

    https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
    """
    pairs = sorted((key.encode(), text.encode()) for key, text in texts.items())
    flat = [key for key, _ in pairs] + [text for _, text in pairs]
    at, table = 28 + 8 * len(flat), b""
    for each in flat:
        table += struct.pack("<2I", len(each), at)
        at += len(each) + 1
    count = len(pairs)
    head = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0)
    return head + table + b"".join(each + b"\0" for each in flat)
