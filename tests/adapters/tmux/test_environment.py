"""What the program of a session gets: its environment, its arguments, its directory, and nothing else."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from polecat.adapters.tmux.launch import launch_text, passed_on, write_launch_file
from polecat.errors import ProgramError, TmuxError
from polecat.ports import SessionRequest, Watch
from tests.conftest import ProgramCounts
from tests.tmux_fixtures import PrivateServer, environ_of, eventually, private_server, request, started_program

pytestmark = pytest.mark.real

TERMINAL = {b"TERM", b"TERM_PROGRAM", b"TERM_PROGRAM_VERSION", b"TMUX", b"TMUX_PANE", b"SHELL", b"PWD"}
TOLERATED = {b"SHLVL", b"_", b"COLORTERM"}  # where /bin/sh is bash, and from newer tmux
EVERY_BYTE = bytes(range(1, 256)).decode("utf-8", "surrogateescape")
HOSTILE_DIR = 'it\'s "a" $(touch pwned) `touch pwned` #{pid} #(touch pwned) #[x] %H ;\nnew\\line;'

KEEP_ARGUMENTS = """
import os, sys
with open(sys.argv[1], "wb") as file:
    file.write(b"\\0".join(map(os.fsencode, sys.argv[2:])))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    with private_server() as one:
        yield one


def _sleeper(room: Path, name: str = "one", **environment: str) -> SessionRequest:
    asked = request(room, name, "sleep", "1000")
    return evolve(asked, environment={"PATH": os.environ["PATH"], **environment})


def test_nothing_of_the_server_leaks_into_the_agent(server: PrivateServer, tmp_path: Path) -> None:
    """T-31: the agent's environment is what was asked for and the terminal's, whoever started the server."""
    server.run("new-session", "-d", "sleep 1000", env={"GT_ROLE": "mayor", "CLAUDECODE": "1", "NODE_OPTIONS": "--inspect"})

    made = server.cli().start(_sleeper(tmp_path, GT_ROLE="polecat", GT_RIG="gas", EMPTY=""))
    started_program(made, b"sleep")

    found = environ_of(made.pane_pid)
    given = {b"PATH": os.environb[b"PATH"], b"GT_ROLE": b"polecat", b"GT_RIG": b"gas", b"EMPTY": b""}
    assert {k: v for k, v in found.items() if k not in TERMINAL | TOLERATED} == given
    assert found[b"PWD"] == os.fsencode(tmp_path)
    assert found[b"TMUX_PANE"] == made.pane_id.encode()


def test_the_process_of_the_pane_is_the_agent(server: PrivateServer, tmp_path: Path) -> None:
    """No shell stays between the server and the agent."""
    made = server.cli().start(_sleeper(tmp_path))
    started_program(made, b"sleep")

    assert Path(f"/proc/{made.pane_pid}/cmdline").read_bytes() == b"sleep\x001000\x00"
    assert Path(f"/proc/{made.pane_pid}/stat").read_text().rpartition(")")[2].split()[1] == str(made.server_pid)


def test_later_windows_know_who_they_are(server: PrivateServer, tmp_path: Path) -> None:
    """The session's own environment goes to windows a person opens later; the agent's secrets do not."""
    made = server.cli().start(_sleeper(tmp_path, SECRET="hunter2"))

    pid = server.run("new-window", "-d", "-P", "-F", "#{pane_pid}", "-t", made.id, "sleep", "2000")
    eventually(lambda: b"2000" in Path(f"/proc/{pid}/cmdline").read_bytes(), "the window's program runs")

    found = environ_of(int(pid))
    assert found[b"GT_POLECAT"] == b"one"
    assert b"SECRET" not in found


def test_a_server_we_start_takes_no_identity_over(server: PrivateServer, tmp_path: Path) -> None:
    """A server started by an agent's own orchestration does not make every later window that agent."""
    environ = {**os.environ, "GT_ROLE": "mayor", "POLECAT_ID": "boss", "CLAUDECODE": "1", "TMUX_PANE": "%9"}

    server.cli(environ=environ).start(_sleeper(tmp_path))

    everywhere = server.run("show-environment", "-g")
    assert [key for key in ("GT_ROLE", "POLECAT_ID", "CLAUDECODE", "TMUX_PANE") if f"{key}=" in everywhere] == []


def test_every_byte_of_a_value_arrives(server: PrivateServer, tmp_path: Path) -> None:
    """Quotes, newlines, control characters and bytes that are no UTF-8 survive in variables."""
    values = {"BYTES": EVERY_BYTE, "QUOTES": 'it\'s "$HOME" `x` \\', "LINES_": "a\n\nb\n", "LC_ALL": "C.UTF-8"}

    made = server.cli().start(_sleeper(tmp_path, **values))
    started_program(made, b"sleep")

    found = environ_of(made.pane_pid)
    assert {key: found[key.encode()] for key in values} == {k: os.fsencode(v) for k, v in values.items()}


def test_every_argument_arrives_unchanged(server: PrivateServer, tmp_path: Path) -> None:
    """T-47: no shell, and no format of tmux's, touches an argument."""
    words = ("", "-x", "--", "a b", "it's", '"', "$HOME", "`x`", "$(touch pwned)", "#{pid}", ";", "x;", "a\nb", "❯", EVERY_BYTE)
    asked = request(tmp_path, "one", "python3", "-c", KEEP_ARGUMENTS, "kept", *words)
    tmux = server.cli()

    made = tmux.start(asked)
    (status,) = tmux.watch([Watch(pane_id=made.pane_id, instance=made.instance, patterns=("ready",))], timeout_s=10)

    assert status.matched == (True,), tmux.capture(made.pane_id)
    assert (tmp_path / "kept").read_bytes().split(b"\0") == [os.fsencode(word) for word in words]
    assert not (tmp_path / "pwned").exists()


