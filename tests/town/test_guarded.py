"""Files that are not what they should be: read and written without a hang, or refused with the reason."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from polecat.errors import PolecatError
from polecat.town.files import write_bytes
from polecat.town.guarded import append_guarded, read_guarded, read_json_object
from polecat.town.locks import is_held, take


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/null")


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nothing"))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


BAD: dict[str, Callable[[Path], None]] = {
    "fifo": _fifo,
    "directory": Path.mkdir,
    "loop": _loop,
    "link to nothing": _dangling,
    "device": _device,
    "terabyte": _sparse,
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_what_is_no_small_regular_file_is_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    """Neither a hang nor gigabytes in memory: an error that says what is wrong."""
    path = tmp_path / "file"
    make(path)

    with pytest.raises(OSError, match=r"."):
        read_guarded(path)


@pytest.mark.parametrize("make", [BAD[kind] for kind in ("fifo", "directory", "loop", "device")])
def test_nothing_is_appended_to_what_is_no_regular_file(make: Callable[[Path], None], tmp_path: Path) -> None:
    """A pipe that nobody reads, a directory, a device: an error at once."""
    path = tmp_path / "file"
    make(path)

    with pytest.raises(OSError, match=r"."):
        append_guarded(path, b"line\n")


@pytest.mark.parametrize("kind", ["fifo", "directory", "loop", "link to nothing", "device"])
def test_nothing_takes_the_place_of_what_is_no_file(kind: str, tmp_path: Path) -> None:
    """A device that a link leads to is not replaced by a file, not even by who may; nor is a lock made of one."""
    path = tmp_path / "file"
    if kind == "device" and os.geteuid() == 0:
        try:
            os.mknod(tmp_path / "zeros", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        except OSError:
            pytest.skip("no device may be made here, and the system's own is not risked")
        path.symlink_to(tmp_path / "zeros")
    else:
        BAD[kind](path)
    before = os.lstat(path)

    with pytest.raises(OSError, match=r"."):
        write_bytes(path, b"x")
    with pytest.raises(PolecatError, match="cannot lock"):
        take(path, what="try", timeout_s=0)
    assert os.lstat(path) == before
    assert {one.name for one in tmp_path.iterdir()} <= {"file", "zeros"}


def test_a_pipe_is_not_waited_at_for_a_lock(tmp_path: Path) -> None:
    """Whether a lock is held is told at once, whatever stands in its place."""
    path = tmp_path / "lock"
    os.mkfifo(path)

    assert is_held(path) is False


def test_a_pipe_that_somebody_reads_gets_nothing(tmp_path: Path) -> None:
    """What is no feed is not written to, reader or not."""
    path = tmp_path / "file"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(OSError, match="regular"):
        append_guarded(path, b"line\n")

    assert os.read(reader, 10) == b""
    os.close(reader)


def test_absent_is_none_and_appending_makes_the_file(tmp_path: Path) -> None:
    """Absence is a value; also where a parent is no directory."""
    (tmp_path / "plain").write_text("x")

    assert read_guarded(tmp_path / "absent") is None
    assert read_guarded(tmp_path / "plain" / "below") is None
    append_guarded(tmp_path / "new", b"one\n")
    append_guarded(tmp_path / "new", b"two\n")
    assert read_guarded(tmp_path / "new") == b"one\ntwo\n"


def test_lines_of_many_threads_never_mix(tmp_path: Path) -> None:
    """Each append is one write."""
    path = tmp_path / "feed"
    line = b"x" * 3000 + b"\n"

    def append_many() -> None:
        for _ in range(20):
            append_guarded(path, line)

    threads = [threading.Thread(target=append_many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(path.read_bytes().split(b"\n")) == {line[:-1], b""}


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b"null", b"\x00", b"\xff\xfe", b'{"a": 1}x', b"[" * 100_000, b'{"a":' * 100_000]
)
def test_what_is_no_json_object_is_a_value_error(text: bytes, tmp_path: Path) -> None:
    """Whatever stands in the file, the caller has one error to expect."""
    path = tmp_path / "file.json"
    path.write_bytes(text)

    with pytest.raises(ValueError, match=r"."):
        read_json_object(path)
