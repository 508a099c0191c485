"""The schemas of Steps as components of a document: each once, under a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentIdentity, ComponentRegistry, ResolvedComponent
from rest_framework import serializers

from motia_django.exceptions import Inexpressible
from motia_django.openapi.definitions import WHOLE, Definitions, as_name, referring
from motia_django.openapi.dialect import guarded, spoken
from motia_django.schemas import Schema, SerializerSchema
from motia_django.triggers.texts import TextSchema

Direction = Literal["request", "response"]

_SUFFIXES: dict[Direction, str] = {"request": "Input", "response": "Output"}


class Components:
    """The components of a document, as one Step adds to them and refers to them."""

    def __init__(self, inspector: AutoSchema, step: str) -> None:
        self._inspector = inspector
        self._step = as_name(step)

    def of(self, schema: Schema, direction: Direction) -> dict[str, Any]:
        """Return a schema as it stands in a request or an answer: a reference, if it has a name."""
        if isinstance(schema, SerializerSchema):
            return self._of_serializer(schema.made(), direction)
        try:
            document = schema.json_schema(of_answers=direction == "response")
        except Inexpressible:
            return {}
        return self._of_document(document, direction)

    def parts(self, text: TextSchema) -> Mapping[str, Any]:
        """Return the schema of an object as it is, not as a component."""
        if isinstance(text.schema, SerializerSchema):
            return dict(self._inspector._map_serializer(text.schema.made(), "request"))
        return self._moving(text.document, "request").moved(text.object)

    def named(self, name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return a reference to a component that all share who ask for the same."""
        return self._of_document({"title": name, **schema}, "response")

    def _of_document(self, document: Mapping[str, Any], direction: Direction) -> dict[str, Any]:
        whole = {"$ref": WHOLE} if "title" in document else document
        return self._moving(document, direction).moved(whole)

    def _of_serializer(self, serializer: Any, direction: Direction) -> dict[str, Any]:
        if isinstance(serializer, serializers.ListSerializer):
            found = self._inspector._unwrap_list_serializer(serializer, direction)
            return dict(found or {"type": "array", "items": {}})
        if not isinstance(serializer, serializers.Serializer) or not serializer.fields:
            return {}
        return dict(self._inspector.resolve_serializer(serializer, direction).ref)

    def _moving(self, document: Mapping[str, Any], direction: Direction) -> _Moving:
        registry, suffix = self._inspector.registry, _SUFFIXES[direction]
        return _Moving(Definitions(document), registry, self._step, suffix)


class _Moving:
    """Moves the definitions of one JSON Schema document to where a document has components."""

    def __init__(
        self, definitions: Definitions, registry: ComponentRegistry, step: str, suffix: str
    ) -> None:
        self._definitions = definitions
        self._registry = registry
        self._step = step
        self._suffix = suffix
        self._names: dict[str, str] = {}

    def moved(self, schema: Any) -> dict[str, Any]:
        """Return a schema of that document, referring to components."""
        return spoken(referring(schema, self._refer))

    def _refer(self, reference: str) -> str:
        found = self._definitions.split(reference)
        if found is None:
            return reference
        place, rest = found
        if place not in self._names:
            self._move(place)
        return f"#/components/schemas/{self._names[place]}{rest}"

    def _move(self, place: str) -> None:
        """Make a definition a component, unless there is one that says the same."""
        identity = ComponentIdentity(self._definitions.identity(place))
        for name in self._candidates(self._definitions.title(place)):
            component = ResolvedComponent(name, ResolvedComponent.SCHEMA, {}, identity)
            taken = self._taken(component)
            if taken is None:
                self._names[place] = name
                self._registry.register(component)
                component.schema = guarded(self.moved(self._definitions[place]))
                return
            if taken == identity:
                self._names[place] = name
                return

    def _candidates(self, title: str) -> Iterator[str]:
        """Return the names that a component may have, the best first.

        What a serializer is called is left to it, though it may come later.
        """
        plain = [title, f"{title}{self._suffix}"] if title else []
        own = f"{self._step}{title}" or "Schema"
        numbered = (f"{own}{number}" for number in count(2))
        taken = _names_of_serializers()
        return (each for each in chain(plain, [own], numbered) if each not in taken)

    def _taken(self, component: ResolvedComponent) -> Any:
        try:
            return self._registry[component].object
        except KeyError:
            return None


def _names_of_serializers() -> set[str]:
    """Return what drf-spectacular calls the serializers of this process."""
    found: set[str] = set()
    classes: list[type] = [serializers.BaseSerializer]
    for each in classes:
        classes += each.__subclasses__()
        name = each.__name__.removesuffix("Serializer")
        found |= {name, f"Patched{name}", f"{name}Request", f"Patched{name}Request"}
    return found
