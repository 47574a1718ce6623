"""What is mounted below a directory, as the kernel's table tells it."""

from __future__ import annotations

from pathlib import Path

from polecat.adapters.processes.mounts import mounts_below

TABLE = r"""22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 8:1 /shared /t/nux/gas/data rw - ext4 /dev/sda1 rw
31 22 0:50 / /t/nux/gas/with\040blank rw - fuse.sshfs host: rw
32 22 8:1 /x /t/nux-2/data rw - ext4 /dev/sda1 rw
"""


def test_mounts_at_any_depth_are_found_and_neighbours_are_not(tmp_path: Path) -> None:
    """Bind mounts and other file systems, names with blanks included; a longer name is no directory below."""
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)

    assert mounts_below(Path("/t/nux"), table) == (Path("/t/nux/gas/data"), Path("/t/nux/gas/with blank"))
    assert mounts_below(Path("/t/other"), table) == ()


def test_without_a_table_devices_are_compared(tmp_path: Path) -> None:
    """A tree of one device holds no mount."""
    (tmp_path / "tree" / "below").mkdir(parents=True)

    assert mounts_below(tmp_path / "tree", tmp_path / "absent") == ()
