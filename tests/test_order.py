"""Each of xdist's processes begins with its share of the long tests, and none is lost."""

from __future__ import annotations

import pytest

from tests.order import dealt, in_parts, long_ones_first

MODULES = {
    "some": (9, None),
    "fast": (4, 2),
    "slow": (3, 240),
    "chaos": (2, 400),
    "stage": (1, 600),
}
pytest_plugins = ["pytester"]


@pytest.fixture
def items(pytester: pytest.Pytester) -> list[pytest.Item]:
    """The tests of modules of so many, with such a limit of time."""
    for name, (count, limit) in MODULES.items():
        mark = f"pytestmark = pytest.mark.timeout({limit})" if limit else ""
        source = f"import pytest\n{mark}\n@pytest.mark.parametrize('n', range({count}))\n"
        pytester.makepyfile(**{f"test_{name}": f"{source}def test_it(n): pass"})
    found, _ = pytester.inline_genitems()
    return found


def names(items: list[pytest.Item]) -> str:
    return " ".join(item.nodeid.removeprefix("test_").partition(".")[0] for item in items)


def test_each_process_begins_with_what_may_take_long(items: list[pytest.Item]) -> None:
    ordered = long_ones_first(items, 3)
    assert sorted(map(id, ordered)) == sorted(map(id, items))
    assert names(ordered[:6]) == "chaos chaos fast fast fast fast"
    assert names(ordered[6:12]) == "slow slow slow some some some"
    assert names(ordered[12:]) == "stage some some some some some some"


def test_one_process_begins_with_them_too(items: list[pytest.Item]) -> None:
    ordered = names(long_ones_first(items, 1))
    assert ordered.startswith("chaos chaos slow slow slow stage fast")


def test_the_heaviest_is_dealt_first_and_each_to_who_has_least() -> None:
    modules = [(1.0, ["a"]), (10.0, ["b"]), (3.0, ["c"]), (2.0, ["d"]), (4.0, ["e", "f"])]
    assert dealt(modules, 2) == [["b"], ["e", "f", "c", "d", "a"]]


def test_a_share_that_is_longer_than_its_part_runs_into_the_next() -> None:
    assert in_parts([[1, 2, 3, 4], [5], []], [6]) == [1, 2, 3, 4, 5, 6]
    assert in_parts([[], []], []) == []
