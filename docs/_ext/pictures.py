"""Pictures drawn from the code's own tables, as SVG inside the page: no program, no network, nothing that could drift."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from html import escape

from polecat.core.states import COLUMNS, STATE_RULES, StateRule
from polecat.core.steps import STEPS, Step

_FONT = "font-family:var(--font-stack,system-ui,sans-serif)"
_MONO = "font-family:var(--font-stack--monospace,monospace);font-size:12.5px"
_COLOURS = {
    "spawning": "#3b82f6",
    "working": "#22a559",
    "idle": "#d99a00",
    "waiting": "#d99a00",
    "done": "#8a8f98",
    "failed": "#e05252",
    "stuck": "#d99a00",
    "stalled": "#e05252",
    "zombie": "#a855f7",
    "unknown": "#c2772b",
}
_GREY, _BLUE, _GREEN = "#8a8f98", "#3b82f6", "#22a559"


def _text(x: float, y: float, words: str, *, style: str = "", anchor: str = "start", opacity: float = 1.0) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="currentColor" opacity="{opacity:g}" style="{style}">'
        f"{escape(words)}</text>"
    )


def _box(x: float, y: float, width: float, height: float, colour: str, *, strength: float = 0.16, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{colour}" fill-opacity="{strength:g}" '
        f'stroke="{colour}" stroke-width="1.4"{dash}/>'
    )


def _figure(width: float, height: float, title: str, parts: Iterable[str], caption: str) -> str:
    return "\n".join(
        (
            '<figure style="margin:1.2em 0;overflow-x:auto">',
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 0 {width + 4:g} {height:g}" width="{width + 4:g}" height="{height:g}" '
                f'role="img" style="{_FONT};font-size:14px;min-width:{0.8 * width:g}px;max-width:100%;height:auto">'
            ),
            f"<title>{escape(title)}</title>",
            *parts,
            "</svg>",
            f"<figcaption>{escape(caption)}</figcaption>",
            "</figure>",
        )
    )


# ------------------------------------------------------------------------------------------------------------ pipeline


def _phases(steps: Sequence[Step]) -> list[tuple[str, str, list[Step]]]:
    """The steps in three parts: before the first that makes something, those that can be taken back, and the last."""
    first = next(at for at, step in enumerate(steps) if step.undoes)
    return [
        ("nothing is touched", _GREY, list(steps[:first])),
        ("taken back if anything fails", _BLUE, list(steps[first:-1])),
        ("kept", _GREEN, list(steps[-1:])),
    ]


def pipeline() -> str:
    """The steps of a spawn from top to bottom: the event each emits, and what is taken back for it."""
    row, top, left, box = 44.0, 46.0, 44.0, 118.0
    parts = [
        _text(left + box / 2, 26, "step", anchor="middle", opacity=0.7),
        _text(left + box + 56, 26, "emits", opacity=0.7),
        _text(left + box + 256, 26, "a later failure takes back", opacity=0.7),
        (
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse">'
            '<path d="M0 0 L8 4 L0 8 z" fill="currentColor"/></marker></defs>'
        ),
    ]
    y = top
    for label, colour, steps in _phases(STEPS):
        height = row * len(steps) - 8
        parts += [_box(4, y, 24, height, colour)] + ([_upright(16, y + height / 2, label)] if len(steps) > 1 else [])
        for step in steps:
            parts += _step(step, left, y, box, row, colour, is_last=step is STEPS[-1])
            y += row
    return _figure(
        left + box + 470,
        y + 6,
        "The steps of a spawn",
        parts,
        "Dashed: only where there is something to do. Double frame: once for all polecats of a batch. "
        "The last step is the one that makes a spawn final; nothing is taken back any more.",
    )


def _upright(x: float, y: float, words: str) -> str:
    return (
        f'<text transform="translate({x + 4.5:g} {y:g}) rotate(-90)" text-anchor="middle" fill="currentColor" '
        f'style="font-size:12px">{escape(words)}</text>'
    )


def _step(step: Step, x: float, y: float, box: float, row: float, colour: str, *, is_last: bool) -> list[str]:
    middle = y + (row - 8) / 2
    parts = [_box(x, y, box, row - 8, colour, dashed=step.is_optional)]
    if step.is_shared:
        parts.append(_box(x + 3.5, y + 3.5, box - 7, row - 15, colour, strength=0))
    parts.append(_text(x + box / 2, middle + 5, step.name, anchor="middle", style="font-weight:600"))
    if not is_last:
        parts.append(
            f'<path d="M{x + box / 2:g} {y + row - 8:g} v8" stroke="currentColor" stroke-width="1.2" marker-end="url(#arrow)"/>'
        )
    if step.event:
        parts += [
            f'<path d="M{x + box + 6:g} {middle:g} h38" stroke="currentColor" stroke-width="1.2" marker-end="url(#arrow)"/>',
            _text(x + box + 56, middle + 4.5, step.event, style=_MONO),
        ]
    if step.undoes:
        parts.append(_text(x + box + 256, middle + 4.5, "↶ " + ", ".join(step.undoes)))
    return parts


# -------------------------------------------------------------------------------------------------------------- states

_QUESTIONS = {
    "claim": "claim",
    "pauses": "pauses?",
    "session": "session",
    "works": "holds work?",
    "says": "says done?",
    "how": "how?",
}


def states() -> str:
    """The questions from left to right, each row of the table ending in a state; equal beginnings share a box."""
    row, top, column, gap = 38.0, 36.0, 88.0, 6.0
    parts = [
        _text(at * column + (column - gap) / 2, 24, _QUESTIONS[name], anchor="middle", style="font-size:12.5px", opacity=0.7)
        for at, name in enumerate(COLUMNS)
    ]
    wide = column * len(COLUMNS)
    parts += [_text(wide + 46, 24, "state", anchor="middle", style="font-size:12.5px", opacity=0.7)]
    for at in range(len(COLUMNS)):
        for first, count, cell in _runs(at):
            if cell:
                parts += _cell(at * column, top + first * row, column - gap, count * row - gap, cell)
            elif at and not _is_any(STATE_RULES[first], at - 1):
                parts += _line(at * column, top + first * row + (row - gap) / 2, wide - gap)
    for at, rule in enumerate(STATE_RULES):
        parts += _state(rule, wide, top + at * row, row - gap)
    return _figure(
        wide + 92 + 270,
        top + row * len(STATE_RULES),
        "How a polecat's state is judged",
        parts,
        "Read a row from left to right; the first row that fits counts. A line: the answer does not matter.",
    )


def _runs(at: int) -> list[tuple[int, int, str]]:
    """Rows that begin with the same answers up to a column: the first of them, how many, and their answer there."""
    found, first = [], 0
    for key, rows in itertools.groupby(STATE_RULES, key=lambda rule: [getattr(rule, name) for name in COLUMNS[: at + 1]]):
        count = len(list(rows))
        found.append((first, count, str(key[-1])))
        first += count
    return found


def _is_any(rule: StateRule, at: int) -> bool:
    return not getattr(rule, COLUMNS[at])


def _cell(x: float, y: float, width: float, height: float, words: str) -> list[str]:
    return [_box(x, y, width, height, _GREY, strength=0.1), _text(x + width / 2, y + height / 2 + 5, words, anchor="middle")]


def _line(x: float, y: float, to: float) -> list[str]:
    return [f'<path d="M{x + 4:g} {y:g} H{to:g}" stroke="{_GREY}" stroke-width="1.2" stroke-dasharray="2 4"/>']


def _state(rule: StateRule, x: float, y: float, height: float) -> list[str]:
    name = rule.state.value
    return [
        _box(x, y, 92, height, _COLOURS[name], strength=0.22),
        _text(x + 46, y + height / 2 + 5, name, anchor="middle", style="font-weight:600"),
        _text(x + 104, y + height / 2 + 5, rule.means, style="font-size:13px", opacity=0.85),
    ]
