"""Small pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are Markdown, on one line each."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def code(text: object) -> str:
    """Something literal."""
    return f"`{text}`"


def fence(text: str, language: str = "text") -> str:
    """A block of literal lines."""
    return f"```{language}\n{text.rstrip()}\n```"


def prose(docstring: str) -> str:
    """What a docstring says, in Markdown: literals and references as code."""
    text = re.sub(r"``([^`]+)``", r"`\1`", docstring)
    return re.sub(r"\s*\n\s*", " ", text).strip()


def described(docstring: str, section: str = "Attributes") -> dict[str, str]:
    """Read a section of a Google-style docstring: name → what it says of it."""
    found: dict[str, str] = {}
    inside, name = False, ""
    for line in docstring.splitlines():
        if re.match(r"\s*[A-Z]\w+:\s*$", line):
            inside = line.strip() == f"{section}:"
        elif inside and (match := re.match(r"\s{4,8}(\w+): (.*)", line)):
            name = match[1]
            found[name] = match[2]
        elif inside and name and line.strip():
            found[name] += " " + line.strip()
    return {name: prose(text) for name, text in found.items()}
