"""Worktrees of real repositories: made beside others, broken half-way, taken away."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from polecat.adapters.git.cli import GitCli
from polecat.adapters.git.remote import REFSPEC
from polecat.adapters.git.run import GitProgram
from polecat.errors import GitError, PolecatError, ProgramTimeoutError
from polecat.ports import Repo
from polecat.town.locks import holding
from tests.conftest import ProgramCounts
from tests.git_fixtures import GitRig, commit, git, make_git_rig, make_origin, write

pytestmark = pytest.mark.real


@pytest.fixture
def rig(tmp_path: Path) -> GitRig:
    return make_git_rig(tmp_path)


def _with_git(folder: Path, script: str) -> GitCli:
    """A git adapter whose git is a script; ``$REAL`` in it is the real one."""
    folder.mkdir()
    real = shutil.which("git")
    (folder / "git").write_text(f"#!/bin/sh\nREAL={real}\n{script}\n")
    (folder / "git").chmod(0o755)
    return GitCli(environ={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, timeout_s=20)


def test_sixteen_parallel_adds(rig: GitRig, tmp_path: Path) -> None:
    """T-12: 16 adds under the lock, beside a foreign add loop and a fetch loop: none fails, nothing extra is left."""
    stop = threading.Event()
    foreign: list[str] = []

    def add_and_fetch() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            path = tmp_path / f"foreign{number}"
            git("worktree", "add", "-q", "--no-checkout", "--detach", path, "main", cwd=rig.repo.path, code=None)
            git("fetch", "-q", "--no-prune", "--refmap=", "origin", REFSPEC, cwd=rig.repo.path, code=None)
            foreign.append(path.name)

    def add(number: int) -> str | None:
        with holding(tmp_path / "lock", what="add"):
            made = rig.add(f"p{number}", fill=False)
        rig.git.check_out(made)
        return made.branch

    thread = threading.Thread(target=add_and_fetch)
    thread.start()
    try:
        with ThreadPoolExecutor(16) as pool:
            branches = set(pool.map(add, range(16)))
    finally:
        stop.set()
        thread.join()

    assert set(rig.git.branches(rig.repo, "polecat/")) == branches == {f"polecat/p{n}" for n in range(16)}
    for number in range(16):
        path = rig.root / "polecats" / f"p{number}"
        assert git("status", "--porcelain", "--branch", cwd=path) == f"## polecat/p{number}...origin/main"
    assert git("fsck", "--connectivity-only", cwd=rig.repo.path, code=None) is not None


def test_broken_git_file_never_reaches_the_town(tmp_path: Path) -> None:
    """T-18: the town is a repository and a polecat's ``.git`` is broken: nothing we do touches the town's repository."""
    rig = make_git_rig(tmp_path / "town")
    town = tmp_path / "town"
    git("init", "-q", cwd=town)
    write(town, {".gitignore": "/rig/.repo.git/\n", "notes": "the town's own"})
    git("add", ".gitignore", "notes", cwd=town)
    git("commit", "-q", "-m", "town", cwd=town)
    made, broken = rig.add("nux"), rig.add("ace")
    (broken.path / ".git").unlink()
    write(town, {"notes": "changed"})
    index = (town / ".git/index").read_bytes()
    state = git("status", "--porcelain", cwd=town)

    assert rig.git.find_worktree(rig.repo, broken.path) is None
    for act in (
        lambda: rig.git.facts(rig.repo, broken),
        lambda: rig.git.drop_worktree(rig.repo, broken, into=rig.trash()),
        lambda: rig.git.delete_branch(rig.repo, "polecat/ace", expected=rig.start),
    ):
        with pytest.raises(GitError):
            act()
    rig.git.check_out(broken)  # told where its registration is, git does not look for it
    (made.path / ".git").write_text("gitdir: /nowhere\n")
    with pytest.raises(GitError):
        rig.git.facts(rig.repo, made)

    assert (town / ".git/index").read_bytes() == index
    assert git("status", "--porcelain", cwd=town) == state
    assert (town / "notes").read_text() == "changed"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param('case "$*" in *"worktree add"*) "$REAL" "$@"; exit 3 ;; esac; exec "$REAL" "$@"', id="done-but-says-no"),
        pytest.param(
            'case "$*" in *"worktree add"*) "$REAL" "$@"; echo "fatal: failed to read /x/worktrees/y/commondir: Success" >&2; exit 128 ;;'
            ' esac; exec "$REAL" "$@"',
            id="transient-every-time",
        ),
        pytest.param(
            'case "$*" in *"worktree add"*) for last; do :; done; "$REAL" --git-dir="$GD" update-ref refs/heads/polecat/nux "$last";'
            ' echo "fatal: no" >&2; exit 128 ;; esac; exec "$REAL" "$@"',
            id="branch-left",
        ),
        pytest.param(
            'case "$*" in *"worktree add"*) mkdir -p "$GD/worktrees/nux"; printf initializing >"$GD/worktrees/nux/locked"; kill -9 $$ ;;'
            ' esac; exec "$REAL" "$@"',
            id="killed-early",
        ),
        pytest.param('case "$*" in *"worktree add"*) "$REAL" "$@" ; sleep 30 ;; esac; exec "$REAL" "$@"', id="hangs"),
    ],
)
def test_whatever_a_failed_add_leaves_is_cleared(rig: GitRig, tmp_path: Path, script: str) -> None:
    """A git that fails, dies or hangs in the middle of an add leaves the repository as it was."""
    rig.add("other")
    before = rig.snapshot()
    broken = _with_git(tmp_path / "bin", f"GD={rig.repo.path}\n{script}")
    if "sleep" in script:
        broken = GitCli(environ={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}, timeout_s=1)

    with pytest.raises((GitError, ProgramTimeoutError)):
        broken.add_worktree(rig.repo, rig.root / "polecats/nux", branch="polecat/nux", start=rig.start, upstream=None)

    assert rig.snapshot() == before
    rig.add("nux")


def test_a_transient_failure_is_tried_again(rig: GitRig, tmp_path: Path) -> None:
    """An add that stumbled over a neighbour's once succeeds in the second try."""
    script = (
        f'case "$*" in *"worktree add"*) if mkdir {tmp_path}/once 2>/dev/null; then "$REAL" "$@";'
        ' echo "error: could not lock config file /x/config: File exists" >&2; exit 255; fi ;; esac; exec "$REAL" "$@"'
    )
    once = _with_git(tmp_path / "bin", script)
    made = once.add_worktree(rig.repo, rig.root / "polecats/nux", branch="polecat/nux", start=rig.start, upstream=None)
    assert rig.git.find_worktree(rig.repo, made.path) == made


