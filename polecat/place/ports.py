"""Blocks of TCP ports, one for each polecat of a town, so that agents that run servers do not get into each other's way.

The same polecat gets the same block again, as far as it is free: where the search begins is computed from its name. What was given
out is noted in ``<town>/.runtime/polecat-ports.json``; a note counts for as long as the polecat's home exists, so a removal need not take
it back, and nothing can be left behind.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import socket
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.town.files import write_json
from polecat.town.guarded import read_json_object
from polecat.town.locks import holding

IsFree = Callable[[int], bool]


@frozen(kw_only=True)
class PortRange:
    """Where blocks are cut from.

    Attributes:
        base: the first port.
        top: the last port.
        size: ports in a block.
    """

    base: int
    top: int
    size: int

    @property
    def starts(self) -> range:
        """The first port of each block."""
        return range(self.base, self.top - self.size + 2, self.size)


def ports_file(town_root: Path) -> Path:
    """Where the blocks are noted."""
    return town_root / ".runtime" / "polecat-ports.json"


def is_port_free(port: int) -> bool:
    """Try to listen on a port, on all addresses of both kinds. Whatever cannot be tried for want of the protocol counts as free."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104  closed again at once
        try:
            with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT):
                return False
    return True


def reserve_ports(rig: Rig, name: str, ports: PortRange, *, is_free: IsFree = is_port_free) -> int:
    """Give a polecat a block of ports that no other polecat of the town has and nobody listens on.

    Args:
        rig: the rig.
        name: the polecat; its home exists.
        ports: where blocks are cut from.
        is_free: says whether nobody listens on a port.

    Returns:
        The first port of its block.

    Raises:
        PolecatError: no block is free, or the note cannot be written.
        LockTimeoutError: somebody else is at it for too long.
    """
    root, key = rig.town_root, f"{rig.name}/{name}"
    path = ports_file(root)
    with holding(root / ".runtime" / "locks" / "polecat-ports.lock", what=f"ports for {name}", timeout_s=10.0):
        noted = _read(path)
        others = {other: block for other, block in noted.items() if other != key and _is_alive(root, other)}
        for start in _candidates(f"{root}\0{key}", noted.get(key), ports):
            overlaps = any(start < other + size and other < start + ports.size for other, size in others.values())
            if not overlaps and all(is_free(port) for port in range(start, start + ports.size)):
                break
        else:
            raise PolecatError(
                f"no {ports.size} ports in a row are free between {ports.base} and {ports.top}",
                hint="widen port_base and port_top in the rig's settings, or set port_block to 0",
            )
        blocks = {**others, key: (start, ports.size)}
        if blocks != noted:
            _write(path, blocks)
    return start


def _candidates(key: str, noted: tuple[int, int] | None, ports: PortRange) -> list[int]:
    """The first ports of all blocks in the order in which they are tried: the noted one, then from where the key says."""
    starts = ports.starts
    first = int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()[:8]) % len(starts)
    own = [noted[0]] if noted is not None and noted[1] == ports.size and noted[0] in starts else []
    return [*own, *starts[first:], *starts[:first]]


def _is_alive(root: Path, key: str) -> bool:
    rig, _, name = key.partition("/")
    return (root / rig / "polecats" / name).is_dir()


def _read(path: Path) -> dict[str, tuple[int, int]]:
    """Read the notes; a file that is damaged holds none: each block is tried before it is given out again."""
    blocks: object = None
    with contextlib.suppress(OSError, ValueError):
        blocks = (read_json_object(path) or {}).get("blocks")
    if not isinstance(blocks, dict):
        return {}
    pairs = ((key, (block.get("base"), block.get("size"))) for key, block in blocks.items() if isinstance(block, dict))
    return {key: (base, size) for key, (base, size) in pairs if type(base) is int and type(size) is int}


def _write(path: Path, blocks: dict[str, tuple[int, int]]) -> None:
    document = {
        "version": 1,
        "blocks": {key: {"base": base, "size": size} for key, (base, size) in sorted(blocks.items())},
    }
    try:
        write_json(path, document)
    except OSError as error:
        raise PolecatError(f"cannot note the ports in {path}: {error.strerror or error}") from error
