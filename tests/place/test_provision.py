"""Filling a worktree: what is put there, what stays untouched, and that the tree stays clean."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import evolve, field, frozen

from polecat.adapters.processes.program import Finished, run
from polecat.core.presets import PRESETS
from polecat.documents import RigSettings
from polecat.errors import PolecatError, ProgramTimeoutError
from polecat.model import Rig
from polecat.place.gas_town_files import REDIRECT, STATE_FILES
from polecat.place.provision import exclude_locally, install_agent_hooks, provision
from polecat.ports import Repo
from polecat.testing import FakeGit
from polecat.town.beads_paths import plan_redirect, resolve_beads_dir
from polecat.town.files import create_file

CLAUDE = PRESETS["claude"]


def git(*words: str, cwd: Path) -> str:
    """Run git."""
    return subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True, timeout=20).stdout


@frozen(kw_only=True)
class Place:
    """A rig with one worktree of a small project."""

    rig: Rig
    repo: Repo
    clone: Path
    ran: list[tuple[tuple[str, ...], dict[str, str], Path, float]] = field(factory=list)

    def write(self, relative: str, text: str = "x", mode: int = 0o644) -> Path:
        """Write a file of the rig."""
        path = self.rig.path / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def fill(self, **more: object) -> tuple[str, ...]:
        """Provision the worktree with a pretend way to run hooks."""

        def run_hook(argv: tuple[str, ...], /, *, env: Mapping[str, str], cwd: Path, timeout_s: float) -> Finished:
            self.ran.append((argv, dict(env), cwd, timeout_s))
            name = Path(argv[-1]).name
            if "slow" in name:
                raise ProgramTimeoutError("slow did not end within 1 s and was killed", argv=argv, stderr="half way")
            code = 3 if "bad" in name else -9 if "shot" in name else 0
            output = f"{name} says\n".encode()
            return Finished(argv=argv, exit_code=code, stdout=output, stderr=b"and grumbles\n")

        options: dict[str, object] = {
            "settings": RigSettings(),
            "agent": CLAUDE,
            "environ": os.environ,
            "run_hook": run_hook,
            "git": FakeGit(),
            "has_gt": True,
            "variables": {},
        }
        return provision(self.rig, self.clone, repo=self.repo, **{**options, **more})  # type: ignore[arg-type]

    def status(self) -> str:
        """What git says about the worktree."""
        return git("status", "--porcelain", cwd=self.clone)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A rig whose project tracks one file, and a fresh worktree of it."""
    return make_place(tmp_path, {"app.py": "1"})


def make_place(town: Path, files: Mapping[str, str], links: Mapping[str, str] | None = None) -> Place:
    """Make a rig and a worktree of a project with these files and symlinks."""
    rig = Rig(name="gas", path=town / "gas")
    source = town / "source"
    source.mkdir()
    git("init", "-q", "-b", "main", cwd=source)
    for name, text in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    for name, target in (links or {}).items():
        (source / name).symlink_to(target)
    git("add", "-A", cwd=source)
    git("commit", "-qm", "start", cwd=source)
    rig.path.mkdir()
    git("clone", "-q", "--bare", str(source), str(rig.path / ".repo.git"), cwd=town)
    clone = rig.home_dir("nux") / "gas"
    git("worktree", "add", "-q", "-b", "polecat/nux", str(clone), cwd=rig.path / ".repo.git")
    return Place(rig=rig, repo=Repo(path=rig.path / ".repo.git"), clone=clone)


# ------------------------------------------------------------------------------------------------------------ whole


