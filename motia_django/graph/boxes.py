"""The nodes of a drawing: how large each has to be, and what stands where in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from motia_django.graph.layout import Point, Size
from motia_django.graph.lettering import attributes, fitted, width_of
from motia_django.graph.model import Kind, Node

NAME, SMALL, PILL = 14.0, 11.0, 12.0
"""The sizes of letters: of a Step's name, of what stands around it, of a topic."""
_NARROWEST, _WIDEST = 176.0, 336.0
_BOLD = 1.12
"""How much wider bold letters are."""
_PAD, _BAND, _GAP = 14.0, 5.0, 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number of a Step, in words."""

    text: str
    url: str = ""
    tone: str = ""
    """`bad`, `warning`, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What is known of a node besides its declaration."""

    url: str = ""
    figures: tuple[Figure, ...] = ()
    failed_share: float | None = None
    """Of the runs that came to an end, how many failed, from 0 to 1; None if none did."""
    mark: str = ""
    """Such as `paused`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text in a drawing, from its left end or around its middle."""

    at: SafeString
    """Its place, as attributes."""
    text: str
    role: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar of one colour."""

    at: SafeString
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A node that has a size but no place yet."""

    node: Node
    extra: Extra
    size: Size
    kicker: str
    """What stands above a Step's name: what starts it. Of others the kind."""
    title: str
    remark: str
    """What is odd about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A node in its place."""

    classes: str
    title: str
    """The whole name and more, for those who point at it."""
    url: str
    at: SafeString
    """Its place and size, as attributes."""
    texts: list[Text]
    links: list[Text]
    """Texts that lead to other pages than the node."""
    bars: list[Bar]


def sketched(node: Node, extras: Mapping[str, Extra], kind_word: Callable[[str], str]) -> Sketch:
    """Return a node with its texts, and the size that they need."""
    extra = extras.get(node.key, Extra())
    if node.kind is Kind.STEP:
        return _step(node, extra, kind_word)
    kicker = "" if node.kind is Kind.TOPIC else kind_word(node.kind)
    remark = _("nobody listens") if node.is_unheard else ""
    title = fitted(node.name or _("any group"), _WIDEST - 60, PILL, monospace=bool(node.name))
    words = (f"{kicker} " if kicker else "") + title
    width = max(width_of(words, PILL, monospace=True), width_of(remark, SMALL)) + 2 * _PAD
    height = 42.0 if remark else 28.0
    return Sketch(
        node=node, extra=extra, size=(width, height), kicker=kicker, title=title, remark=remark
    )


def placed(sketch: Sketch, centre: Point) -> Box:
    """Return a node in its place, with all that is in it."""
    (width, height), (x, y) = sketch.size, centre
    left, top = x - width / 2, y - height / 2
    is_step = sketch.node.kind is Kind.STEP
    radius = 8.0 if is_step else height / 2 if sketch.node.kind is Kind.TOPIC else 4.0
    return Box(
        classes=" ".join(_classes(sketch)),
        title=_hint(sketch),
        url=sketch.extra.url,
        at=attributes(x=left, y=top, width=width, height=height, rx=min(radius, 14)),
        texts=list(_step_texts(sketch, left, top) if is_step else _pill_texts(sketch, x, y)),
        links=list(_figures(sketch, left, top)) if is_step else [],
        bars=list(_bars(sketch, left, top)) if is_step else [],
    )


def _step(node: Node, extra: Extra, kind_word: Callable[[str], str]) -> Sketch:
    starts = dict.fromkeys(
        f"{kind_word(each.kind)} {each.source}" if each.kind in ("http", "cron") else
        kind_word(each.kind)
        for each in node.starts
    )  # fmt: skip
    kicker = " · ".join(starts)
    remark = _("no Step sends to it") if node.is_unsent else ""
    needed = max(
        width_of(node.name, NAME * _BOLD),
        width_of(kicker, SMALL) + (width_of(extra.mark, SMALL) + 24 if extra.mark else 0),
        sum(_figure_width(each) + _GAP for each in extra.figures) - _GAP,
        width_of(remark, SMALL),
    )
    width = min(max(needed + 2 * _PAD + _BAND, _NARROWEST), _WIDEST)
    room = width - 2 * _PAD - _BAND
    for_mark = width_of(extra.mark, SMALL) + 20 if extra.mark else 0
    return Sketch(
        node=node,
        extra=extra,
        size=(width, 50.0 + (19 if extra.figures else 0) + (17 if remark else 0)),
        kicker=fitted(kicker, room - for_mark, SMALL),
        title=fitted(node.name, room, NAME * _BOLD),
        remark=remark,
    )


