"""How the documentation is built; a warning is an error."""

from __future__ import annotations

from polecat import __version__

project = "polecat"
copyright = "the polecat contributors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = f"polecat {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_custom_sections = [("Source", "params_style")]
default_role = "code"
