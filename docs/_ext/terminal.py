"""The picture on the first screen: what `polecat demo` printed on a terminal, as SVG.

``nox -s picture`` runs the demo and writes it. Nothing is drawn by hand, so it shows what a person will see.
"""

from __future__ import annotations

import os
import pty
import re
import sys
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path

COLUMNS = 92
PICTURE = Path(__file__).resolve().parent.parent / "_static" / "demo.svg"

_COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "90": "#8b949e"}
_INK, _PAPER, _TYPED = "#e6edf3", "#0d1117", "#79c0ff"
_CHAR, _LINE, _EDGE = 8.43, 19, 16
"""Width of a character at 14 px, height of a line, and the margin, in pixels."""


def main() -> None:
    """Run the demo and write the picture."""
    PICTURE.write_text(as_svg(shown(printed_by_demo())), "utf-8")


def printed_by_demo() -> str:
    """What the demo prints on a terminal of this width."""
    seen = bytearray()

    def read(fd: int) -> bytes:
        data = os.read(fd, 65536)
        seen.extend(data)
        return b"" if not data else b"."

    os.environ["COLUMNS"] = str(COLUMNS)
    status = pty.spawn([sys.executable, "-m", "polecat", "demo"], read)
    if status:
        raise SystemExit(f"polecat demo ended with status {status}")
    return seen.decode().replace("\r\n", "\n")


def shown(text: str) -> list[str]:
    """The lines of the picture: what polecat was told and answered; the throw-away directory by a shorter name."""
    text = re.sub(r"/\S*/polecat-demo-\w+", "/tmp/demo", text)
    parts = re.split(r"^(?=\$ )", text, flags=re.MULTILINE)
    told = "".join(part for part in parts if part.startswith("$ polecat ")).rstrip()
    return [line for long in told.split("\n") for line in _folded(long)]


def _folded(line: str) -> list[str]:
    if len(re.sub(r"\x1b\[\d*m", "", line)) <= COLUMNS:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, COLUMNS, subsequent_indent=indent, break_on_hyphens=False)


def as_svg(lines: list[str]) -> str:
    """Draw lines as a terminal shows them.

    Examples:
        >>> "<tspan fill='#7ee787'>ok</tspan> &lt;b&gt;" in as_svg(["\\x1b[32mok\\x1b[0m <b>"])
        True
    """
    width, height = round(COLUMNS * _CHAR + 2 * _EDGE), len(lines) * _LINE + 2 * _EDGE
    rows = "\n".join(f"<text x='{_EDGE}' y='{_EDGE + _LINE * at + 14}'>{_spans(line)}</text>" for at, line in enumerate(lines))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img' "
        f"font-family='ui-monospace,SFMono-Regular,Menlo,Consolas,monospace' font-size='14' fill='{_INK}' xml:space='preserve'>\n"
        f"<title>polecat demo: three polecats are spawned, looked at, spoken to, and one is taken back</title>\n"
        f"<rect width='{width}' height='{height}' rx='8' fill='{_PAPER}'/>\n{rows}\n</svg>\n"
    )


def _spans(line: str) -> str:
    if line.startswith("$ "):
        return f"<tspan fill='{_TYPED}'>{escape(line, quote=False)}</tspan>"
    return "".join(_pieces(line))


def _pieces(line: str) -> Iterator[str]:
    colour = ""
    for piece in re.split(r"(\x1b\[\d*m)", line):
        if piece.startswith("\x1b"):
            colour = _COLOURS.get(piece[2:-1], "")
        elif piece:
            text = escape(piece, quote=False)
            yield f"<tspan fill='{colour}'>{text}</tspan>" if colour else text


if __name__ == "__main__":
    main()
