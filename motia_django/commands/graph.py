"""`graph`: the flows as a graph, in text for other tools or as a drawing."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from motia_django import graph
from motia_django.commands.base import Subcommand
from motia_django.exceptions import UnknownFlow
from motia_django.registry import registry

_TEXTS = {"mermaid": graph.mermaid, "dot": graph.dot}


class ShowGraph(Subcommand):
    """`motia_steps graph`."""

    name = "graph"
    help = "Print the graph of the flows: Steps, what starts them, and what they send to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--flow", help="only this flow; else every Step")
        parser.add_argument(
            "--format",
            choices=(*_TEXTS, "svg", "json"),
            default="mermaid",
            help="what to print; svg needs the extra graph",
        )

    def run(self, options: Mapping[str, Any]) -> None:
        try:
            found = graph.read(registry(), options.get("flow"))
        except UnknownFlow as error:
            raise CommandError(str(error), returncode=2) from error
        if options["format"] == "json":
            self.json(graph.plain(found))
        elif options["format"] == "svg":
            self.out.write(_drawn(found))
        else:
            self.out.write(_TEXTS[options["format"]](found), ending="")


def _drawn(found: graph.Graph) -> str:
    drawing = graph.drawn(found, is_file=True)
    if drawing is None:
        raise CommandError(f"{graph.why_not(found)} The other formats can be had all the same.")
    return drawing
