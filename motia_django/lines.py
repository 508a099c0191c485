"""Text as one line of a terminal or of a log: what would end the line, or steer it, spelled out."""

from __future__ import annotations

_STEERING = (
    *range(0x09),
    *range(0x0A, 0x20),  # C0: line ends, and the escape that begins a terminal's commands; no tab
    *range(0x7F, 0xA0),  # DEL and C1, which has a line end and a one-character escape
    *range(0x2028, 0x202F),  # the separators of lines and paragraphs; embeddings and overrides
    *range(0x2066, 0x206A),  # isolates: with those before, what turns the direction of a text
)
_SPELLED = {code: repr(chr(code))[1:-1] for code in _STEERING}
_IN_JSON = {code: f"\\u{code:04x}" for code in _STEERING if code > 0x1F}


def spelled_out(text: object) -> str:
    r"""Return a text as one line, whoever wrote it: a newline as `\n`, an escape as `\x1b`.

    Spelled out are the control characters C0 but for the tab, which only goes on in its line, DEL
    and C1, the separators of lines and paragraphs, and what embeds, overrides or isolates a
    direction of writing.
    """
    return str(text).translate(_SPELLED)


def escaped(json: str) -> str:
    r"""Return JSON that says the same, with all of that escaped, as `\u009b`: C0 always is."""
    return json.translate(_IN_JSON)
