"""What every test stands on: a pinned environment, and a guard that keeps the suite off the user's tmux server.

- HOME is a fresh directory, git has a fixed identity and reads nobody's configuration.
- ``TMUX_TMPDIR`` is private and short, so even the *default* tmux server is ours.
- A ``tmux`` shim stands first on PATH. It refuses a call that would reach a server outside that directory or without a socket of
  its own, adds ``-f /dev/null``, and notes the sockets it saw; at the end every server behind them is ended.
- A test whose calls were refused fails, even if the code under test swallowed the refusal.
- What the tests start can be interrupted, also when the suite itself cannot, because a shell started it in the background.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from attrs import frozen

from tests.spawn_fixtures import RECORD, HandTown, hand_town, make_template

_FOREIGN = ("GIT_", "GT_", "BD_", "BEADS_", "CLAUDE", "POLECAT_", "XDG_", "TMUX", "NO_COLOR", "FORCE_COLOR", "CLICOLOR")

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Test Author",
    "GIT_AUTHOR_EMAIL": "author@example.invalid",
    "GIT_COMMITTER_NAME": "Test Committer",
    "GIT_COMMITTER_EMAIL": "committer@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
}

# POSIX sh, because it starts in a millisecond. `$1` is looked at only while it is an option of tmux itself.
_TMUX_SHIM = r"""#!/bin/sh
socket= config= n=0
for word; do
  n=$((n + 1))
  case ${want-} in
    L) socket="L:$word"; want=; continue ;;
    S) socket="S:$word"; want=; continue ;;
    f) config=yes; want=; continue ;;
    skip) want=; continue ;;
  esac
  case $word in
    -L) want=L ;; -S) want=S ;; -f) want=f ;; -c | -T) want=skip ;;
    -L*) socket="L:${word#-L}" ;; -S*) socket="S:${word#-S}" ;; -f*) config=yes ;;
    -V) exec @REAL@ -V ;;
    -*) ;;
    *) break ;;
  esac
done
case $socket in
  S:*/tmux-*/default) case $socket in S:@PRIVATE@/*) ok=1 ;; esac ;;
  S:*) ok=1; printf '%s\n' "${socket#S:}" >>@SOCKETS@ ;;
  L:*) test "${TMUX_TMPDIR-}" = @PRIVATE@ && ok=1 ;;
  *) test "${TMUX_TMPDIR-}" = @PRIVATE@ && ok=1 ;;
esac
if test -z "${ok-}"; then
  printf '%s\n' "tmux $*" >>@REFUSED@
  echo "guard: refused, would reach a tmux server that is not the test's: tmux $*" >&2
  exit 97
fi
test -n "$config" && exec @REAL@ "$@"
exec @REAL@ -f /dev/null "$@"
"""


# a machine that is busy makes no test fail
hypothesis.settings.register_profile("polecat", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("polecat")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what the long suites understand."""
    parser.addoption(
        "--whole", action="store_true", help="try every point of the crash and fault matrices, and every round of the races"
    )
    parser.addoption(
        "--load-s", type=float, default=0.0, help="for how many seconds the load test makes rounds; one round by default"
    )


@frozen(kw_only=True)
class TmuxGuard:
    """The shim between the suite and tmux.

    Attributes:
        shim_dir: directory with the ``tmux`` shim; first on PATH.
        tmux_dir: the private ``TMUX_TMPDIR``.
        real: the real tmux; empty when there is none.
    """

    shim_dir: Path
    tmux_dir: Path
    real: str

    @property
    def _refused_file(self) -> Path:
        return self.shim_dir / "refused"

    @property
    def _sockets_file(self) -> Path:
        return self.shim_dir / "sockets"

    def install(self) -> None:
        """Write the shim."""
        words = {
            "REAL": self.real,
            "PRIVATE": str(self.tmux_dir),
            "SOCKETS": str(self._sockets_file),
            "REFUSED": str(self._refused_file),
        }
        text = _TMUX_SHIM
        for word, value in words.items():
            text = text.replace(f"@{word}@", shlex.quote(value))
        (self.shim_dir / "tmux").write_text(text)
        (self.shim_dir / "tmux").chmod(0o755)

    def take_refused(self) -> list[str]:
        """Return the calls that were refused since the last time, and forget them."""
        try:
            lines = self._refused_file.read_text().splitlines()
        except FileNotFoundError:
            return []
        self._refused_file.unlink()
        return lines

    def end_servers(self) -> None:
        """End every server of the suite that still runs, each by its own socket."""
        sockets = {str(path) for path in self.tmux_dir.glob("tmux-*/*")}
        with contextlib.suppress(FileNotFoundError):
            sockets.update(self._sockets_file.read_text().splitlines())
        for socket in sorted(sockets):
            if os.path.exists(socket):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    subprocess.run([self.real, "-S", socket, "kill-server"], check=False, capture_output=True, timeout=5)


