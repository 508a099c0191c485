from __future__ import annotations

from typing import Any

import pytest

from motia_django.exceptions import UnknownFlow
from motia_django.graph import Graph, read
from tests.graph.declared import CRON, HTTP, edge, ends, hears, named, node, registry_of


def keys(graph: Graph) -> set[str]:
    return {each.key for each in graph.nodes}


def is_large(input: Any) -> bool:
    return True


def test_a_topic_stands_between_who_sends_to_it_and_who_listens() -> None:
    graph = read(registry_of(named("Send", enqueues=["t"]), named("Hear", *hears("t"))))
    assert keys(graph) == {"step:Send", "step:Hear", "topic:t"}
    assert ends(graph) == {("step:Send", "topic:t"), ("topic:t", "step:Hear")}


def test_what_a_step_watches_is_a_node_and_its_filters_are_the_label() -> None:
    graph = read(
        registry_of(
            named("Any", {"type": "state"}),
            named(
                "Some", {"type": "state", "groupId": "orders", "key": "17", "events": ["updated"]}
            ),
            named("Live", {"type": "stream", "streamName": "chat", "groupId": "room"}),
        )
    )
    assert keys(graph) >= {"state:", "state:orders", "stream:chat"}
    assert edge(graph, "state:", "step:Any").label == ""
    assert edge(graph, "state:orders", "step:Some").label == "17 updated"
    assert edge(graph, "stream:chat", "step:Live").label == "room/*"


def test_labels_and_conditions_are_those_that_the_files_declare() -> None:
    sent = {"topic": "t", "label": "if it is large", "conditional": True}
    graph = read(
        registry_of(
            named("Send", enqueues=[sent]),
            named("Hear", *hears("t", condition=is_large)),
            named("Odd", *hears("t", condition=lambda input: True)),
        )
    )
    sending = edge(graph, "step:Send", "topic:t")
    assert (sending.label, sending.is_conditional) == ("if it is large", True)
    hearing = edge(graph, "topic:t", "step:Hear")
    assert (hearing.is_conditional, hearing.condition) == (True, "is_large")
    assert edge(graph, "topic:t", "step:Odd").condition == ""


@pytest.mark.parametrize("key", ["virtualEnqueues", "virtual_enqueues", "virtualEmits"])
@pytest.mark.parametrize("other", ["virtualSubscribes", "virtual_subscribes"])
def test_what_happens_outside_of_the_code_is_a_virtual_edge(key: str, other: str) -> None:
    send = named("Ask", **{key: [{"topic": "approved", "label": "by hand"}]})
    hear = named("Go", HTTP, **{other: ["approved"]})
    graph = read(registry_of(send, hear))
    asked = edge(graph, "step:Ask", "topic:approved")
    assert (asked.is_virtual, asked.label) == (True, "by hand")
    assert edge(graph, "topic:approved", "step:Go").is_virtual


def test_what_follows_from_a_death_is_an_edge_of_a_failure() -> None:
    send = named("Charge", enqueues=["both"], onDead="died")
    graph = read(registry_of(send, named("GiveBack", *hears("died"))))
    found = edge(graph, "step:Charge", "topic:died")
    assert (found.is_failure, found.is_virtual) == (True, False)
    assert not node(graph, "step:GiveBack").is_unsent
    lost = read(
        registry_of(named("Charge", onDead="died"), named("A", on_dead="a", enqueues=["a"]))
    )
    assert node(lost, "topic:died").is_unheard
    assert not edge(lost, "step:A", "topic:a").is_failure


def test_what_is_declared_twice_is_one_edge_and_a_real_one_if_one_is_real() -> None:
    send = named("Send", enqueues=["t"], virtualEnqueues=["t"])
    hear = named("Hear", *hears("t", condition=is_large), *hears("t"))
    graph = read(registry_of(send, hear))
    assert not edge(graph, "step:Send", "topic:t").is_virtual
    hearing = edge(graph, "topic:t", "step:Hear")
    assert (hearing.is_conditional, hearing.condition) == (False, "")


def test_a_topic_that_nobody_hears_is_marked_unless_it_is_only_told_of() -> None:
    graph = read(registry_of(named("Send", enqueues=["lost"], virtualEnqueues=["told"])))
    assert node(graph, "topic:lost").is_unheard
    assert not node(graph, "topic:told").is_unheard


@pytest.mark.parametrize(
    ("triggers", "marked"),
    [
        (hears("nobody"), True),
        (hears("nobody", "sent"), False),
        (hears("told"), False),
        ([HTTP, *hears("nobody")], False),
        ([CRON], False),
        ([{"type": "state"}], False),
    ],
)
def test_a_step_is_marked_if_only_messages_start_it_that_no_step_sends(
    triggers: list[dict[str, Any]], marked: bool
) -> None:
    sender = named("Send", enqueues=["sent"], virtualEnqueues=["told"])
    graph = read(registry_of(sender, named("Hear", *triggers)))
    assert node(graph, "step:Hear").is_unsent is marked


def test_a_flow_has_its_neighbours_marked_as_outside_and_no_others() -> None:
    graph = read(
        registry_of(
            named("Before", enqueues=["in"], flows=["other"]),
            named("Mine", *hears("in"), enqueues=["out"], flows=["mine"]),
            named("After", *hears("out"), enqueues=["far"], flows=["other"]),
            named("Far", *hears("far"), flows=["other"]),
            named("Beside", *hears("in"), flows=["other"]),
        ),
        "mine",
    )
    assert keys(graph) == {"step:Before", "step:Mine", "step:After", "topic:in", "topic:out"}
    outside = {each.name for each in graph.nodes if each.is_outside}
    assert outside == {"Before", "After"}


def test_an_unknown_flow_names_the_nearest() -> None:
    with pytest.raises(UnknownFlow, match="no flow named 'order'. Did you mean 'orders'?"):
        read(registry_of(named("A", flows=["orders"])), "order")


def test_steps_that_may_not_be_seen_are_left_out_but_still_hear() -> None:
    steps = registry_of(
        named("Send", enqueues=["t"], flows=["f"]), named("Hidden", *hears("t"), flows=["secret"])
    )
    graph = read(steps, seen=["Send"])
    assert keys(graph) == {"step:Send", "topic:t"}
    assert not node(graph, "topic:t").is_unheard
    with pytest.raises(UnknownFlow):
        read(steps, "secret", seen=["Send"])


def test_loops_and_steps_that_send_to_themselves_are_edges_like_others() -> None:
    graph = read(registry_of(named("Loop", *hears("again"), enqueues=["again"])))
    assert ends(graph) == {("step:Loop", "topic:again"), ("topic:again", "step:Loop")}