@pytest.mark.real
def test_a_filled_worktree_is_clean(place: Place) -> None:
    """T-15: redirect, AGENTS.md and overlay files are there, and git calls the tree clean."""
    place.write("mayor/rig/AGENTS.md", "read me")
    place.write(".beads/config.yaml")
    place.write(".runtime/overlay/.env", "SECRET=1", mode=0o600)
    place.write(".runtime/overlay/we ird [x]*\\ ", "y")
    place.write(".runtime/overlay/folder/inside")

    warnings = place.fill()

    assert warnings == ()
    assert (place.clone / "AGENTS.md").read_text() == "read me"
    assert (place.clone / ".beads/redirect").read_text() == "../../../.beads\n"
    assert stat.S_IMODE((place.clone / ".env").stat().st_mode) == 0o600
    assert not (place.clone / "folder").exists()
    assert (place.rig.path / ".beads/PRIME.md").read_text().startswith("# Gas Town worker context")
    assert place.status() == ""


@pytest.mark.real
def test_filling_twice_changes_nothing(place: Place) -> None:
    """The second time finds everything as it should be: same files, same list of ignored files, no warnings."""
    place.write("mayor/rig/AGENTS.md")
    place.write(".beads/x")
    place.write(".runtime/overlay/.env")
    place.fill()
    before = {p: p.read_bytes() for p in place.rig.path.rglob("*") if p.is_file()}

    place.fill()

    assert {p: p.read_bytes() for p in place.rig.path.rglob("*") if p.is_file()} == before
    exclude = (place.repo.path / "info/exclude").read_text().splitlines()
    assert exclude.count("/.env") == exclude.count("/AGENTS.md") == exclude.count("/.beads/redirect") == 1


# ------------------------------------------------------------------------------------------------------ agent hooks


def test_claude_settings_are_the_references(tmp_path: Path) -> None:
    """The settings file has the exact shape, order, newline and mode; nobody talks to a polecat, so its mail comes at the start."""
    rig = Rig(name="gas", path=tmp_path / "gas")

    install_agent_hooks(rig, CLAUDE)

    path = rig.polecats_dir / ".claude" / "settings.json"
    text = path.read_text()
    document = json.loads(text)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert text == json.dumps(document, indent=2) + "\n"
    assert list(document) == ["enabledPlugins", "hooks"]
    assert document["enabledPlugins"] == {"beads@beads-marketplace": False}
    assert list(document["hooks"]) == ["SessionStart", "PreCompact", "UserPromptSubmit", "Stop"]
    commands = {event: hooks[0]["hooks"][0]["command"] for event, hooks in document["hooks"].items()}
    path_part = 'export PATH="$HOME/go/bin:$HOME/bin:$PATH" && '
    assert commands == {
        "SessionStart": path_part + "gt prime && gt mail check --inject && gt nudge deacon session-started",
        "PreCompact": path_part + "gt prime",
        "UserPromptSubmit": path_part + "gt mail check --inject",
        "Stop": path_part + "gt costs record",
    }
    assert document["hooks"]["Stop"] == [{"matcher": "", "hooks": [{"type": "command", "command": commands["Stop"]}]}]


def test_existing_hooks_are_left_alone(tmp_path: Path) -> None:
    """Whatever stands in the place of the settings, even a dangling symlink, stays."""
    rig = Rig(name="gas", path=tmp_path / "gas")
    path = rig.polecats_dir / ".claude" / "settings.json"
    path.parent.mkdir(parents=True)
    path.symlink_to("nowhere")

    install_agent_hooks(rig, CLAUDE)

    assert os.readlink(path) == "nowhere"
    assert create_file(path, b"x") is False


def test_hooks_follow_the_agent(tmp_path: Path) -> None:
    """T-34: OpenCode gets its plugin, an agent without hooks gets none."""
    rig = Rig(name="gas", path=tmp_path / "gas")

    install_agent_hooks(rig, PRESETS["codex"])
    assert not rig.polecats_dir.exists()
    install_agent_hooks(rig, PRESETS["opencode"])

    plugin = rig.polecats_dir / ".opencode" / "plugin" / "gastown.js"
    assert "session.created" in plugin.read_text()
    assert stat.S_IMODE(plugin.stat().st_mode) == 0o644


