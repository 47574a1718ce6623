"""Every error class: what raises it, what to do, and a message that it really had, raised in the pretend world."""

from __future__ import annotations

import inspect
import textwrap

from docs._ext.error_scenes import SCENES, play
from docs._ext.markdown import described, fence, prose
from polecat import errors as module
from polecat.errors import PolecatError


def classes() -> list[type[PolecatError]]:
    """Every error class, in the order of the module."""
    return [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, PolecatError)]


def tree() -> str:
    """The tree as the module draws it."""
    drawn = (module.__doc__ or "").partition("::\n\n")[2].partition("\n\n")[0]
    return fence(textwrap.dedent(drawn), "none")


def errors() -> str:
    """A section for each class."""
    return "\n\n".join(_section(cls) for cls in classes())


def _section(cls: type[PolecatError]) -> str:
    scene = SCENES[cls.__name__]
    summary, _, rest = (inspect.getdoc(cls) or "").partition("\n\n")
    bases = " and a ".join(f"`{base.__name__}`" for base in cls.__bases__ if base is not Exception)
    parts = [f"## {cls.__name__}", prose(summary) + (f" It is a {bases}." if bases else "")]
    if rest and not rest.startswith(("Args:", "Attributes:")):
        parts.append(prose(rest))
    parts += ["\n".join(f"- `{name}`: {means}" for name, means in described(inspect.getdoc(cls) or "").items())]
    parts.append(f"**Raised** {scene.when}.")
    if scene.act is not None:
        error = play(scene)
        if type(error) is not cls:
            raise AssertionError(f"the scene of {cls.__name__} raised {error!r}")
        parts.append(fence("\n".join((f"polecat: {error.message}", *(f"  {line}" for line in error.hint.splitlines())))))
    parts.append(f"**Do:** {scene.remedy}.")
    return "\n\n".join(part for part in parts if part)
