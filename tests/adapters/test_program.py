"""The one door to outside programs, held to its rules with real programs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from polecat.adapters.program import Finished, run, start
from polecat.errors import ProgramError, ProgramMissingError, ProgramTimeoutError

pytestmark = pytest.mark.real

ENV = {"PATH": os.environ["PATH"]}


def shell(script: str, *args: str, timeout_s: float = 20.0, stdin: bytes = b"") -> Finished:
    return run(["/bin/sh", "-c", script, "sh", *args], env=ENV, timeout_s=timeout_s, stdin=stdin)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except FileNotFoundError:
        return False
    except OSError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False


def wait_until_gone(pid: int) -> None:
    until = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < until, f"{pid} still runs"
        time.sleep(0.005)


def zombies() -> int:
    """Reap every child that has ended and was not waited for; say how many there were."""
    count = 0
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            count += 1
    return count


def open_files() -> int:
    return len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


def test_arguments_arrive_as_they_are() -> None:
    """Every argument is one argument: nothing is expanded, split, dropped or turned into an option."""
    words = ["a b", "*", "$(id)", "", "--", "'", '"', "new\nline", "ümlaut", ";", "~"]

    done = run([sys.executable, "-c", "import sys; print(ascii(sys.argv[1:]))", *words], env=ENV)

    assert done.text == ascii(words) + "\n"


def test_exit_status_is_a_value() -> None:
    """A program that fails is no error; its status, output and complaint are the result."""
    done = shell("echo out; echo why >&2; exit 3")

    assert (done.exit_code, done.stdout, done.error_text) == (3, b"out\n", "why")


def test_end_by_a_signal_is_negative() -> None:
    """A program that a signal ended has the signal's number, negative, as its status."""
    assert shell("kill -KILL $$").exit_code == -signal.SIGKILL


def test_environment_is_the_one_given() -> None:
    """The program sees the variables it was given and none of ours."""
    done = run(["env"], env={**ENV, "ONLY": "1"})

    assert sorted(line.partition("=")[0] for line in done.text.splitlines()) == ["ONLY", "PATH"]


def test_working_directory(tmp_path: Path) -> None:
    """The program runs where it was told to, and we stay where we are."""
    before = os.getcwd()

    assert run(["pwd"], env=ENV, cwd=tmp_path).text.strip() == os.path.realpath(tmp_path)
    assert os.getcwd() == before


def test_no_terminal_and_nothing_to_read() -> None:
    """The program has no terminal to ask on and an empty stdin, so it cannot wait for a person."""
    done = shell("test -t 0 || test -t 1 || test -t 2 || echo none; (: </dev/tty) 2>/dev/null || echo no tty; wc -c", timeout_s=5)

    assert done.text.split() == ["none", "no", "tty", "0"]


def test_program_has_a_group_of_its_own() -> None:
    """A Ctrl-C at our terminal does not reach the program; we end it ourselves."""
    done = run([sys.executable, "-c", "import os; print(os.getpgid(0), os.getsid(0), os.getpid())"], env=ENV)

    assert len(set(done.text.split())) == 1
    assert int(done.text.split()[0]) != os.getpgid(0)


def test_stdin_and_output_of_any_size() -> None:
    """Several megabytes go in and come out whole, bytes as they are."""
    data = bytes(range(256)) * 20_000

    done = run(["cat"], env=ENV, stdin=data)

    assert done.stdout == data
    assert len(shell("head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero").stderr) == 3_000_000


def test_missing_program() -> None:
    """A program that is not on the given PATH is named in the error."""
    with pytest.raises(ProgramMissingError, match="'no-such-program' is not on PATH"):
        run(["no-such-program"], env=ENV)
    with pytest.raises(ProgramMissingError):
        run(["env"], env={"PATH": "/nonexistent"})


def test_what_cannot_be_started(tmp_path: Path) -> None:
    """A bad directory, a NUL or a file that is no program is an error of ours, and leaks no descriptor."""
    no_program = tmp_path / "text"
    no_program.write_text("just text")
    no_program.chmod(0o755)
    run(["true"], env=ENV)
    before = open_files()

    for _ in range(5):
        with pytest.raises(ProgramError, match="is not a directory"):
            run(["true"], env=ENV, cwd=tmp_path / "missing")
        with pytest.raises(ProgramError, match="NUL"):
            run(["true", "a\0b"], env=ENV)

    assert open_files() == before
    with pytest.raises(ProgramError, match="cannot start text"):
        run([no_program], env=ENV)


def test_time_limit_ends_children_too() -> None:
    """At the time limit the program and what it started are dead; what it had said is in the error."""
    with pytest.raises(ProgramTimeoutError, match="did not end within") as caught:
        shell("sleep 1000 & echo $! >&2; wait", timeout_s=0.3)

    wait_until_gone(int(caught.value.stderr))


def test_killing_what_was_started() -> None:
    """A program that was started and is not wanted any more can be ended."""
    running = start(["sleep", "1000"], env=ENV)

    running.kill()

    assert running.wait().exit_code == -signal.SIGKILL


def test_killing_is_enough() -> None:
    """What is killed need not be waited for: its process is reaped and its files are closed; killing it again is fine."""
    run(["true"], env=ENV)
    zombies()
    before = open_files()
    running = [start(["sleep", "1000"], env=ENV), start(["true"], env=ENV)]

    for one in running * 2:
        one.kill()

    assert open_files() == before
    assert zombies() == 0


def test_answer_can_be_asked_for_again() -> None:
    """Waiting twice gives the same answer."""
    running = start(["echo", "once"], env=ENV)

    assert running.wait().stdout == running.wait().stdout == b"once\n"


def test_daemon_that_keeps_our_output_open() -> None:
    """A program that leaves a daemon behind has ended when it has ended, whatever the daemon holds open."""
    done = shell("sleep 30 & echo $!")
    daemon = int(done.text)

    assert is_running(daemon)
    os.kill(daemon, signal.SIGKILL)


def test_interrupt_ends_the_program(tmp_path: Path) -> None:
    """Ctrl-C while we wait ends the program as well."""
    script = (
        "import os; from polecat.adapters.program import run\n"
        f"run(['/bin/sh', '-c', 'echo $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 1000'], env=os.environ)"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, cwd=root) as waiting:
        until = time.monotonic() + 20
        while not (tmp_path / "pid").exists():
            assert time.monotonic() < until
            time.sleep(0.005)
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(20) != 0

    wait_until_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.slow
def test_many_at_once_leak_nothing() -> None:
    """Calls from several threads at once get their own answers, and leave neither descriptors nor zombies."""
    run(["true"], env=ENV)
    zombies()
    before = open_files()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: run(["printf", "%s", str(number)], env=ENV).text, range(80)))

    assert answers == [str(number) for number in range(80)]
    assert open_files() == before
    assert zombies() == 0