@pytest.mark.real
def test_hooks_are_installed_only_where_gt_is(place: Place) -> None:
    """The hooks call gt at every turn; where there is none they would only fail."""
    place.fill(has_gt=False)
    assert not (place.rig.polecats_dir / ".claude").exists()

    place.fill(has_gt=True)
    assert (place.rig.polecats_dir / ".claude" / "settings.json").exists()


@pytest.mark.real
def test_what_gt_writes_later_is_not_staged(place: Place) -> None:
    """Where gt is, its own state and a redirect that it adds to a worktree later stay out of ``git status`` and ``git add -A``."""
    place.fill(has_gt=True)
    for path in (*STATE_FILES, REDIRECT):
        (place.clone / path).parent.mkdir(exist_ok=True)
        (place.clone / path).write_text("x")

    assert place.status() == ""


def test_hooks_that_cannot_be_installed_are_an_error(tmp_path: Path) -> None:
    """An agent that would run without its hooks is not started."""
    rig = Rig(name="gas", path=tmp_path / "gas")
    rig.polecats_dir.mkdir(parents=True)
    (rig.polecats_dir / ".claude").write_text("in the way")

    with pytest.raises(PolecatError, match="cannot install the agent's hooks"):
        install_agent_hooks(rig, CLAUDE)


# ------------------------------------------------------------------------------------------------------------ beads


@pytest.mark.parametrize(
    ("files", "stands_at", "text"),
    [
        ({"gas/.beads/x": ""}, "gas/polecats/nux/gas", "../../../.beads"),
        ({"gas/.beads/x": ""}, "gas/crew/max", "../../.beads"),
        ({"gas/.beads/redirect": "mayor/rig/.beads\n"}, "gas/polecats/nux/gas", "../../../mayor/rig/.beads"),
        ({"gas/.beads/redirect": "  \n"}, "gas/polecats/nux", "../../.beads"),
        ({"gas/mayor/rig/.beads/x": ""}, "gas/polecats/nux/gas", "../../../mayor/rig/.beads"),
        ({}, "gas/polecats/nux/gas", None),
    ],
)
def test_redirects_are_the_references(tmp_path: Path, files: dict[str, str], stands_at: str, text: str | None) -> None:
    """The redirect leads from any depth to the rig's beads, or to the mayor's; a rig without beads needs none."""
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)

    redirect = plan_redirect(tmp_path, tmp_path / "gas", tmp_path / stands_at)

    assert (redirect.text if redirect else None) == text
    assert bool(redirect and redirect.warning) == ("gas/mayor/rig/.beads/x" in files)


@pytest.mark.parametrize(("place_of", "says"), [("gas", "is no worktree"), ("gas/mayor/rig", "canonical"), ("..", "is no")])
def test_only_worktrees_are_redirected(tmp_path: Path, place_of: str, says: str) -> None:
    """The rig's root, the mayor's clone and places outside the town are never redirected."""
    (tmp_path / "gas/.beads").mkdir(parents=True)

    with pytest.raises(PolecatError, match=says):
        plan_redirect(tmp_path, tmp_path / "gas", tmp_path / place_of)


@pytest.mark.parametrize(
    ("redirects", "expected"),
    [
        ({}, "w/.beads"),
        ({"w": "  \n"}, "w/.beads"),
        ({"w": "../a/.beads"}, "a/.beads"),
        ({"w": ".beads"}, "w/.beads"),
        ({"w": "../a/.beads", "a": ".beads"}, "a/.beads"),
        ({"w": "../a/.beads", "a": "../b/.beads"}, "b/.beads"),
        ({"w": "../a/.beads", "a": "../b/.beads", "b": "../c/.beads", "c": "../d/.beads", "d": "../e/.beads"}, "d/.beads"),
        ({"w": "../a/.beads", "a": "../w/.beads"}, "w/.beads"),
        ({"w": "/abs/.beads"}, "w/abs/.beads"),
    ],
)
def test_redirects_are_followed_as_the_reference_does(tmp_path: Path, redirects: dict[str, str], expected: str) -> None:
    """T-32: absent, blank, self, chains, circles and absolute texts lead where Gas Town is led; nothing is changed."""
    for name, text in redirects.items():
        (tmp_path / name / ".beads").mkdir(parents=True)
        (tmp_path / name / ".beads/redirect").write_text(text)

    assert resolve_beads_dir(tmp_path / "w", tmp_path) == tmp_path / expected
    assert all((tmp_path / name / ".beads/redirect").read_text() == text for name, text in redirects.items())


