"""The one door to outside programs, held to its rules with real programs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from polecat.adapters.processes import program
from polecat.adapters.processes.program import Finished, Running
from polecat.adapters.processes.start import Starter, by_sh, directly
from polecat.errors import ProgramError, ProgramMissingError, ProgramTimeoutError

pytestmark = pytest.mark.real

ENV = {"PATH": os.environ["PATH"]}
STARTERS: dict[str, Starter] = {"directly": directly, "by_sh": by_sh}


@frozen
class Door:
    """The door, with one way to start programs."""

    starter: Any

    def start(self, argv: Sequence[str | Path], **how: Any) -> Running:
        return program.start(argv, **{"env": ENV, **how}, starter=self.starter)

    def run(self, argv: Sequence[str | Path], **how: Any) -> Finished:
        return program.run(argv, **{"env": ENV, **how}, starter=self.starter)

    def shell(self, script: str, *args: str, timeout_s: float = 20.0) -> Finished:
        return self.run(["/bin/sh", "-c", script, "sh", *args], timeout_s=timeout_s)


@pytest.fixture(params=list(STARTERS))
def door(request: pytest.FixtureRequest) -> Door:
    """The door, once with each way to start programs."""
    return Door(STARTERS[request.param])


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


def test_arguments_arrive_as_they_are(door: Door) -> None:
    """Every argument is one argument: nothing is expanded, split, dropped or turned into an option."""
    words = ["a b", "*", "$(id)", "", "--", "'", '"', "new\nline", "ümlaut", ";", "~"]

    done = door.run([sys.executable, "-c", "import sys; print(ascii(sys.argv[1:]))", *words])

    assert done.text == ascii(words) + "\n"


LOCALES = {
    "UTF-8": {"LC_ALL": "C.UTF-8"},
    "none": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", STARTERS)
def test_paths_keep_their_bytes_in_every_locale(name: str, locale: str, tmp_path: Path) -> None:
    """A program and its arguments are the bytes that the disk has, whatever the caller's locale can say."""
    place = os.fsencode(tmp_path) + "/t\N{LATIN SMALL LETTER O WITH STROKE}l".encode()
    os.mkdir(place)
    tool = place + b"/say"
    with open(tool, "wb") as file:
        file.write(b"#!/bin/sh\nprintf '%s|' \"$@\"\n")
    os.chmod(tool, 0o755)
    words = [place, b"not \xff UTF-8", "ümlaut".encode()]
    code = (
        "import os, sys; from polecat.adapters.processes import program, start;"
        f"done = program.run(sys.argv[1:], env=os.environ, starter=start.{name}); sys.stdout.buffer.write(done.stdout)"
    )
    env = {**ENV, **LOCALES[locale]}

    said = subprocess.run([sys.executable, "-c", code, tool, *words], env=env, capture_output=True, check=True).stdout

    assert said == b"".join(word + b"|" for word in words)


def test_exit_status_is_a_value(door: Door) -> None:
    """A program that fails is no error; its status, output and complaint are the result."""
    done = door.shell("echo out; echo why >&2; exit 3")

    assert (done.exit_code, done.stdout, done.error_text) == (3, b"out\n", "why")


def test_end_by_a_signal_is_negative(door: Door) -> None:
    """A program that a signal ended has the signal's number, negative, as its status."""
    assert door.shell("kill -KILL $$").exit_code == -signal.SIGKILL


def test_environment_is_the_one_given(door: Door) -> None:
    """The program sees the variables it was given and none of ours."""
    done = door.run(["env"], env={**ENV, "ONLY": "1"})

    assert sorted(line.partition("=")[0] for line in done.text.splitlines()) == ["ONLY", "PATH"]


def test_working_directory(door: Door, tmp_path: Path) -> None:
    """The program runs where it was told to, and we stay where we are."""
    before = os.getcwd()

    assert door.run(["pwd"], cwd=tmp_path).text.strip() == os.path.realpath(tmp_path)
    assert os.getcwd() == before


def test_no_terminal_and_nothing_to_read(door: Door) -> None:
    """The program has no terminal to ask on and an empty stdin, so it cannot wait for a person."""
    done = door.shell(
        "test -t 0 || test -t 1 || test -t 2 || echo none; (: </dev/tty) 2>/dev/null || echo no tty; wc -c", timeout_s=5
    )

    assert done.text.split() == ["none", "no", "tty", "0"]


def test_program_has_a_group_of_its_own(door: Door) -> None:
    """A Ctrl-C at our terminal does not reach the program; we end it ourselves."""
    done = door.run([sys.executable, "-c", "import os; print(os.getpgid(0), os.getsid(0), os.getpid())"])

    assert len(set(done.text.split())) == 1
    assert int(done.text.split()[0]) != os.getpgid(0)