def test_locked_config_undoes_the_add(rig: GitRig) -> None:
    """When the upstream cannot be written, the worktree is taken back."""
    before = rig.snapshot()
    (rig.repo.path / "config.lock").write_text("")
    with pytest.raises(GitError, match="config"):
        GitCli(lock_patience_s=0.05).add_worktree(
            rig.repo, rig.root / "polecats/nux", branch="b", start=rig.start, upstream="main"
        )
    (rig.repo.path / "config.lock").unlink()
    assert rig.snapshot() == before


def test_environment_does_not_bend_git(rig: GitRig, tmp_path: Path) -> None:
    """Variables of a caller inside another repository, and its hooks, do not reach our git (T-32)."""
    other = make_origin(tmp_path / "other")
    write(rig.repo.path, {"hooks/post-checkout": f"#!/bin/sh\ntouch {tmp_path}/hooked\n"})
    (rig.repo.path / "hooks/post-checkout").chmod(0o755)
    bent = {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "status.showUntrackedFiles",
        "GIT_CONFIG_VALUE_0": "no",
        "GIT_TRACE": "1",
    }
    caller = GitCli(environ={**os.environ, **bent})
    made = caller.add_worktree(rig.repo, rig.root / "polecats/nux", branch="polecat/nux", start=rig.start, upstream="main")
    caller.check_out(made)
    assert caller.facts(rig.repo, made).is_clean
    write(made.path, {"new": "x"})
    assert caller.facts(rig.repo, made).untracked == ("new",)
    assert git("status", "--porcelain", cwd=made.path) == "?? new"
    assert git("branch", "--list", cwd=other) == "* main"
    assert not (tmp_path / "hooked").exists()
    assert not (tmp_path / "index").exists()


