"""The conformance vectors: inputs and outputs of the reference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_VECTORS = Path(__file__).parent / "conformance" / "vectors"


def document(name: str) -> Any:
    """Return a vector file as it is."""
    return json.loads((_VECTORS / name).read_text("utf-8"))


def cases(name: str) -> pytest.MarkDecorator:
    """Run a test once for each case of a vector file, as the argument ``case``."""
    rows = document(name)["cases"]
    label: Callable[[int], str] = f"{{:0{len(str(len(rows)))}}}".format
    return pytest.mark.parametrize("case", rows, ids=[label(at) for at in range(len(rows))])
