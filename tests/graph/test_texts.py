from __future__ import annotations

import json
import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest

from motia_django.graph import dot, mermaid, plain, read
from tests.graph.declared import ODD_NAMES, edge, hears, named, node, registry_of

SVG = "{http://www.w3.org/2000/svg}"
ODD = registry_of(
    *(
        named(name, *hears(name), enqueues=[{"topic": f"{name}\nnext", "label": name}])
        for name in ODD_NAMES
    ),
    named("Sure", enqueues=["end"], virtualEnqueues=["told"]),
)


def test_mermaid_has_a_line_for_each_node_and_edge() -> None:
    graph = read(registry_of(named("Send", enqueues=["t"]), named("Hear", *hears("t"))))
    assert mermaid(graph).splitlines() == [
        "flowchart TD",
        '    n0["http POST /orders<br/>Send"]',
        '    n1["Hear"]',
        '    n2(["t"])',
        "    n0 --> n2",
        "    n2 --> n1",
        "    classDef topic stroke-dasharray: 4 3",
        "    class n2 topic",
    ]


def test_what_follows_from_a_death_is_said_to() -> None:
    graph = read(registry_of(named("Send", onDead="t")))
    assert '    n0 -->|"when dead"| n1' in mermaid(graph).splitlines()
    assert '    n0 -> n1 [label="when dead"]' in dot(graph).splitlines()
    assert [each["is_failure"] for each in plain(graph)["edges"]] == [True]


def test_no_name_gets_out_of_its_quotes_in_mermaid() -> None:
    node = (
        r'n\d+(?:\["|\(\["|\[\("|\[\[")[^"<>`\\;#]*(?:#\d+;[^"<>`\\;#]*)*(?:"\]|"\]\)|"\)\]|"\]\])'
    )
    label = r'(?:\|"[^"<>`\\;#]*(?:#\d+;[^"<>`\\;#]*)*"\|)?'
    for line in mermaid(read(ODD)).replace("<br/>", " ").splitlines()[1:-2]:
        assert re.fullmatch(rf" +(?:{node}|n\d+ -\.?->{label} n\d+)", line), line


def test_no_name_gets_out_of_its_quotes_in_dot() -> None:
    string = r'"(?:[^"\\\n]|\\.)*"'
    lines = dot(read(ODD)).splitlines()
    for line in lines[2:-1]:
        assert re.fullmatch(rf" +n\d+ (?:-> n\d+ )?\[label={string}(?:, .+)?\]", line), line
    text = "\n".join(lines)
    assert r"a \"quote\"" in text
    assert "back\\\\slash" in text
    assert "<b>&amp;amp;</b>" in text


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_the_names_as_they_are() -> None:
    graph = read(ODD)
    command = ["dot", "-Tsvg"]
    drawn = subprocess.run(command, input=dot(graph), capture_output=True, text=True, check=True)
    root = ElementTree.fromstring(drawn.stdout)
    texts = {(each.text or "").strip() for each in root.iter(f"{SVG}text")}
    assert texts >= {*ODD_NAMES, *(f"{name} next" for name in ODD_NAMES), "Sure", "told"}
    classes = [each.get("class") for each in root.iter(f"{SVG}g")]
    assert classes.count("node") == len(graph.nodes)
    assert classes.count("edge") == len(graph.edges)


def test_json_says_all_there_is_to_say() -> None:
    graph = read(ODD)
    read_back = json.loads(json.dumps(plain(graph)))
    assert read_back["flow"] is None
    names = {each["name"] for each in read_back["nodes"] if each["kind"] == "step"}
    assert names == {*ODD_NAMES, "Sure"}
    ids = {each["id"] for each in read_back["nodes"]}
    assert all({each["source"], each["target"]} <= ids for each in read_back["edges"])
    virtual = [each for each in read_back["edges"] if each["is_virtual"]]
    assert [(each["source"], each["target"]) for each in virtual] == [("step:Sure", "topic:told")]
    assert edge(graph, "step:Sure", "topic:end").label == ""
    assert node(graph, "step:end").starts[0].source == "end"