def test_users_sparse_checkout_does_not_hide_files(rig: GitRig) -> None:
    """A repository whose shared configuration switched sparse checkout on still gives whole worktrees."""
    git("config", "core.sparseCheckout", "true", cwd=rig.repo.path)
    write(rig.repo.path, {"info/sparse-checkout": "/*\n!/CLAUDE.md\n"})
    made = rig.add("nux")
    assert (made.path / "CLAUDE.md").is_file()
    assert rig.git.facts(rig.repo, made).is_clean


def test_leaving_out_does_not_touch_the_shared_configuration(rig: GitRig) -> None:
    """A path left out of one worktree is there in the next, and files we put in its place are no change."""
    before = (rig.repo.path / "config").read_text()
    made = rig.add("nux", fill=False)
    assert (rig.repo.path / "config").read_text() != before
    rig.git.check_out(made, leave_out=["CLAUDE.md", "/src"])
    assert sorted(os.listdir(made.path)) == [".git", "README.md"]
    assert git("status", "--porcelain", cwd=made.path) == ""
    assert "sparse" not in (rig.repo.path / "config").read_text()
    assert (rig.add("ace").path / "CLAUDE.md").is_file()
    write(made.path, {"CLAUDE.md": "ours"})
    assert git("status", "--porcelain", cwd=made.path) == ""


def test_check_out_that_fails_says_so(rig: GitRig) -> None:
    """A required filter that is missing fails the check-out with git's reason."""
    write(rig.origin, {".gitattributes": "*.bin filter=gone\n", "a.bin": "x"})
    git("config", "filter.gone.required", "true", cwd=rig.repo.path)
    git("config", "filter.gone.smudge", "false", cwd=rig.repo.path)
    commit(rig.origin)
    rig.fetch()
    made = rig.add("nux", fill=False)
    with pytest.raises(GitError, match="filter"):
        rig.git.check_out(made)


def test_half_made_registrations_become_stale_with_age(rig: GitRig) -> None:
    """A registration somebody may be making is left alone for ten minutes, then it is stale."""
    admin = rig.repo.path / "worktrees" / "dead"
    write(admin, {"locked": "initializing", "gitdir": f"{rig.root}/polecats/dead/.git\n"})
    assert rig.git.stale_registrations(rig.repo) == ()
    old = time.time() - 700
    for path in (*admin.iterdir(), admin):
        os.utime(path, (old, old))
    (stale,) = rig.git.stale_registrations(rig.repo)
    assert stale.reason == "it was never finished"
    assert rig.git.drop_stale(rig.repo, stale, into=rig.trash())


def test_a_commit_that_only_a_deleted_worktree_held_is_kept(rig: GitRig) -> None:
    """Somebody deleted a worktree without a branch: its commit gets a rescue before its registration goes; one on a branch needs none."""
    detached, plain = rig.add("nux"), rig.add("ace")
    git("checkout", "-q", "--detach", cwd=detached.path)
    lost = commit(detached.path, {"only.txt": "here"})
    commit(plain.path, {"b": "on a branch"})
    for made in (detached, plain):
        shutil.rmtree(made.path)

    for number, stale in enumerate(rig.git.stale_registrations(rig.repo)):
        rig.git.drop_stale(rig.repo, stale, into=rig.root / f"trash-{number}")

    [rescue] = rig.git.rescues(rig.repo)
    assert rescue.commit == lost
    assert rig.git.stale_registrations(rig.repo) == ()


def test_a_worktree_whose_home_was_renamed_is_not_gone(rig: GitRig) -> None:
    """Somebody renamed the directory that a worktree is in: its own file still names its registration, which is no leftover."""
    place = rig.root / "work" / "nux" / "rig"
    git("worktree", "add", "-q", "--detach", str(place), rig.start, cwd=rig.repo.path)
    shutil.copytree(place, rig.root / "work" / "other" / "rig", ignore=lambda *_: [".git"])
    new = place.parent.rename(place.parent.with_name("[new] name"))

    assert rig.git.stale_registrations(rig.repo) == ()

    shutil.rmtree(new)
    assert len(rig.git.stale_registrations(rig.repo)) == 1


