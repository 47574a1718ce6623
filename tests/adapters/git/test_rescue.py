"""Work saved before it is destroyed is there byte for byte, and what could not be saved is said."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from polecat.adapters.git.cli import GitCli
from polecat.adapters.git.run import GitProgram, expect_success
from polecat.adapters.git.snapshot import read_content
from polecat.errors import GitError, RescueFailedError
from polecat.ports import Rescue, Worktree
from tests.git_fixtures import GitRig, commit, git, make_git_rig, make_origin, manifest, write
from tests.spawn_fixtures import shim_directory, with_path

pytestmark = pytest.mark.real


@pytest.fixture
def rig(tmp_path: Path) -> GitRig:
    return make_git_rig(tmp_path)


def _saved(rig: GitRig, made: Worktree, **options: object) -> Rescue:
    saved = rig.git.rescue(rig.repo, made, ref_name="nux/1-a", message="removal", **options)  # type: ignore[arg-type]
    assert saved is not None
    return saved


def _stored(rig: GitRig, commit_id: str) -> dict[bytes, tuple[str, str]]:
    """Read a commit back the way `manifest` describes a directory."""
    kinds = {b"100644": "file", b"100755": "exec", b"120000": "link"}
    found: dict[bytes, tuple[str, str]] = {}
    listed = subprocess.run(["git", "ls-tree", "-r", "-z", commit_id], cwd=rig.repo.path, check=True, capture_output=True).stdout
    for line in listed.split(b"\0")[:-1]:
        words, _, path = line.partition(b"\t")
        mode, _, oid = words.split(b" ")
        if mode == b"160000":
            continue
        data = subprocess.run(["git", "cat-file", "blob", oid], cwd=rig.repo.path, check=True, capture_output=True).stdout
        found[path] = (kinds[mode], os.fsdecode(data) if mode == b"120000" else hashlib.sha256(data).hexdigest())
    return found


def _make_nasty(path: Path) -> None:
    """Change a worktree in every way that ever lost something."""
    names = [
        b"new\nline",
        b'quo"te',
        b"-dash",
        b"back\\slash",
        b"\xff\xfe not utf-8",
        b"tab\t",
        "naïve".encode(),
        b"spa ce/in dir",
    ]
    for number, name in enumerate(names):
        full = os.path.join(os.fsencode(path), name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(b"%d\r\n\0binary" % number)
    write(path, {"crlf.txt": "a\r\nb\r\n", "staged": "one", "staged-gone": "one", "README.md": "changed\r\n", "intent": "to add"})
    git("add", "staged", "staged-gone", cwd=path)
    git("add", "--intent-to-add", "intent", cwd=path)
    write(path, {"staged": "two"})
    (path / "staged-gone").unlink()
    (path / "run.sh").chmod(0o644)
    (path / "plain").chmod(0o755)
    (path / "gone").unlink()
    (path / "was-file").unlink()
    write(path, {"was-file/now/a/dir": "x"})
    shutil.rmtree(path / "was-dir")
    write(path, {"was-dir": "now a file"})
    (path / "was-plain").unlink()
    (path / "was-plain").symlink_to("nowhere/at all")
    (path / "dir-link").symlink_to("src", target_is_directory=True)
    os.mkfifo(path / "fifo")
    git("update-index", "--assume-unchanged", "assumed", cwd=path)
    git("update-index", "--skip-worktree", "skipped", cwd=path)
    write(path, {"assumed": "edited", "skipped": "edited"})


NASTY_START = {
    "README.md": "a project\n",
    "src/main.py": "print()\n",
    "run.sh": "#!/bin/sh\n",
    "plain": "p",
    "gone": "g",
    "was-file": "f",
    "was-dir/a": "a",
    "was-dir/b": "b",
    "was-plain": "p",
    "assumed": "1",
    "skipped": "1",
}


def test_nasty_tree_is_saved_byte_for_byte(tmp_path: Path) -> None:
    """T-13: names, modes, links, line endings, hidden edits, files become directories: all as on disk, past filters and hooks."""
    origin_files = {**NASTY_START, ".gitattributes": "* text=auto\n*.txt filter=broken\n"}
    rig = make_git_rig(tmp_path, files=origin_files)
    (rig.origin / "run.sh").chmod(0o755)
    commit(rig.origin)
    rig.fetch()
    made = rig.add()
    _make_nasty(made.path)
    for key, value in {
        "core.autocrlf": "true",
        "filter.broken.clean": "false",
        "filter.broken.required": "true",
        "commit.gpgSign": "true",
    }.items():
        git("config", key, value, cwd=rig.repo.path)
    for hook in ("pre-commit", "post-commit", "reference-transaction", "post-index-change"):
        write(rig.repo.path, {f"hooks/{hook}": f"#!/bin/sh\ntouch {tmp_path}/hooked\nexit 1\n"})
        (rig.repo.path / "hooks" / hook).chmod(0o755)
    on_disk, index = manifest(made.path), (made.admin_dir / "index").read_bytes()

    saved = _saved(rig, made)

    assert _stored(rig, saved.commit) == on_disk
    assert (manifest(made.path), (made.admin_dir / "index").read_bytes()) == (on_disk, index)
    assert not (tmp_path / "hooked").exists()
    parents = git("show", "-s", "--format=%P", saved.ref, cwd=rig.repo.path).split()
    assert parents[0] == rig.start
    assert git("show", f"{parents[1]}:staged", cwd=rig.repo.path) == "one"
    assert git("show", f"{parents[1]}:staged-gone", cwd=rig.repo.path) == "one"
    assert rig.git.rescued_files(rig.repo, saved.ref)["was-dir/a"] == "deleted"


def test_rescue_survives_gc_and_can_be_checked_out(rig: GitRig) -> None:
    """After the worktree, its branch and every reflog are gone, a collection takes nothing, and the work comes back as a worktree."""
    made = rig.add()
    commit(made.path, {"committed": "1"})
    write(made.path, {"new": "work"})
    saved = _saved(rig, made)
    on_disk = manifest(made.path)
    rig.git.drop_worktree(rig.repo, made, into=rig.trash())
    shutil.rmtree(rig.root / ".trash")
    assert rig.git.delete_branch(rig.repo, "polecat/nux", expected=git("rev-parse", f"{saved.ref}^", cwd=rig.repo.path))
    git("reflog", "expire", "--expire=now", "--all", cwd=rig.repo.path)
    git("gc", "-q", "--prune=now", cwd=rig.repo.path)
    git("worktree", "add", "-q", "--detach", rig.root / "back", saved.ref, cwd=rig.repo.path)
    assert manifest(rig.root / "back") == on_disk
    assert rig.git.rescues(rig.repo) == (saved,)


def test_detached_and_rebased_commits_are_kept(rig: GitRig) -> None:
    """A commit on no branch, and the branch under a rebase, are parents of the rescue."""
    made = rig.add()
    ours = commit(made.path, {"README.md": "ours"})
    commit(rig.origin, {"README.md": "theirs"})
    rig.fetch()
    git("rebase", "refs/remotes/origin/main", cwd=made.path, code=None)
    saved = _saved(rig, made, base="refs/remotes/origin/main")
    assert git("merge-base", "--is-ancestor", ours, saved.ref, cwd=rig.repo.path) == ""
    assert (
        b"<<<<<<<"
        in subprocess.run(["git", "show", f"{saved.ref}:README.md"], cwd=rig.repo.path, check=True, capture_output=True).stdout
    )


def test_what_was_left_by_a_reset_or_a_checkout_is_kept(rig: GitRig) -> None:
    """Commits that only the reflog names are no work, and are saved all the same; what an amend replaced is not worth a rescue."""
    left, amended = rig.add("nux"), rig.add("slit")
    git("commit", "-q", "--allow-empty", "-m", "one", cwd=left.path)
    by_reset = git("rev-parse", "HEAD", cwd=left.path)
    git("reset", "-q", "--hard", "HEAD~1", cwd=left.path)
    git("checkout", "-q", "--detach", cwd=left.path)
    git("commit", "-q", "--allow-empty", "-m", "two", cwd=left.path)
    by_checkout = git("rev-parse", "HEAD", cwd=left.path)
    git("checkout", "-q", "polecat/nux", cwd=left.path)
    git("commit", "-q", "--allow-empty", "-m", "three", cwd=amended.path)
    git("commit", "-q", "--allow-empty", "--amend", "-m", "four", cwd=amended.path)
    git("push", "-q", "origin", "HEAD:refs/heads/four", cwd=amended.path)
    rig.fetch()

    facts = rig.git.facts(rig.repo, left)
    saved = _saved(rig, left)

    assert facts.is_clean and set(facts.abandoned) == {by_reset, by_checkout}
    assert rig.git.facts(rig.repo, amended).abandoned == ()
    reachable = git("rev-list", "--glob=refs/polecat/rescue/*", cwd=rig.repo.path).split("\n")
    assert {by_reset, by_checkout} <= set(reachable) and saved.holds == "commits"
    assert rig.git.facts(rig.repo, left).abandoned == ()


def test_unborn_branch_is_saved(rig: GitRig) -> None:
    """Files on a branch without a commit are saved as well."""
    made = rig.add()
    git("checkout", "-q", "--orphan", "new", cwd=made.path)
    git("rm", "-rqf", "--cached", ".", cwd=made.path)
    saved = _saved(rig, made)
    assert _stored(rig, saved.commit) == manifest(made.path)
    assert set(rig.git.rescued_files(rig.repo, saved.ref).values()) == {"added"}


def test_pushed_but_unmerged_commit_is_kept(rig: GitRig) -> None:
    """A commit whose only home is a branch of the remote is kept too: that branch may be deleted there and pruned here (T-14)."""
    made = rig.add()
    tip = commit(made.path, {"a": "1"})
    git("push", "-q", "origin", "HEAD:refs/heads/review", cwd=made.path)
    saved = _saved(rig, made, base="refs/remotes/origin/main")
    assert git("rev-parse", f"{saved.ref}^", cwd=rig.repo.path) == tip


def test_submodules_and_nested_repositories_are_saved(rig: GitRig, tmp_path: Path) -> None:
    """Commits, branches, stashes and dirty files of repositories inside end in refs of the outer one; theirs stay as they were."""
    made = rig.add_with_submodule(tmp_path / "library")
    lib, nested = made.path / "lib", made.path / "my clone"
    git("checkout", "-q", "-b", "topic", cwd=lib)
    topic = commit(lib, {"lib.c": "2"})
    write(lib, {"lib.c": "stashed"})
    git("stash", "-q", cwd=lib)
    write(lib, {"lib.c": "dirty", "new": "x"})
    git("init", "-q", nested, cwd=made.path)
    write(nested, {"only": "copy"})

    saved = _saved(rig, made)

    shutil.rmtree(made.path)
    shutil.rmtree(made.admin_dir)
    inside = [ref.removeprefix(f"{saved.ref}.sub/") for ref in saved.refs[1:]]
    assert inside == ["0-lib/heads/topic", "0-lib/stash", "0-lib/work", "1-my-clone/work"]
    show = {
        name: git("show", f"{saved.ref}.sub/{name}", cwd=rig.repo.path)
        for name in ("0-lib/work:lib.c", "0-lib/stash:lib.c", "1-my-clone/work:only")
    }
    assert list(show.values()) == ["dirty", "stashed", "copy"]
    assert git("rev-parse", f"{saved.ref}:lib", f"{saved.ref}.sub/0-lib/heads/topic", cwd=rig.repo.path).split() == [topic, topic]
    assert rig.git.rescues(rig.repo) == (saved,)


def test_clean_submodule_needs_no_rescue(rig: GitRig, tmp_path: Path) -> None:
    """A submodule as it was cloned adds no refs."""
    made = rig.add_with_submodule(tmp_path / "library")
    assert rig.git.rescue(rig.repo, made, ref_name="x", message="m", base="refs/remotes/origin/main") is None


def test_ignored_files_by_pattern(rig: GitRig) -> None:
    """Ignored files are saved where a pattern names them, their directory or their kind; others are not."""
    made = rig.add()
    write(made.admin_dir.parent.parent, {"info/exclude": ".env\n/data/\n/cache/\n*.sqlite\n"})
    write(made.path, {".env": "secret", "data/a/b.txt": "1", "cache/x.sqlite": "2", "cache/y": "3", "top.sqlite": "4"})
    saved = _saved(rig, made, ignored_patterns=[".env", "data/", "*.sqlite"])
    assert set(rig.git.rescued_files(rig.repo, saved.ref)) == {".env", "data/a/b.txt", "cache/x.sqlite", "top.sqlite"}


@pytest.mark.parametrize(
    "script",
    [
        pytest.param('case "$*" in *fast-import*) exit 1 ;; esac', id="import-fails"),
        pytest.param('case "$*" in *fast-import*) cat >/dev/null; exit 0 ;; esac', id="import-lies"),
        pytest.param('case "$*" in *fast-import*) sed s/precious/damaged_/ | "$REAL" "$@"; exit 0 ;; esac', id="import-damages"),
        pytest.param('case "$*" in *fast-import*) head -c 200 | "$REAL" "$@"; exit $? ;; esac', id="disk-full"),
        pytest.param('case "$*" in *" status "*) echo "warning: could not open directory" >&2 ;; esac', id="status-warns"),
        pytest.param('case "$*" in *cat-file*) exit 0 ;; esac', id="blobs-missing"),
    ],
)
def test_what_cannot_be_proved_is_not_a_rescue(rig: GitRig, tmp_path: Path, script: str) -> None:
    """A rescue that fails, lies or comes out different is refused, and no ref or crash report stays (T-13)."""
    made = rig.add()
    write(made.path, {"new": "precious"})
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").write_text(f'#!/bin/sh\nREAL={shutil.which("git")}\n{script}\nexec "$REAL" "$@"\n')
    (tmp_path / "bin/git").chmod(0o755)
    broken = GitCli(environ={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"})
    with pytest.raises(RescueFailedError, match="could not be saved"):
        broken.rescue(rig.repo, made, ref_name="nux/1", message="m")
    assert rig.git.rescues(rig.repo) == ()
    assert not list(rig.repo.path.glob("fast_import_crash_*"))
    assert (made.path / "new").read_text() == "precious"


def test_bad_rescue_names_are_refused(rig: GitRig) -> None:
    """A name that is no ref name is refused."""
    made = rig.add()
    for name in ("../../heads/main", "a b", "x.sub", ""):
        with pytest.raises(RescueFailedError):
            rig.git.rescue(rig.repo, made, ref_name=name, message="m")
    assert rig.git.branches(rig.repo, "main") == {"main": rig.start}


def test_a_file_that_changes_all_the_time_is_refused(tmp_path: Path) -> None:
    """Bytes that change while they are read are not taken for the file; once it is quiet they are."""
    path = tmp_path / "busy"
    path.write_bytes(b"x")
    reads: list[Path] = []

    def read_while_written(one: Path) -> bytes:
        reads.append(one)
        if len(reads) < 10:
            os.utime(one, ns=(len(reads), len(reads)))
        return one.read_bytes()

    with pytest.raises(RescueFailedError, match="being written"):
        read_content(path, read=read_while_written)
    content = read_content(path, read=read_while_written)
    assert content is not None and content.data == b"x"


# ------------------------------------------------------------------------------------------------------------ moving


def test_move_killed_half_way_is_mended(rig: GitRig) -> None:
    """A move that was killed between its renames is finished later, with index and branch (T-16)."""
    made = rig.add()
    write(made.path, {"new": "x"})
    git("add", "new", cwd=made.path)
    to = rig.root / "polecats" / "elsewhere"
    (made.admin_dir / "locked").write_text("polecat: being moved")
    (made.admin_dir / "gitdir.tmp").write_text(f"{to}/.git\n")
    made.path.rename(to)
    assert rig.git.find_worktree(rig.repo, to) is None
    git("worktree", "prune", cwd=rig.repo.path)

    moved = rig.git.finish_move(rig.repo, to)

    assert moved is not None and moved.branch == "polecat/nux"
    assert rig.git.facts(rig.repo, moved).staged == ("new",)
    assert not (made.admin_dir / "locked").exists()
    assert f"worktree {to}\n" in git("worktree", "list", "--porcelain", cwd=rig.repo.path) + "\n"


def test_move_that_never_began_is_forgotten(rig: GitRig) -> None:
    """A move that was killed before its rename leaves the worktree where it was, unlocked."""
    made = rig.add()
    (made.admin_dir / "locked").write_text("polecat: being moved")
    (made.admin_dir / "gitdir.tmp").write_text(f"{rig.root}/polecats/elsewhere/.git\n")
    assert rig.git.find_worktree(rig.repo, made.path) == made
    assert rig.git.finish_move(rig.repo, made.path) == made
    assert not {"locked", "gitdir.tmp"} & set(os.listdir(made.admin_dir))


def test_submodules_move_along(rig: GitRig, tmp_path: Path) -> None:
    """A worktree with initialised submodules moves to another depth, and git works in both."""
    library = make_origin(tmp_path / "library", {"lib.c": "1\n"})
    git("submodule", "--quiet", "add", library, "deep/lib", cwd=rig.origin)
    commit(rig.origin)
    rig.fetch()
    made = rig.add()
    git("submodule", "--quiet", "update", "--init", cwd=made.path)
    tip = commit(made.path / "deep/lib", {"lib.c": "2"})
    (rig.root / "polecats/a/b").mkdir(parents=True)
    moved = rig.git.move_worktree(rig.repo, made, rig.root / "polecats/a/b/c")
    assert git("rev-parse", "HEAD", cwd=moved.path / "deep/lib") == tip
    assert (
        git("status", "--porcelain", cwd=moved.path) == "M deep/lib"
        or git("status", "--porcelain", cwd=moved.path) == " M deep/lib"
    )
    assert rig.git.facts(rig.repo, moved).submodules == ("deep/lib: 1 unpushed commit(s)",)
    assert git("submodule", "status", cwd=moved.path).startswith(f"+{tip}")


def test_restore_needs_both_halves(rig: GitRig) -> None:
    """A restore without the registration, or onto something, changes nothing."""
    made = rig.add()
    rig.git.drop_worktree(rig.repo, made, into=rig.trash())
    made.path.mkdir()
    with pytest.raises(GitError):
        rig.git.restore_worktree(rig.repo, made, source=rig.trash())
    made.path.rmdir()
    admin = rig.root / ".trash/nux.admin"
    admin.rename(rig.root / "hidden")
    with pytest.raises(GitError):
        rig.git.restore_worktree(rig.repo, made, source=rig.trash())
    (rig.root / "hidden").rename(admin)
    rig.git.restore_worktree(rig.repo, made, source=rig.trash())
    assert rig.git.facts(rig.repo, made).is_clean


def test_what_is_asked_again_is_asked_the_same(rig: GitRig, tmp_path: Path) -> None:
    """A reading command that stumbled over others' unfinished work gets its questions the second time too."""
    stumbles = f"""[ -e {tmp_path}/again ] && exec cat; touch {tmp_path}/again
echo "fatal: failed to read /r/.git/worktrees/x/commondir: Success" >&2; exit 128"""
    git = GitProgram(with_path(shim_directory(tmp_path / "bin", git=stumbles)))
    [answer] = git.together([["cat-file", "--batch-check"]], at=rig.repo, stdin=b"HEAD\n", timeout_s=20)
    assert expect_success(answer).text == "HEAD\n"
