"""Fills pages with what is made from the code: a line ``<!-- made: NAME -->`` is replaced when Sphinx reads the page.

So nothing of it can drift, and each part is a plain function that a test can call without Sphinx.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from docs._ext import cli_reference, error_reference, pictures, settings_reference, table_reference

MAKERS: Mapping[str, Callable[[], str]] = {
    "cli": cli_reference.verbs,
    "errors": error_reference.errors,
    "error tree": error_reference.tree,
    "events": table_reference.events,
    "log lines": table_reference.log_lines,
    "steps": table_reference.steps,
    "states": table_reference.states,
    "agents": table_reference.agents,
    "themes": table_reference.themes,
    "risks": table_reference.risks,
    "rig settings": settings_reference.rig_settings,
    "town settings": settings_reference.town_settings,
    "agent settings": settings_reference.agent_settings,
    "namepool settings": settings_reference.namepool_settings,
    "town.json": settings_reference.town_config,
    "rigs.json": settings_reference.rig_entry,
    "config.json": settings_reference.rig_config,
    "accounts.json": settings_reference.account,
    "agents.json": settings_reference.agent_entry,
    "lease": settings_reference.lease,
    "picture of the pipeline": pictures.pipeline,
    "picture of the states": pictures.states,
}
"""Name → what makes it, as Markdown."""

MARK = re.compile(r"^<!-- made: (.+) -->$", re.MULTILINE)


def fill(text: str) -> str:
    """Replace the marks of a page.

    Raises:
        KeyError: a mark names nothing that can be made.
    """
    return MARK.sub(lambda found: MAKERS[found[1]](), text)


def setup(app: Any) -> dict[str, object]:
    """Tell Sphinx. A page with marks is read again with every build, because the code may have changed."""
    app.connect("source-read", _fill_page)
    app.connect("env-get-outdated", _pages_with_marks)
    app.connect("autodoc-process-docstring", _leave_sources_out, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _fill_page(_app: Any, _page: str, source: list[str]) -> None:
    source[0] = fill(source[0])


def _pages_with_marks(_app: Any, env: Any, *_changes: object) -> list[str]:
    return [page for page in env.found_docs if MARK.search(Path(env.doc2path(page)).read_text("utf-8"))]


def _leave_sources_out(_app: Any, _what: str, _name: str, _thing: object, _options: object, lines: list[str]) -> None:
    """Where a rule comes from is for who changes the code."""
    lines[:] = without_sources(lines)


def without_sources(lines: list[str]) -> list[str]:
    """Leave the section *Source* out of a docstring."""
    kept, inside = [], False
    for line in lines:
        if line.strip() == "Source:":
            inside = True
        elif inside and line.strip() and not line.startswith(" "):
            inside = False
        if not inside:
            kept.append(line)
    return kept