_LEFT_RUNNING: list[str] = []


def _end_leavings(places: tuple[str, ...]) -> list[str]:
    """End what the tests left running: whoever has a directory of this run in its environment or as its working directory."""
    inside = re.compile("|".join(f"{re.escape(place)}(?![0-9A-Za-z_-])" for place in places).encode())
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        try:
            traces = os.fsencode(os.readlink(process / "cwd")) + b"\0" + (process / "environ").read_bytes()
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:  # gone, or somebody else's
            continue
        if pid == os.getpid() or not inside.search(traces):
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            found.append(f"{pid} {words}")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what the tests had left running; it is ended, but a test that does so should be mended."""
    for line in _LEFT_RUNNING:
        terminalreporter.write_line(f"left running, ended: {line}", yellow=True)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> Iterator[None]:
    """Let the programs that tests start be interrupted and hung up on.

    What a shell starts in the background ignores SIGINT, what ``nohup`` starts SIGHUP, and so does everything that is started from
    there: an ignored signal stays ignored across an exec. One that has a handler is at its default in the new program.
    """
    usual: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    ignored = [number for number in usual if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, usual[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def tmux_guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TmuxGuard]:
    """Pin the environment for the whole run and put the shim first on PATH."""
    base = Path(tempfile.mkdtemp(prefix="pc-", dir="/tmp"))  # short: a socket's path has at most 107 bytes
    guard = TmuxGuard(shim_dir=base / "bin", tmux_dir=base / "t", real=shutil.which("tmux") or "")
    guard.shim_dir.mkdir()
    guard.tmux_dir.mkdir(mode=0o700)
    (base / "home").mkdir()
    if guard.real:
        guard.install()
    with pytest.MonkeyPatch.context() as patch:
        for key in [k for k in os.environ if k.startswith(_FOREIGN)]:
            patch.delenv(key)
        for key, value in _IDENTITY.items():
            patch.setenv(key, value)
        patch.setenv("HOME", str(base / "home"))
        patch.setenv("TMUX_TMPDIR", str(guard.tmux_dir))
        patch.setenv("PATH", str(guard.shim_dir), prepend=os.pathsep)
        yield guard
    if guard.real:
        guard.end_servers()
    _LEFT_RUNNING.extend(_end_leavings((str(base), str(tmp_path_factory.getbasetemp()))))
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(autouse=True)
def home(tmux_guard: TmuxGuard, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give each test an empty HOME of its own; fail it if the guard had to refuse a tmux call."""
    directory = Path(tempfile.mkdtemp(prefix="home-", dir=tmux_guard.shim_dir.parent))
    monkeypatch.setenv("HOME", str(directory))
    tmux_guard.take_refused()
    yield directory
    shutil.rmtree(directory, ignore_errors=True)
    refused = tmux_guard.take_refused()
    if refused:
        pytest.fail(f"tmux was called without the test's own server: {refused}", pytrace=False)


@frozen(kw_only=True)
class ProgramCounts:
    """How often programs were started since the test began, counted by shims that every caller passes."""

    log: Path

    def calls(self, program: str) -> list[str]:
        """Return the arguments of each call of *program*, in order."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(errors="surrogateescape").splitlines()
        return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == program]

    def count(self, program: str) -> int:
        """Say how often *program* was started."""
        return len(self.calls(program))

    def reset(self) -> None:
        """Begin at zero again."""
        self.log.unlink(missing_ok=True)


@pytest.fixture
def program_counts(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> ProgramCounts:
    """Count starts of git and tmux from now on, by whichever PATH this process hands on."""
    directory = tmp_path_factory.mktemp("counted")
    counts = ProgramCounts(log=directory / "calls")
    for program in ("git", "tmux"):
        real = shutil.which(program)
        if real is None:
            continue
        shim = directory / program
        shim.write_text(
            "#!/bin/sh\n"
            f"printf '%s\\n' \"{program} $(printf '%s ' \"$@\" | tr '\\n' ' ')\" >>{shlex.quote(str(counts.log))}\n"
            f'exec {shlex.quote(real)} "$@"\n'
        )
        shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)
    return counts


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, tmux_guard: object) -> Path:
    """An origin and a clone of it, to be copied."""
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def bare_town(tmp_path: Path, template: Path) -> Iterator[HandTown]:
    """A town without an agent of its own."""
    with hand_town(tmp_path, template) as town:
        yield town


@pytest.fixture
def town(bare_town: HandTown) -> HandTown:
    """A town whose agent is ready at once and records what is typed."""
    bare_town.agent("recorder", RECORD)
    return bare_town