def test_a_directory_of_any_name_is_entered(server: PrivateServer, tmp_path: Path) -> None:
    """T-47: quotes, newlines and tmux's own signs in paths are no commands."""
    room = tmp_path / HOSTILE_DIR.replace("/", "_")
    room.mkdir()

    made = server.cli().start(evolve(_sleeper(tmp_path), cwd=room, scratch_dir=room / "scratch"))
    started_program(made, b"sleep")

    assert os.readlink(f"/proc/{made.pane_pid}/cwd") == str(room)
    assert list(tmp_path.rglob("pwned")) == []


def test_a_directory_that_goes_during_the_start_is_seen(server: PrivateServer, tmp_path: Path) -> None:
    """T-38: the agent never runs in a directory it was not meant for."""
    asked = request(tmp_path / "gone", "one", "sleep", "1000")
    text = launch_text(asked, token="t")

    done = subprocess.run(["/bin/sh", "-c", text, "-"], env={"POLECAT_LAUNCH": "t"}, capture_output=True, check=False)

    assert done.returncode == 125


def test_large_prompts_and_environments_work(server: PrivateServer, tmp_path: Path) -> None:
    """T-39: a prompt of 100 KB as an argument and 30 KB of environment start like any other."""
    prompt = "do it well; " * 8500
    asked = request(tmp_path, "one", "python3", "-c", KEEP_ARGUMENTS, "kept", prompt)
    tmux = server.cli()

    made = tmux.start(evolve(asked, environment={**asked.environment, "BIG": "v" * 30_000}))
    tmux.watch([Watch(pane_id=made.pane_id, instance=made.instance, patterns=("ready",))], timeout_s=10)

    assert (tmp_path / "kept").read_bytes() == prompt.encode()
    assert len(environ_of(made.pane_pid)[b"BIG"]) == 30_000


def test_too_much_is_refused_before_anything(server: PrivateServer, tmp_path: Path) -> None:
    """T-39: what cannot be passed gives an error that says what and how much, and leaves nothing."""
    asked = _sleeper(tmp_path)

    with pytest.raises(ProgramError, match="argument 1 has 140000 bytes, more than the 131070"):
        server.cli().start(evolve(asked, argv=("sleep", "1" * 140_000)))
    with pytest.raises(ProgramError, match=r"together, more than the \d+ a program takes"):
        server.cli().start(evolve(asked, argv=("sleep", *["1" * 100_000] * 40)))
    with pytest.raises(TmuxError, match="session environment, options and on-exit command have"):
        server.cli().start(evolve(asked, session_environment={"BIG": "x" * 17_000}))

    assert not server.socket.exists()
    assert list(tmp_path.rglob("launch-*")) == []


def test_no_secret_stands_in_a_command_line(server: PrivateServer, tmp_path: Path, program_counts: ProgramCounts) -> None:
    """T-47: variables and prompts go through a private file that removes itself."""
    asked = evolve(_sleeper(tmp_path, API_KEY="hunter2"), argv=("sh", "-c", ": hunter3; exec sleep 1000"))

    made = server.cli().start(asked)
    started_program(made, b"sleep")

    assert program_counts.count("tmux") == 1
    assert [call for call in program_counts.calls("tmux") if "hunter" in call] == []
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_launch_file_is_private(tmp_path: Path) -> None:
    """Only the owner may read the file that carries the environment, and the directory it lies in."""
    path = write_launch_file(_sleeper(tmp_path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_names_no_shell_takes_are_left_out() -> None:
    """Exported functions, variables a shell owns and the terminal's own are not set."""
    odd = {
        "A-B": "1",
        "1A": "1",
        "BASH_FUNC_x%%": "() { :; }",
        "UID": "7",
        "PPID": "7",
        "OPTIND": "x",
        "LINES": "10",
        "TERM": "dumb",
    }

    assert passed_on({**odd, "OK": "1"}) == {"OK": "1"}


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_any_shell_runs_the_launch_file(shell: str, tmp_path: Path) -> None:
    """The file needs no more than a POSIX shell, and leaves no marker in what it starts."""
    program = subprocess.run(["sh", "-c", f"command -v {shell}"], capture_output=True, text=True, check=False).stdout.strip()
    if not program:
        pytest.skip(f"no {shell} here")
    asked = request(tmp_path, "one", "env", "-0")
    path = write_launch_file(evolve(asked, environment={**asked.environment, "BYTES": EVERY_BYTE, "UID": "0"}))
    path.write_bytes(path.read_bytes().replace(b"/bin/sh", b"/bin/" + shell.encode() + (b" sh" if shell == "busybox" else b"")))

    argv = [program, *(["sh"] if shell == "busybox" else []), str(path)]
    done = subprocess.run(argv, env={"GT_ROLE": "mayor", "TERM": "xterm"}, capture_output=True, check=False)

    found = dict(part.split(b"=", 1) for part in done.stdout.split(b"\0") if part)
    assert done.returncode == 0, done.stderr
    assert found[b"BYTES"] == os.fsencode(EVERY_BYTE)
    assert set(found) - TERMINAL - TOLERATED == {b"PATH", b"POLECAT_ID", b"BYTES"}
    assert not path.exists()