@pytest.mark.real
def test_tracked_beads_are_kept(tmp_path: Path) -> None:
    """Files of the project below .beads are never deleted: the tree stays clean."""
    place = make_place(tmp_path, {".beads/issues.jsonl": "{}", ".beads/metadata.json": "{}", ".beads/config.yaml": "x"})
    place.write(".beads/redirect", "mayor/rig/.beads\n")

    assert place.fill() == ()

    assert (place.clone / ".beads/issues.jsonl").read_text() == "{}"
    assert (place.clone / ".beads/redirect").read_text() == "../../../mayor/rig/.beads\n"
    assert place.status() == ""


@pytest.mark.real
def test_a_tracked_redirect_is_replaced_and_told(tmp_path: Path) -> None:
    """A redirect that came with the project would lead elsewhere: it is replaced, and the result says so."""
    place = make_place(tmp_path, {".beads/redirect": "elsewhere\n"})
    place.write(".beads/x")

    warnings = place.fill()

    assert (place.clone / ".beads/redirect").read_text() == "../../../.beads\n"
    assert [w for w in warnings if "tracks .beads/redirect" in w]


@pytest.mark.real
@pytest.mark.parametrize("target", ["../../../../outside", "app.py"])
def test_a_worktree_that_cannot_be_redirected_to_its_beads_is_an_error(tmp_path: Path, target: str) -> None:
    """Where the project's .beads is a symlink nothing is written through it, and the worktree is not handed out."""
    place = make_place(tmp_path, {"app.py": "1"}, links={".beads": target})
    place.write(".beads/x")
    outside = tmp_path / "outside"
    outside.mkdir()

    with pytest.raises(PolecatError, match="cannot be redirected to the rig's beads"):
        place.fill()

    assert list(outside.iterdir()) == []


@pytest.mark.real
def test_a_rig_without_beads_gets_none(place: Place) -> None:
    """Where nobody uses beads nothing about beads is written."""
    assert place.fill() == ()

    assert not (place.clone / ".beads").exists()
    assert not (place.rig.path / ".beads").exists()


@pytest.mark.real
def test_prime_is_kept_and_found_through_the_redirect(tmp_path: Path) -> None:
    """PRIME.md goes where the redirects lead, also for a worktree made aside; one that is there stays."""
    place = make_place(tmp_path, {"app.py": "1"})
    place.write(".beads/redirect", "mayor/rig/.beads")
    place.write("mayor/rig/.beads/x")

    place.fill(stands_at=place.rig.path / "polecats" / "slit" / "gas")
    prime = place.rig.path / "mayor/rig/.beads/PRIME.md"
    assert prime.exists()

    prime.write_text("mine")
    place.fill()
    assert prime.read_text() == "mine"


@pytest.mark.real
def test_the_mayors_beads_are_used_where_the_rig_has_none(place: Place) -> None:
    """Without beads of its own the rig's worktrees are redirected to the mayor's, with a warning, and none are made beside them."""
    place.write("mayor/rig/.beads/x")

    warnings = place.fill(stands_at=place.rig.path / "polecats" / "slit" / "gas")

    assert len(warnings) == 1 and "the mayor's beads are used" in warnings[0]
    assert (place.rig.path / "mayor/rig/.beads/PRIME.md").exists()
    assert not (place.rig.path / ".beads").exists()


