from __future__ import annotations

import logging
import sys
from math import nan
from xml.etree import ElementTree

import pytest

from motia_django.graph import Extra, Figure, drawn, layout, read
from motia_django.registry import Registry
from tests.graph.declared import ODD_NAMES, hears, named, registry_of

SVG = "{http://www.w3.org/2000/svg}"


def parsed(
    steps: Registry, flow: str | None = None, *, is_file: bool = False
) -> ElementTree.Element:
    drawing = drawn(read(steps, flow), is_file=is_file)
    assert drawing is not None
    return ElementTree.fromstring(drawing)


def texts(root: ElementTree.Element) -> set[str]:
    return {each.text or "" for each in root.iter(f"{SVG}text")}


def test_every_name_is_drawn_as_it_is_and_none_is_markup() -> None:
    root = parsed(registry_of(*(named(name, flows=["f"]) for name in ODD_NAMES)))
    assert texts(root) >= set(ODD_NAMES)
    assert root.find(f".//{SVG}b") is None


def test_a_page_gets_no_style_and_a_file_brings_its_own() -> None:
    steps = registry_of(named("A", enqueues=["t"]))
    page, file = parsed(steps), parsed(steps, is_file=True)
    assert page.find(f".//{SVG}style") is None
    assert not [each for each in page.iter() if each.get("style")]
    assert "var(" not in (file.findtext(f"{SVG}style") or "var(")
    assert file.get("role") == "img"


def test_it_is_told_to_those_who_do_not_see_it() -> None:
    root = parsed(registry_of(named("A", enqueues=["t"], flows=["f"])), "f")
    assert root.findtext(f"{SVG}title") == "Flow f"
    assert (root.findtext(f"{SVG}desc") or "").startswith("1 Step, 1 topic")


def test_everything_is_inside_and_nothing_is_on_top_of_another() -> None:
    chain = [named(f"Step{n}", *hears(f"t{n}"), enqueues=[f"t{n * 7 % 60}"]) for n in range(60)]
    root = parsed(registry_of(*chain))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    rects = [
        [float(each.get(name, 0)) for name in ("x", "y", "width", "height")]
        for each in root.iter(f"{SVG}rect")
        if each.get("class") == "motia-box"
    ]
    assert len(rects) == 120
    for place, (x, y, w, h) in enumerate(rects):
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        for ox, oy, ow, oh in rects[place + 1 :]:
            assert x + w <= ox or ox + ow <= x or y + h <= oy or oy + oh <= y


def test_loops_and_self_loops_are_drawn() -> None:
    root = parsed(
        registry_of(
            named("Self", *hears("again"), enqueues=["again"]),
            named("A", *hears("b"), enqueues=["a"]),
            named("B", *hears("a"), enqueues=["b"]),
        )
    )
    edges = [each for each in root.iter(f"{SVG}g") if "motia-edge" in each.get("class", "")]
    assert len(edges) == 6


def test_virtual_and_conditional_edges_look_different() -> None:
    sent = {"topic": "t", "conditional": True}
    drawing = drawn(read(registry_of(named("A", enqueues=[sent], virtualEnqueues=["v"]))))
    assert drawing is not None
    assert drawing.count('class="motia-edge motia-virtual"') == 1
    assert drawing.count('marker-start="url(#motia-perhaps)"') == 1


def test_what_follows_from_a_death_looks_like_a_failure_and_says_so() -> None:
    root = parsed(registry_of(named("A", onDead="died")))
    edges = [each.get("class") for each in root.iter(f"{SVG}g") if "edge" in each.get("class", "")]
    assert edges == ["motia-edge motia-failure"]
    assert "when dead" in texts(root)


def test_a_step_has_its_figures_with_their_links() -> None:
    figures = (Figure(text="3 runs", url="/runs?a=1&b=2"), Figure(text="1 failed", tone="bad"))
    extra = Extra(url="/step", figures=figures, failed_share=0.25, mark="paused")
    drawing = drawn(read(registry_of(named("A"))), {"step:A": extra})
    assert drawing is not None
    root = ElementTree.fromstring(drawing)
    assert [each.get("href") for each in root.iter(f"{SVG}a")] == ["/step", "/runs?a=1&b=2"]
    assert texts(root) >= {"3 runs", "1 failed", "paused"}


def test_a_long_name_is_cut_and_whole_in_the_hint() -> None:
    root = parsed(registry_of(named("x" * 200)))
    [name] = [each for each in texts(root) if each.startswith("xxx")]
    assert name.endswith("…")
    assert len(name) < 60
    assert any("x" * 200 in (each.text or "") for each in root.iter(f"{SVG}title"))


@pytest.mark.parametrize(
    "steps", [registry_of(), registry_of(*(named(f"S{n}") for n in range(601)))]
)
def test_nothing_and_far_too_much_are_not_drawn(steps: Registry) -> None:
    assert drawn(read(steps)) is None


def test_without_graphlay_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphlay", None)
    layout.laid_out.cache_clear()
    assert drawn(read(registry_of(named("A")))) is None
    layout.laid_out.cache_clear()


def test_what_graphlay_cannot_do_is_logged_and_not_drawn(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "motia.graph"):
        assert layout.laid_out(((nan, 1.0),), ()) is None
    assert "could not lay out 1 nodes" in caplog.text