def test_stdin_and_output_of_any_size(door: Door) -> None:
    """Several megabytes go in and come out whole, bytes as they are."""
    data = bytes(range(256)) * 20_000

    done = door.run(["cat"], stdin=data)

    assert done.stdout == data
    assert len(door.shell("head -c 3000000 /dev/zero >&2; head -c 3000000 /dev/zero").stderr) == 3_000_000


@pytest.mark.parametrize("place", [None, Path("/")])
def test_what_we_have_open_stays_ours(door: Door, place: Path | None) -> None:
    """A file that whoever started us left open, such as a lock or the pipe of a CI job, is not held open by a tmux server for ever."""
    ours = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(ours, True)
    try:
        listed = door.run(["ls", "-l", "/proc/self/fd/"], cwd=place).text
    finally:
        os.close(ours)

    assert f" {ours} -> /dev/null" not in listed


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1 2"])
@pytest.mark.parametrize("starter", list(STARTERS))
def test_in_a_process_without_streams(closed: str, starter: str, tmp_path: Path) -> None:
    """Where the process that uses us has closed some of its streams, a program gets its own all the same."""
    script = f"""\
import os, sys
for fd in sys.argv[1].split():
    os.close(int(fd))
from polecat.adapters.processes import program, start
done = program.run(["/bin/sh", "-c", "cat; echo out; echo err >&2"], env=os.environ, stdin=b"in ", starter=start.{starter})
with open(sys.argv[2], "w") as file:
    print(done.exit_code, done.stdout, done.stderr, file=file)
"""
    subprocess.run(
        [sys.executable, "-c", script, closed, tmp_path / "said"], check=False, timeout=30, cwd=Path(__file__).parents[3]
    )

    assert (tmp_path / "said").read_text() == "0 b'in out\\n' b'err\\n'\n"


@pytest.mark.parametrize("starter", list(STARTERS))
def test_beside_a_file_beyond_our_limit(starter: str) -> None:
    """A file that we inherited under a number beyond our own limit of open files keeps no program from starting."""
    script = f"""\
import os, resource
os.dup2(os.open(os.devnull, os.O_RDONLY), 900, inheritable=True)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from polecat.adapters.processes import program, start
print(program.run(["echo", "hello"], env=os.environ, starter=start.{starter}).text)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30, cwd=Path(__file__).parents[3]
    )

    assert done.stdout.strip() == "hello", done.stderr


def test_signals_are_as_usual(door: Door) -> None:
    """The program does not inherit that Python ignores SIGPIPE: a broken pipe ends it."""
    assert door.shell("kill -PIPE $$; echo survived").exit_code == -signal.SIGPIPE


def test_relative_path_means_ours(door: Door, tmp_path: Path) -> None:
    """A relative entry of PATH is looked up from where we are, never in the directory in which the program is to run."""
    (tmp_path / "bin").mkdir()
    trap = tmp_path / "bin" / "true"
    trap.write_text("#!/bin/sh\necho trapped\n")
    trap.chmod(0o755)

    assert door.run(["true"], env={"PATH": f"bin:{os.environ['PATH']}"}, cwd=tmp_path).text == ""


def test_missing_program(door: Door) -> None:
    """A program that is not on the given PATH is named in the error."""
    with pytest.raises(ProgramMissingError, match="'no-such-program' is not on PATH"):
        door.run(["no-such-program"])
    with pytest.raises(ProgramMissingError):
        door.run(["env"], env={"PATH": "/nonexistent"})


def test_what_cannot_be_started(door: Door, tmp_path: Path) -> None:
    """A bad directory, a NUL or a file that is no program is an error of ours, and leaks no descriptor."""
    no_program = tmp_path / "text"
    no_program.write_text("just text")
    no_program.chmod(0o755)
    door.run(["true"])
    before = open_files()

    for _ in range(5):
        with pytest.raises(ProgramError, match="is not a directory"):
            door.run(["true"], cwd=tmp_path / "missing")
        with pytest.raises(ProgramError, match="NUL"):
            door.run(["true", "a\0b"])

    assert open_files() == before
    with pytest.raises(ProgramError, match="cannot start text"):
        door.run([no_program])


@pytest.mark.parametrize("name", ["A=B", "N\0L"])
def test_a_variable_that_no_process_can_be_given(name: str) -> None:
    """Such a variable is an error that says so, of the kind that every program that cannot be started gets."""
    with pytest.raises(ProgramError, match="cannot start true: "):
        program.run(["true"], env={**ENV, name: "x"}, starter=directly)


def test_time_limit_ends_children_too(door: Door) -> None:
    """At the time limit the program and what it started are dead; what it had said is in the error."""
    with pytest.raises(ProgramTimeoutError, match="did not end within") as caught:
        door.shell("sleep 1000 & echo $! >&2; wait", timeout_s=0.3)

    wait_until_gone(int(caught.value.stderr))


def test_a_program_that_cannot_end_is_not_waited_for(door: Door) -> None:
    """Whoever started it is asked while it runs for long; where he says no, it is ended with its children, and else it goes on."""
    asked: list[float] = []
    assert door.start(["sleep", "2.3"], doubt=asked.append).wait().exit_code == 0
    assert door.start(["true"], doubt=asked.append).wait().exit_code == 0

    def refuse(after_s: float) -> None:
        raise LookupError(after_s)

    running = door.start(["sleep", "1000"], timeout_s=20.0, doubt=refuse)
    with pytest.raises(LookupError):
        running.wait()

    assert asked == [2.0]
    assert running.wait().exit_code == -signal.SIGKILL


def test_killing_what_was_started(door: Door) -> None:
    """A program that was started and is not wanted any more can be ended."""
    running = door.start(["sleep", "1000"])

    running.kill()

    assert running.wait().exit_code == -signal.SIGKILL


def test_killing_is_enough(door: Door) -> None:
    """What is killed need not be waited for: its process is reaped and its files are closed; killing it again is fine."""
    door.run(["true"])
    zombies()
    before = open_files()
    running = [door.start(["sleep", "1000"]), door.start(["true"])]

    for one in running * 2:
        one.kill()

    assert open_files() == before
    assert zombies() == 0


def test_answer_can_be_asked_for_again(door: Door) -> None:
    """Waiting twice gives the same answer."""
    running = door.start(["echo", "once"])

    assert running.wait().stdout == running.wait().stdout == b"once\n"


def test_daemon_that_keeps_our_output_open(door: Door) -> None:
    """A program that leaves a daemon behind has ended when it has ended, whatever the daemon holds open."""
    done = door.shell("sleep 30 & echo $!")
    daemon = int(done.text)

    assert is_running(daemon)
    os.kill(daemon, signal.SIGKILL)


def test_interrupt_ends_the_program(door: Door, tmp_path: Path) -> None:
    """Ctrl-C while we wait ends the program as well."""
    script = (
        f"import os; from polecat.adapters.processes.program import run; from polecat.adapters.processes.start import {door.starter.__name__} as starter\n"
        f"run(['/bin/sh', '-c', 'echo $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 1000'], env=os.environ, starter=starter)"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, cwd=root) as waiting:
        until = time.monotonic() + 20
        while not (tmp_path / "pid").exists():
            assert time.monotonic() < until
            time.sleep(0.005)
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(20) != 0

    wait_until_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("when", [[1], [0, 1]], ids=["as-it-begins", "as-it-ends"])
def test_an_interrupt_between_two_handlers_leaves_both(door: Door, when: list[int]) -> None:
    """A signal whose handler is in force while the other one's is held does not leave this process deaf to the other."""
    script = f"""\
import os, signal, sys
from polecat.adapters.processes import program, start
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("ended"))
ours = {{number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}}
seen = []
def interrupt(frame, event, arg):
    if event == "c_return" and getattr(arg, "__name__", "") == "signal":
        back = [number for number in ours if signal.getsignal(number) is ours[number]]
        seen.append(len(back))
        if seen[-2:] == {when}:
            os.kill(os.getpid(), back[0])
sys.setprofile(interrupt)
try:
    program.start(["sleep", "1000"], env=os.environ, starter=start.{door.starter.__name__})
except (KeyboardInterrupt, SystemExit):
    sys.setprofile(None)
    print(all(signal.getsignal(number) is ours[number] for number in ours))
"""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, cwd=root, check=False)

    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.slow