# ---------------------------------------------------------------------------------------- instructions and overlay


@pytest.mark.real
def test_the_projects_own_instructions_stay(tmp_path: Path) -> None:
    """AGENTS.md of the project is not replaced, not even a symlink that leads nowhere."""
    place = make_place(tmp_path, {"CLAUDE.md": "c"}, links={"AGENTS.md": "nowhere.md"})
    place.write("mayor/rig/AGENTS.md", "other")

    assert place.fill() == ()

    assert os.readlink(place.clone / "AGENTS.md") == "nowhere.md"
    assert not (place.clone / "nowhere.md").exists()


@pytest.mark.real
def test_overlay_files_replace_but_never_follow_links(tmp_path: Path) -> None:
    """A file of the project is overwritten and told, keeping its mode; a symlink, a pipe or a directory is a warning."""
    place = make_place(tmp_path, {"run.sh": "old", "dir/x": "1"}, links={"link": "../../../../outside.txt"})
    (tmp_path / "outside.txt").write_text("precious")
    place.write(".runtime/overlay/run.sh", "new, and longer", mode=0o755)
    place.write(".runtime/overlay/link", "evil")
    place.write(".runtime/overlay/dir")
    place.write(".runtime/overlay/zz", "fine")
    os.mkfifo(place.rig.runtime_dir / "overlay/pipe")
    (place.rig.runtime_dir / "overlay/absent").symlink_to("gone")

    warnings = place.fill()

    assert (place.clone / "run.sh").read_text() == "new, and longer"
    assert stat.S_IMODE((place.clone / "run.sh").stat().st_mode) & 0o111 == 0
    assert (tmp_path / "outside.txt").read_text() == "precious"
    assert (place.clone / "zz").read_text() == "fine"
    told = {name for name in ("run.sh", "link", "dir", "pipe", "absent") if [w for w in warnings if repr(name) in w]}
    assert told == {"run.sh", "link", "dir", "pipe", "absent"}
    assert len(warnings) == 5


@pytest.mark.real
def test_an_overlay_that_is_no_directory_is_a_warning(place: Place) -> None:
    """What should be a directory and cannot be read is told, and the spawn goes on."""
    place.write(".runtime/overlay")
    place.write(".runtime/setup-hooks")

    warnings = place.fill()

    assert [w.split(" cannot")[0] for w in warnings] == ["the overlay", "the set-up hooks"]


def test_local_ignores_are_appended_once(tmp_path: Path) -> None:
    """The list keeps what is there, gets a missing newline, and is made when absent; odd names are escaped or left out."""
    repo = Repo(path=tmp_path)
    exclude_locally(repo, ["a"])
    (tmp_path / "info/exclude").write_text("# mine\n*.log")

    exclude_locally(repo, ["a", "b*", "a", "c\nd", "e  "])
    exclude_locally(repo, ["b*"])
    exclude_locally(repo, [])

    assert (tmp_path / "info/exclude").read_text() == "# mine\n*.log\n/a\n/b\\*\n/e\\ \\ \n"


@pytest.mark.real
def test_a_list_of_ignored_files_that_cannot_be_written_is_a_warning(place: Place) -> None:
    """Noise in git status is no reason not to work."""
    place.write(".beads/x")
    for path in (place.repo.path / "info").iterdir():
        path.unlink()
    (place.repo.path / "info").rmdir()
    (place.repo.path / "info").write_text("in the way")

    warnings = place.fill()

    assert len(warnings) == 1 and "shows up in git status" in warnings[0]


# ------------------------------------------------------------------------------------------------------ set-up hooks


