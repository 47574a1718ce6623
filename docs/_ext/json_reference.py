"""Every JSON document of the command line, from the table that the verbs print by."""

from __future__ import annotations

from docs._ext.markdown import code, table
from polecat.verbs.schemas import DOCUMENTS, SHAPES


def documents() -> str:
    """Which command prints what."""
    return table(("Command", "Document"), ((code(f"polecat {command}"), _linked(kind)) for command, kind in DOCUMENTS.items()))


def shapes() -> str:
    """A section for each shape, with its fields."""
    sections = []
    for shape, fields in SHAPES.items():
        rows = table(("Field", "Type", "Meaning"), ((code(name), _linked(kind), what) for name, kind, what in fields))
        sections.append(f"({_anchor(shape)})=\n## {shape}\n\n{rows}")
    return "\n\n".join(sections)


def _anchor(shape: str) -> str:
    return f"json-{shape.replace(' ', '-')}"


def _linked(kind: str) -> str:
    of = kind.removesuffix(" or null").removeprefix("list of ")
    return kind.replace(of, f"[{of}](#{_anchor(of)})") if of in SHAPES else kind
