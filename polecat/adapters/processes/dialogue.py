"""A program that says hello, is asked one question and gives one answer. The question is sent only after the hello."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence

from attrs import frozen


@frozen(kw_only=True)
class Said:
    """What a program said.

    Attributes:
        hello: its first line.
        was_asked: the hello came, so that some or all of the question was sent.
        answer: everything after the hello.
        exit_code: its exit status; negative when a signal ended it, such as ours at the limit.
        error_text: what it wrote to stderr.
    """

    hello: str
    was_asked: bool
    answer: bytes
    exit_code: int
    error_text: str


def converse(argv: Sequence[str], *, hello: str, question: bytes, timeout_s: float) -> Said:
    """Start a program, wait for its hello, ask, and wait for its end; at the limit its process group is killed.

    What it leaves behind in a session of its own, such as ssh's kept connection, goes on; stderr is a file, because that would hold a pipe open.

    Args:
        argv: the program and its arguments.
        hello: the first line that it must say.
        question: what it is asked.
        timeout_s: how long it may take.

    Raises:
        OSError: it cannot be started.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        limit = threading.Timer(timeout_s, _kill, [process])
        limit.daemon = True
        limit.start()
        try:
            with process:
                assert process.stdout is not None
                greeting = process.stdout.readline().decode("utf-8", "replace").rstrip("\r\n")
                was_asked = greeting == hello
                answer, _ = process.communicate(question if was_asked else b"")
        finally:
            limit.cancel()
            _kill(process)
        errors.seek(0)
        text = errors.read().decode("utf-8", "replace").rstrip("\r\n")
        return Said(hello=greeting, was_asked=was_asked, answer=answer or b"", exit_code=process.returncode, error_text=text)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
