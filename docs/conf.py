"""How the documentation is built; a warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

from polecat import __version__

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for docs._ext

project = "polecat"
copyright = "the polecat contributors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "docs._ext.made_pages"]
exclude_patterns = ["_build", "_ext", "examples"]
html_theme = "furo"
html_title = f"polecat {release}"
html_static_path = ["_static"]
html_css_files = ["extra.css"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
autodoc_typehints_description_target = "documented_params"
default_role = "code"
