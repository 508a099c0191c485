from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from motia_django.graph.shelves import GAP, WIDTH, pieces_of, shelved

SIZES = st.lists(st.tuples(st.floats(1, 2000), st.floats(1, 2000)), min_size=1, max_size=30)


def test_what_hangs_together_is_one_piece_in_the_order_of_the_list() -> None:
    found = pieces_of(6, [(4, 0), (1, 3), (3, 3)])
    assert [piece.nodes for piece in found] == [[0, 4], [1, 3], [2], [5]]
    assert [piece.links for piece in found] == [[0], [1, 2], [], []]


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), _links(n))))
def test_every_node_and_link_is_in_just_one_piece(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    nodes, links = drawn
    found = pieces_of(nodes, links)
    assert sorted(node for piece in found for node in piece.nodes) == list(range(nodes))
    assert sorted(link for piece in found for link in piece.links) == list(range(len(links)))
    for piece in found:
        assert {end for link in piece.links for end in links[link]} <= set(piece.nodes)


def _links(nodes: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    node = st.integers(0, nodes - 1)
    return st.lists(st.tuples(node, node), max_size=60)


@given(SIZES)
def test_nothing_is_on_top_of_another_and_no_shelf_is_wider_than_it_must_be(
    sizes: list[tuple[float, float]],
) -> None:
    corners = shelved(sizes)
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sizes, strict=True)]
    assert max(box[2] for box in boxes) <= max(WIDTH, *(width for width, _ in sizes)) + 0.01
    for place, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[place + 1 :]:
            apart = GAP - 0.01
            beside = right + apart <= other[0] or other[2] + apart <= left
            assert beside or bottom + apart <= other[1] or other[3] + apart <= top