def _classes(sketch: Sketch) -> Iterator[str]:
    node = sketch.node
    yield f"motia-node motia-is-{node.kind}"
    if node.is_outside:
        yield "motia-outside"
    if node.is_unheard:
        yield "motia-unheard"
    if node.is_unsent:
        yield "motia-unsent"
    if any(each.tone == "bad" for each in sketch.extra.figures):
        yield "motia-failing"


def _hint(sketch: Sketch) -> str:
    node = sketch.node
    lines = [node.name or _("any group"), node.description, sketch.remark]
    lines[1:1] = [f"{each.kind} {each.source}" for each in node.starts]
    if node.is_outside:
        lines.append(_("outside this flow"))
    return "\n".join(filter(None, lines))


def _step_texts(sketch: Sketch, left: float, top: float) -> Iterator[Text]:
    start = left + _BAND + _PAD
    yield _text(start, top + 18, sketch.kicker, "kicker")
    yield _text(start, top + 37, sketch.title, "name")
    if sketch.remark:
        yield _text(start, top + 54, sketch.remark, "remark")
    if sketch.extra.mark:
        end = left + sketch.size[0] - _PAD
        yield _text(end, top + 18, sketch.extra.mark, "mark")


def _pill_texts(sketch: Sketch, x: float, y: float) -> Iterator[Text]:
    middle = y + (-2.5 if sketch.remark else 4)
    if sketch.kicker:
        whole = f"{sketch.kicker} {sketch.title}"
        begin = x - width_of(whole, PILL, monospace=True) / 2
        yield _text(begin, middle, sketch.kicker, "kicker")
        after = width_of(f"{sketch.kicker} ", PILL, monospace=True)
        yield _text(begin + after, middle, sketch.title, "name")
    else:
        yield _text(x, middle, sketch.title, "name")
    if sketch.remark:
        yield _text(x, y + 12.5, sketch.remark, "remark")


def _figures(sketch: Sketch, left: float, top: float) -> Iterator[Text]:
    x = left + _BAND + _PAD
    y = top + 57 + (17 if sketch.remark else 0)
    for each in sketch.extra.figures:
        yield _text(x, y, each.text, f"figure motia-{each.tone or 'plain'}", each.url)
        x += _figure_width(each) + _GAP


def _figure_width(figure: Figure) -> float:
    return width_of(figure.text, SMALL * (_BOLD if figure.tone else 1))


def _bars(sketch: Sketch, left: float, top: float) -> Iterator[Bar]:
    """Yield the colours of what starts a Step, at its left; at its foot how many runs failed."""
    width, height = sketch.size
    kinds = list(dict.fromkeys(each.kind for each in sketch.node.starts))
    for place, kind in enumerate(kinds):
        part = height / len(kinds)
        yield _bar(left, top + place * part, _BAND, part, f"motia-by-{kind}")
    share = sketch.extra.failed_share
    if share is not None:
        inner = width - _BAND
        yield _bar(left + _BAND, top + height - 3, inner, 3, "motia-went-well")
        yield _bar(left + _BAND, top + height - 3, inner * share, 3, "motia-failed")


def _text(x: float, y: float, text: str, role: str, url: str = "") -> Text:
    return Text(at=attributes(x=x, y=y), text=text, role=role, url=url)


def _bar(x: float, y: float, width: float, height: float, role: str) -> Bar:
    return Bar(at=attributes(x=x, y=y, width=width, height=height), role=role)
