"""``.beads/routes.jsonl``: which prefix of bead ids belongs to which directory of the town."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from polecat.documents import Route
from polecat.errors import ConfigError
from polecat.town.files import read_text, write_bytes
from polecat.town.json_files import parse_document

ROUTE_LINE_LIMIT = 64 * 1024
"""Bytes a line of routes.jsonl may have: the reference's reader gives up on longer ones."""


def _routes_path(town_root: Path) -> Path:
    return town_root / ".beads" / "routes.jsonl"


def load_routes(town_root: Path) -> tuple[Route, ...]:
    """Read the town's routes; an absent file has none. Lines that are no route are skipped, as everybody does.

    Raises:
        ConfigError: the file cannot be read, or has a line that the reference could not read either.
    """
    path = _routes_path(town_root)
    text = read_text(path) or ""
    for at, line in enumerate(text.split("\n"), 1):
        if len(line.encode("utf-8")) >= ROUTE_LINE_LIMIT:
            raise ConfigError(path, f"is longer than {ROUTE_LINE_LIMIT} bytes", line=at)
    return parse_routes(text)


def parse_routes(text: str) -> tuple[Route, ...]:
    """Read the routes out of the text of a ``routes.jsonl``.

    Examples:
        >>> parse_routes('# mine\\n{"prefix":"gt-","path":"gastown"}\\nnot json')
        (Route(prefix='gt-', path='gastown'),)

    Source:
        Contract §3.12.
    """
    return tuple(route for route in map(_route, text.split("\n")) if route is not None)


def _route(line: str) -> Route | None:
    line = line.strip(" \t\r")
    if not line or line.startswith("#"):
        return None
    try:
        doc = parse_document(Path("routes.jsonl"), line)
        route = Route(prefix=doc.text_of("prefix"), path=doc.text_of("path"))
    except ConfigError:
        return None
    return route if route.prefix and route.path else None


def rig_prefix(routes: Sequence[Route], rig: str, *, registered: str = "") -> str:
    """Say what the ids of a rig's beads start with, without the hyphen.

    Args:
        routes: the town's routes.
        rig: the rig.
        registered: what the registry says, for a rig that no route leads to; empty means ``gt``.

    Examples:
        >>> rig_prefix([Route(prefix="ra-", path="rigA/mayor/rig")], "rigA")
        'ra'

    Source:
        Contract §12.1.
    """
    for route in routes:
        if route.path.split("/")[0] == rig:
            return route.prefix.removesuffix("-")
    return registered.removesuffix("-") or "gt"


def add_route(town_root: Path, route: Route) -> None:
    """Add a route, or change the path of its prefix. Comments and lines that are no route stay, unlike in the reference.

    Raises:
        ConfigError: the file that is there cannot be read.
        OSError: it cannot be written.
    """
    _change_routes(town_root, route.prefix, json.dumps({"prefix": route.prefix, "path": route.path}, separators=(",", ":")))


def remove_route(town_root: Path, prefix: str) -> None:
    """Remove the route of a prefix, if there is one; errors as `add_route`."""
    _change_routes(town_root, prefix, "")


def _change_routes(town_root: Path, prefix: str, new: str) -> None:
    path = _routes_path(town_root)
    old = read_text(path)
    lines = (old or "").split("\n")
    kept: list[str] = []
    for line in lines:
        route = _route(line)
        if route is None or route.prefix != prefix:
            kept.append(line)
        elif new:
            kept.append(new)
            new = ""
    text = "\n".join(kept)
    if new:
        text = text + ("" if not text or text.endswith("\n") else "\n") + new + "\n"
    if text != (old or ""):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, text.encode("utf-8"))