def test_what_is_half_made_is_cleared_in_a_town_that_was_moved(rig: GitRig) -> None:
    """Its registration names the old place; the ``.git`` file in the new one names the registration, which goes with it."""
    admin, path = rig.repo.path / "worktrees" / "half", rig.root / "new" / "half"
    write(admin, {"HEAD": "ref: refs/heads/half\n", "commondir": "../..\n", "gitdir": "/old/half/.git\n"})
    write(path, {".git": f"gitdir: /old/repo/worktrees/{admin.name}\n"})

    rig.git.clear_half_made(rig.repo, path, into=rig.trash())

    assert not admin.exists() and not path.exists()


def test_a_lost_commit_is_kept_wherever_its_worktree_was(rig: GitRig) -> None:
    """A person's worktree may have stood in a directory whose name no ref can have; its commit gets a rescue all the same."""
    place = rig.root / "my own [projects]" / "mine"
    git("worktree", "add", "-q", "--detach", str(place), rig.start, cwd=rig.repo.path)
    lost = commit(place, {"only.txt": "here"})
    shutil.rmtree(place)

    [stale] = rig.git.stale_registrations(rig.repo)
    assert rig.git.drop_stale(rig.repo, stale, into=rig.root / "trash")

    assert [rescue.commit for rescue in rig.git.rescues(rig.repo)] == [lost]


def test_locked_registrations_are_never_stale(rig: GitRig) -> None:
    """A worktree that a person locked, on a disk that is away, is nobody's to clear."""
    made = rig.add("nux")
    (made.admin_dir / "locked").write_text("on the usb disk")
    shutil.rmtree(made.path)
    assert rig.git.stale_registrations(rig.repo) == ()


def test_branch_under_rebase_is_not_deleted(rig: GitRig) -> None:
    """A branch whose worktree is in the middle of a rebase counts as checked out."""
    made = rig.add("nux")
    write(rig.origin, {"README.md": "theirs"})
    commit(rig.origin)
    rig.fetch()
    tip = commit(made.path, {"README.md": "ours"})
    git("rebase", "origin/main", cwd=made.path, code=None)
    found = rig.git.find_worktree(rig.repo, made.path)
    assert found is not None and found.branch is None
    with pytest.raises(GitError, match="checked out"):
        rig.git.delete_branch(rig.repo, "polecat/nux", expected=tip)


def test_deleted_branch_leaves_no_configuration(rig: GitRig) -> None:
    """A branch's section goes with it."""
    before = (rig.repo.path / "config").read_text()
    made = rig.add("nux")
    rig.git.drop_worktree(rig.repo, made, into=rig.trash())
    assert rig.git.delete_branch(rig.repo, "polecat/nux", expected=rig.start)
    assert (rig.repo.path / "config").read_text() == before


def test_interrupted_clone_leaves_nothing(tmp_path: Path) -> None:
    """A clone that runs into its time limit leaves neither a repository nor a part of one."""
    make_origin(tmp_path / "origin")
    slow = _with_git(tmp_path / "bin", 'case "$*" in *fetch*) sleep 30 ;; esac; exec "$REAL" "$@"')
    (tmp_path / "rig").mkdir()
    with pytest.raises(ProgramTimeoutError):
        slow.clone_bare(str(tmp_path / "origin"), tmp_path / "rig/.repo.git", timeout_s=1.5)
    assert os.listdir(tmp_path / "rig") == []


def test_clone_knows_every_branch_and_is_safe_for_worktrees(tmp_path: Path) -> None:
    """All branches are remote-tracking ones, tags are there, and nothing repacks or prunes behind our back."""
    origin = make_origin(tmp_path / "origin")
    git("branch", "feature/x", cwd=origin)
    git("tag", "v1", cwd=origin)
    repo = GitCli().clone_bare(str(origin), tmp_path / "r.git", reference=origin, timeout_s=30)
    assert GitCli().remote_branches(repo) == ("feature/x", "main")
    assert set(GitCli().branches(repo, "")) == {"main"}
    assert git("tag", cwd=repo.path) == "v1"
    wanted = {"gc.auto": "0", "maintenance.auto": "false", "gc.worktreePruneExpire": "never"}
    assert {key: git("config", key, cwd=repo.path) for key in wanted} == wanted
    assert not (repo.path / "objects/info/alternates").exists()


