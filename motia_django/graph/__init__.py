"""The flows as a graph: Steps, what starts them, and what they send to; to draw and to export."""

from motia_django.graph.drawing import Extra, Figure, drawn, why_not
from motia_django.graph.model import Edge, Graph, Node, Start
from motia_django.graph.reading import read
from motia_django.graph.texts import dot, mermaid, plain

__all__ = [
    "Edge",
    "Extra",
    "Figure",
    "Graph",
    "Node",
    "Start",
    "dot",
    "drawn",
    "mermaid",
    "plain",
    "read",
    "why_not",
]
