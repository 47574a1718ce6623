"""The verbs of the command line, each as arguments, one call of the library, and text or JSON.

May import everything but `polecat.cli`, whose table says which module has which verb. Read first: `talk`, four small ones; then `common`.
"""

from __future__ import annotations
