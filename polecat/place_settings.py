"""What a rig's settings say about a polecat's place beyond the checkout: files, submodules, git-lfs, ports."""

from __future__ import annotations

import os
from typing import Literal

from polecat.json_documents import Node
from polecat.values import frozen

Lfs = Literal["eager", "lazy"]

TOP_PORT = 65_535


@frozen(kw_only=True)
class PlaceSettings:
    """Keys of ``<rig>/settings/config.json`` that stand at its top level beside the others.

    Attributes:
        submodules: fill submodules, where the project has any.
        submodule_timeout_s: how long all of them together may take.
        lfs: ``lazy`` leaves the pointers of git-lfs until somebody fetches a file; ``eager`` lets git-lfs do as it does.
        port_block: how many ports a polecat gets; 0 for none.
        port_base: the first port that may be given out.
        port_top: the last one.
        compose_project: give each polecat a project name of its own for Docker Compose.
        worktree_include_from: the directory ignored files are copied from; empty for the rig's own places.
        worktree_include_limit_mb: how much is copied at most where the file system cannot share the data.
    """

    submodules: bool = True
    submodule_timeout_s: float = 300.0
    lfs: Lfs = "eager"
    port_block: int = 10
    port_base: int = 20_000
    port_top: int = 32_767
    compose_project: bool = True
    worktree_include_from: str = ""
    worktree_include_limit_mb: int = 1024

    @property
    def is_lfs_lazy(self) -> bool:
        """Files of git-lfs are left to be fetched when they are needed."""
        return self.lfs == "lazy"

    @property
    def variable_names(self) -> tuple[str, ...]:
        """Names of the variables that tell an agent of its place."""
        ports = ("POLECAT_PORT_BASE", "POLECAT_PORT_COUNT") if self.port_block else ()
        compose = ("COMPOSE_PROJECT_NAME",) if self.compose_project else ()
        return (*ports, *compose, *(("GIT_LFS_SKIP_SMUDGE",) if self.is_lfs_lazy else ()))


def read_place(doc: Node) -> PlaceSettings:
    """Read them from the rig's settings.

    Raises:
        ConfigError: one is not what it should be.
    """
    source = doc.text_of("worktree_include_from")
    if source and (not os.path.isabs(os.path.expanduser(source)) or any(c in source for c in "\0\n")):
        raise doc.missing("worktree_include_from", "must be an absolute path, or start with ~/")
    base = doc.integer_of("port_base", 20_000, least=1024, most=TOP_PORT)
    block = doc.integer_of("port_block", 10, least=0, most=1000)
    top = doc.integer_of("port_top", max(32_767, min(TOP_PORT, base + 999)), least=1024, most=TOP_PORT)
    if block and base + block - 1 > top:
        raise doc.missing("port_top", f"leaves no room for a block of {block} ports from {base}")
    return PlaceSettings(
        submodules=doc.flag_of("submodules", True),
        submodule_timeout_s=doc.number_of("submodule_timeout_s", 300.0, above=0),
        lfs="lazy" if doc.choice_of("lfs", ("eager", "lazy")) == "lazy" else "eager",
        port_block=block,
        port_base=base,
        port_top=top,
        compose_project=doc.flag_of("compose_project", True),
        worktree_include_from=os.path.expanduser(source),
        worktree_include_limit_mb=doc.integer_of("worktree_include_limit_mb", 1024, least=0),
    )


def patterns_of(doc: Node, key: str) -> tuple[str, ...]:
    """Read a list of patterns, each on one line."""
    items = doc.items_of(key) or ()
    for item in items:
        if not item.text() or any(c in item.text() for c in "\0\n"):
            raise item.must("a pattern on one line")
    return tuple(item.text() for item in items)


def paths_of(doc: Node, key: str) -> tuple[str, ...]:
    """Read a list of paths inside the project."""
    for item in doc.items_of(key) or ():
        parts = item.text().strip("/").split("/") if isinstance(item.value, str) else []
        if not parts or any(part in ("", ".", "..", ".git") for part in parts):
            raise item.must("a path inside the project, such as docs/old")
    return patterns_of(doc, key)