def test_clone_of_an_empty_remote(tmp_path: Path) -> None:
    """A remote without a commit gives a repository without branches, and no default branch."""
    git("init", "-q", "--bare", "empty", cwd=tmp_path)
    repo = GitCli().clone_bare(str(tmp_path / "empty"), tmp_path / "r.git", timeout_s=30)
    assert GitCli().remote_branches(repo) == ()
    assert GitCli().remote_default_branch(repo, timeout_s=30) is None


def test_failed_fetch_is_not_a_fetch(rig: GitRig) -> None:
    """The age of our knowledge grows through a failed fetch, though git touches its FETCH_HEAD."""
    os.utime(rig.repo.path / "polecat-fetched", (time.time() - 500,) * 2)
    rig.origin.rename(rig.root / "away")
    with pytest.raises(GitError):
        rig.fetch()
    age_s = rig.git.last_fetch_age_s(rig.repo)
    assert age_s is not None and age_s > 400


def test_fetch_has_a_time_limit(rig: GitRig, tmp_path: Path) -> None:
    """A remote that hangs is given up, with all of its processes."""
    script = f'case "$*" in *fetch*) sleep 60 & echo $! >{tmp_path}/pid; wait ;; esac; exec "$REAL" "$@"'
    slow = _with_git(tmp_path / "bin", script)
    with pytest.raises(ProgramTimeoutError):
        slow.start_fetch(rig.repo, timeout_s=0.5).wait()
    pid = int((tmp_path / "pid").read_text())
    until_s = time.monotonic() + 5
    while _is_alive(pid) and time.monotonic() < until_s:
        time.sleep(0.02)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_legacy_clone_as_the_repository(tmp_path: Path) -> None:
    """A rig of the old architecture, whose worktrees belong to a clone, works alike."""
    origin = make_origin(tmp_path / "origin")
    git("clone", "-q", origin, tmp_path / "clone", cwd=tmp_path)
    repo, cli = Repo(path=tmp_path / "clone", is_bare=False), GitCli()
    start = cli.resolve(repo, "refs/remotes/origin/main")
    assert start is not None
    made = cli.add_worktree(repo, tmp_path / "nux", branch="polecat/nux", start=start, upstream="main")
    cli.check_out(made)
    assert cli.facts(repo, made).is_clean
    with pytest.raises(GitError, match="checked out"):
        cli.delete_branch(repo, "main", expected=start)
    cli.start_fetch(repo, timeout_s=30).wait()
    cli.drop_worktree(repo, made, into=tmp_path / "gone")
    assert cli.delete_branch(repo, "polecat/nux", expected=start)
    assert git("status", "--porcelain", cwd=repo.path) == ""


def test_ctrl_c_in_an_add_leaves_nothing(rig: GitRig, tmp_path: Path) -> None:
    """An interrupted add undoes itself before it passes the interruption on."""
    before = rig.snapshot()
    _with_git(
        tmp_path / "bin",
        f'case "$*" in *"worktree add"*) "$REAL" "$@"; touch {tmp_path}/there; sleep 30 ;; esac; exec "$REAL" "$@"',
    )
    code = (
        "from pathlib import Path; from polecat.adapters.git.cli import GitCli; from polecat.ports import Repo\n"
        f"GitCli().add_worktree(Repo(path=Path({str(rig.repo.path)!r})), Path({str(rig.root / 'polecats/nux')!r}),"
        f" branch='polecat/nux', start={rig.start!r}, upstream=None)"
    )
    env = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=env, stderr=subprocess.PIPE)
    until_s = time.monotonic() + 20
    while not (tmp_path / "there").exists() and time.monotonic() < until_s:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors
    assert rig.snapshot() == before


def test_an_undo_that_fails_is_told(rig: GitRig, tmp_path: Path) -> None:
    """What could not be cleared is named on the error (T-29)."""
    script = 'case "$*" in *"worktree add"*) "$REAL" "$@"; exit 3 ;; *update-ref*) exit 4 ;; esac; exec "$REAL" "$@"'
    broken = _with_git(tmp_path / "bin", script)
    with pytest.raises(PolecatError) as caught:
        broken.add_worktree(rig.repo, rig.root / "polecats/nux", branch="polecat/nux", start=rig.start, upstream=None)
    assert any("left behind" in note for note in caught.value.__notes__)


