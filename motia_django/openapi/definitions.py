"""The definitions in a JSON Schema document: what refers to them, and what they are, told apart."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from motia_django.openapi.walking import changed

WHOLE = "#"
_PLACE = re.compile(r"(#/(?:\$defs|definitions)/[^/]+|#)(.*)", re.DOTALL)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.-]+")


class Definitions:
    """The definitions of one document by their place, such as `#/$defs/Item`; `#` is its whole."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def __getitem__(self, place: str) -> Any:
        return self._places[place]

    def split(self, reference: str) -> tuple[str, str] | None:
        """Return which definition a reference is to, and what in it; None if it is to no other."""
        found = _PLACE.fullmatch(reference)
        if found is None or found[1] not in self._places:
            return None
        return found[1], found[2]

    def title(self, place: str) -> str:
        """Return what a definition would like to be called."""
        title = self[place].get("title") if isinstance(self[place], Mapping) else None
        own = "" if place == WHOLE else place.rpartition("/")[2]
        return as_name(own or str(title or ""))

    def identity(self, place: str) -> str:
        """Return what is the same for two definitions that say the same, whatever document."""
        titles = {each: self.title(each) for each in self._reached(place)}

        def by_title(reference: str) -> str:
            found = self.split(reference)
            return f"{titles[found[0]]}{found[1]}" if found else reference

        said = [[titles[each], referring(self[each], by_title)] for each in titles]
        return json.dumps([titles[place], sorted(said, key=_text)], sort_keys=True, default=str)

    def _reached(self, place: str) -> list[str]:
        """Return a definition's place, and those of all that it refers to."""
        reached = [place]

        def note(reference: str) -> str:
            found = self.split(reference)
            if found and found[0] not in reached:
                reached.append(found[0])
            return reference

        for each in reached:
            referring(self[each], note)
        return reached

    @cached_property
    def _places(self) -> dict[str, Any]:
        whole = {k: v for k, v in self._document.items() if k not in ("$defs", "definitions")}
        return {WHOLE: whole} | {
            f"#/{key}/{_escaped(name)}": schema
            for key in ("$defs", "definitions")
            for name, schema in self._document.get(key, {}).items()
        }


def referring(schema: Any, refer: Callable[[str], str]) -> dict[str, Any]:
    """Return a schema with each of its references as `refer` makes it."""

    def other(each: dict[str, Any]) -> dict[str, Any]:
        if isinstance(each.get("$ref"), str):
            each = {**each, "$ref": refer(each["$ref"])}
        chosen = each.get("discriminator")
        if isinstance(chosen, Mapping) and isinstance(chosen.get("mapping"), Mapping):
            mapping = {value: refer(place) for value, place in chosen["mapping"].items()}
            each = {**each, "discriminator": {**chosen, "mapping": mapping}}
        return each

    return changed(schema, other)


def as_name(text: str) -> str:
    """Return a text with nothing in it but what the name of a component may have."""
    return _NOT_IN_NAMES.sub("_", text).strip("_")


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