def test_many_at_once_leak_nothing(door: Door) -> None:
    """Calls from several threads at once get their own answers, and leave neither descriptors nor zombies."""
    door.run(["true"])
    zombies()
    before = open_files()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: door.run(["printf", "%s", str(number)]).text, range(80)))

    assert answers == [str(number) for number in range(80)]
    assert open_files() == before
    assert zombies() == 0


def test_a_lost_exit_status_is_no_success(door: Door) -> None:
    """Where SIGCHLD is ignored nobody learns how a program ended: that is an error, whether it ended before or while we looked."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        for seconds in ("0", "0.2"):
            running = door.start(["/bin/sh", "-c", f"sleep {seconds}; exit 7"])
            with pytest.raises(ProgramError, match="sh ended and nobody can say how"):
                running.wait()
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_program_is_waited_for_without_a_descriptor_to_spare() -> None:
    """A system that gives no descriptor for a process, or has none left, is no reason to lose one: we look again and again."""
    script = (
        "import os, resource; from polecat.adapters.processes.program import start; from polecat.adapters.processes.start import directly\n"
        "from polecat.errors import ProgramTimeoutError\n"
        "def late(script, timeout_s):\n"
        "    running = start(['/bin/sh', '-c', script], env=os.environ, timeout_s=timeout_s, starter=directly)\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))\n"
        "    return running\n"
        "soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "print(late('sleep 0.1; exit 7', 20).wait().exit_code)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))\n"
        "try: late('sleep 1000', 0.1).wait()\n"
        "except ProgramTimeoutError as error: print(error.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[3], timeout=30, check=False
    )
    assert (done.stdout, done.stderr) == ("7\n-9\n", "")