@pytest.mark.real
def test_setup_hooks_run_in_order_with_their_environment(place: Place) -> None:
    """Executables run by the bytes of their names, in the worktree, told where they are and nothing of who the caller is."""
    for name in ("Z", "a", "é", "10", "9"):
        place.write(f".runtime/setup-hooks/{name}", "#!/bin/sh\n", mode=0o755)
    place.write(".runtime/setup-hooks/plain", mode=0o644)
    (place.rig.runtime_dir / "setup-hooks/folder").mkdir()

    warnings = place.fill(
        environ={"PATH": "/bin", "GT_ROLE": "mayor", "GIT_DIR": "/x"}, settings=RigSettings(setup_hook_timeout_s=7)
    )

    assert [Path(argv[-1]).name for argv, _, _, _ in place.ran] == ["10", "9", "Z", "a", "é"]
    _, env, cwd, timeout_s = place.ran[0]
    assert (cwd, timeout_s) == (place.clone, 7)
    assert env == {
        "PATH": "/bin",
        "GT_ROOT": str(place.rig.town_root),
        "GT_RIG": "gas",
        "GT_WORKTREE_PATH": str(place.clone),
        "GT_RIG_PATH": str(place.rig.path),
    }
    assert warnings == ("set-up hook 'plain' was not run: it is not executable",)


@pytest.mark.real
def test_failing_hooks_are_warnings_and_the_rest_runs(place: Place) -> None:
    """A status, a signal or a passed time limit is told with the place of the output; the next hooks run."""
    for name in ("1-bad", "2-slow", "3-shot", "4-good"):
        place.write(f".runtime/setup-hooks/{name}", "#!/bin/sh\n", mode=0o755)

    warnings = place.fill()

    log = place.rig.runtime_dir / "logs" / "setup-nux.log"
    assert warnings == (
        f"set-up hook '1-bad' ended with status 3; its output is in {log}",
        f"set-up hook '2-slow' did not end within {RigSettings().setup_hook_timeout_s:g} s and was killed; its output is in {log}",
        f"set-up hook '3-shot' was ended by signal 9; its output is in {log}",
    )
    assert "== 1-bad\n1-bad says\nand grumbles\n" in log.read_text()
    assert "half way" in log.read_text()
    assert "4-good says" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.real
def test_a_hanging_hook_is_ended_with_its_children(place: Place) -> None:
    """T-50: a hook that hangs, and what it started, are gone at the time limit, and the spawn goes on."""
    pids = place.rig.path / "pids"
    hook = f"#!/bin/sh\necho starting\necho more >&2\nsleep 300 & echo $$ $! > '{pids}'\nwait\n"
    place.write(".runtime/setup-hooks/hang", hook, mode=0o755)
    place.write(".runtime/setup-hooks/then", "#!/bin/sh\npwd > done.txt\n", mode=0o755)

    warnings = place.fill(settings=RigSettings(setup_hook_timeout_s=0.5), run_hook=run)

    assert len(warnings) == 1 and "did not end within 0.5 s" in warnings[0]
    log = (place.rig.runtime_dir / "logs" / "setup-nux.log").read_text()
    assert log.startswith("== hang\nstarting\nmore\n-- did not end within 0.5 s")
    assert (place.clone / "done.txt").read_text() == f"{place.clone}\n"
    deadline = time.monotonic() + 10
    alive = [int(pid) for pid in pids.read_text().split()]
    while alive:
        alive = [pid for pid in alive if is_running(pid)]
        assert time.monotonic() < deadline, alive


def is_running(pid: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_without_hooks_there_is_no_log(tmp_path: Path) -> None:
    """A rig without set-up hooks gets no log file and no processes."""
    rig = Rig(name="gas", path=tmp_path / "gas")
    clone = rig.home_dir("nux") / "gas"
    clone.mkdir(parents=True)

    provision(
        rig,
        clone,
        repo=Repo(path=tmp_path / "r"),
        settings=RigSettings(),
        agent=evolve(CLAUDE, hooks=PRESETS["amp"].hooks),
        environ={},
        git=FakeGit(),
        has_gt=True,
        variables={},
    )

    assert not rig.runtime_dir.exists()
    assert list(clone.iterdir()) == []