@pytest.mark.usefixtures("refs_in_files")
def test_few_processes(program_counts: ProgramCounts, tmp_path: Path, shape: str) -> None:
    """Making, filling, judging and saving a worktree start eight git processes in all; registering, finding and dropping it none (T-51)."""
    rig = make_git_rig(tmp_path)
    made = rig.add(fill=False)
    start = rig.start
    program_counts.reset()
    counted: dict[str, int] = {}

    def count(step: str) -> None:
        counted[step] = program_counts.count("git")
        program_counts.reset()

    other = rig.git.add_worktree(rig.repo, rig.root / "polecats/ace", branch="polecat/ace", start=start, upstream="main")
    count("add")
    rig.git.check_out(other)
    count("check out")
    rig.git.facts(rig.repo, other, base="refs/remotes/origin/main")
    count("facts")
    write(other.path, {"new": "x"})
    rig.git.rescue(rig.repo, other, ref_name="ace/1", message="m")
    count("rescue")
    rig.git.find_worktree(rig.repo, other.path)
    rig.git.drop_worktree(rig.repo, made, into=rig.trash())
    rig.git.stale_registrations(rig.repo)
    rig.git.move_worktree(rig.repo, other, rig.root / "polecats/moved")
    count("the rest")

    assert counted == {
        "add": 0,
        "check out": 1,
        "facts": 2 if shape == "plain" else 3,
        "rescue": 5,
        "the rest": 0,
    }  # with SHA-256 the index is asked for


def test_a_worktree_published_without_git_is_what_git_would_have_made(rig: GitRig) -> None:
    """Registered by one rename: git finds branch, upstream and a clean tree, lists it, and can take it away itself."""
    made = rig.add("nux")

    assert git("rev-parse", "--abbrev-ref", "HEAD", cwd=made.path).strip() == made.branch
    assert git("rev-parse", "--abbrev-ref", "@{u}", cwd=made.path).strip() == "origin/main"
    assert git("status", "--porcelain", "--branch", cwd=made.path).strip() == f"## {made.branch}...origin/main"
    assert f"worktree {made.path}" in git("worktree", "list", "--porcelain", cwd=rig.repo.path)
    assert git("fsck", "--no-dangling", cwd=rig.repo.path).strip() == ""
    git("worktree", "remove", str(made.path), cwd=rig.repo.path)
    assert not made.admin_dir.exists()


def test_a_branch_below_a_branch_is_refused_without_git_too(rig: GitRig) -> None:
    """A ref cannot be a directory and a branch at once; nothing is left of the attempt."""
    git("branch", "polecat", "origin/main", cwd=rig.repo.path)
    before = rig.snapshot()
    with pytest.raises(GitError, match="polecat"):
        rig.git.add_worktree(rig.repo, rig.root / "polecats/nux", branch="polecat/nux", start=rig.start, upstream="main")
    assert rig.snapshot() == before


def test_a_config_lock_of_a_killed_process_of_ours_is_no_obstacle(rig: GitRig) -> None:
    """Killed between writing and renaming the configuration: the next add goes on; a lock of git's own is never taken away."""
    lock = rig.repo.path / "config.lock"
    lock.symlink_to("polecat")
    rig.add("nux")
    assert not os.path.lexists(lock)

    lock.write_text("git's")
    impatient = GitCli(lock_patience_s=0.05)
    with pytest.raises(GitError, match="config"):
        impatient.add_worktree(rig.repo, rig.root / "polecats/ace", branch="polecat/ace", start=rig.start, upstream="main")
    assert lock.read_text() == "git's"


def test_a_place_that_goes_away_gives_no_answer(tmp_path: Path) -> None:
    """A directory that is gone by the time git wants to work there is an error, and not a *no* to what was asked."""
    place = tmp_path / "place"
    place.mkdir()
    _with_git(tmp_path / "bin", f'rmdir {place}; exec "$REAL" "$@"')
    program = GitProgram({**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"})

    with pytest.raises(GitError, match="Unable to read current working directory"):
        program.run(["rev-parse", "-q", "--verify", "HEAD"], at=None, in_dir=place)
