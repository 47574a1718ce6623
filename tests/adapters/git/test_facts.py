"""What of a worktree's work exists nowhere else: nothing is overlooked, nothing unknown looks clean."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from polecat.adapters.git.cli import GitCli
from polecat.adapters.git.status import parse_status
from polecat.errors import UnknownStateError
from tests.git_fixtures import GitRig, commit, git, make_git_rig, write

pytestmark = pytest.mark.real

BASE = "refs/remotes/origin/main"


@pytest.fixture
def rig(tmp_path: Path) -> GitRig:
    return make_git_rig(tmp_path)


def test_every_kind_of_change_is_told_apart(rig: GitRig) -> None:
    """Modified, staged, renamed, untracked and ignored files each have their list (T-15)."""
    made = rig.add()
    write(
        made.path,
        {
            "README.md": "changed",
            "staged.txt": "s",
            "un\ntracked": "u",
            ".gitignore": "*.log\nbuild/\n",
            "a.log": "",
            "build/x": "",
        },
    )
    git("mv", "src/main.py", "src/renamed.py", cwd=made.path)
    git("add", "staged.txt", ".gitignore", cwd=made.path)

    facts = rig.git.facts(rig.repo, made, base=BASE)

    assert facts.modified == ("README.md",)
    assert facts.staged == (".gitignore", "staged.txt")
    assert facts.renamed == ("src/renamed.py",)
    assert facts.untracked == ("un\ntracked",)
    assert facts.ignored == ("a.log", "build/")
    assert facts.problems == ()
    assert str(facts.status()) == "5 uncommitted change(s)"


def test_configuration_that_silences_status_changes_nothing(rig: GitRig) -> None:
    """A user whose git hides untracked files, or whose monitor lies, still has work."""
    made = rig.add()
    write(made.path, {"new": "x", "README.md": "changed"})
    write(rig.root, {"liar": "#!/bin/sh\nprintf '1\\0'\n"})
    (rig.root / "liar").chmod(0o755)
    for key, value in {
        "status.showUntrackedFiles": "no",
        "status.renames": "copies",
        "core.fsmonitor": str(rig.root / "liar"),
        "core.ignoreStat": "true",
        "diff.ignoreSubmodules": "all",
        "color.status": "always",
        "status.short": "true",
    }.items():
        git("config", key, value, cwd=rig.repo.path)
    facts = rig.git.facts(rig.repo, made)
    assert (facts.modified, facts.untracked) == (("README.md",), ("new",))


def test_hidden_edits_are_found(rig: GitRig) -> None:
    """Files that git was told to ignore changes of are compared by content; untouched and absent ones are fine."""
    made = rig.add()
    git("update-index", "--assume-unchanged", "README.md", cwd=made.path)
    git("update-index", "--skip-worktree", "CLAUDE.md", "src/main.py", cwd=made.path)
    assert rig.git.facts(rig.repo, made).is_clean
    write(made.path, {"README.md": "edited"})
    (made.path / "CLAUDE.md").unlink()
    facts = rig.git.facts(rig.repo, made)
    assert facts.hidden == ("README.md",)
    assert not facts.is_clean


def test_directory_that_cannot_be_read_is_a_problem(rig: GitRig, tmp_path: Path) -> None:
    """A warning of git that it could not look somewhere makes the facts unknown (T-25)."""
    made = rig.add()
    (tmp_path / "bin").mkdir()
    real = shutil.which("git")
    (tmp_path / "bin/git").write_text(
        f'#!/bin/sh\ncase "$*" in *" status "*) echo "warning: could not open directory \'x/\': Permission denied" >&2 ;; esac\nexec {real} "$@"\n'
    )
    (tmp_path / "bin/git").chmod(0o755)
    warning = GitCli(environ={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"})
    facts = warning.facts(rig.repo, made)
    assert facts.status().is_clean and not facts.is_clean
    assert "Permission denied" in facts.problems[0]


@pytest.mark.parametrize("how", ["exit 128", "sleep 30", "kill -9 $$", "printf 'nonsense\\0'; exit 0"])
def test_no_failing_check_looks_clean(rig: GitRig, tmp_path: Path, how: str) -> None:
    """Whichever of git's answers fails, hangs or is garbage, the worktree is not clean or the base is unknown (T-15, T-25)."""
    made = rig.add()
    write(made.path, {"README.md": "stashed"})
    git("stash", "-q", cwd=made.path)
    commit(made.path)  # what no remote has must be counted by git, and an index of this kind be read by it
    git("update-index", "--index-version=4", cwd=made.path)
    (tmp_path / "bin").mkdir()
    real = shutil.which("git")
    for word in ("status", "rev-list", "ls-files", "log", "merge-base"):
        (tmp_path / "bin/new").write_text(f'#!/bin/sh\ncase "$*" in *" {word} "*) {how} ;; esac\nexec {real} "$@"\n')
        (tmp_path / "bin/new").chmod(0o755)
        (tmp_path / "bin/new").rename(tmp_path / "bin/git")
        broken = GitCli(environ={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}, timeout_s=0.5)
        facts = broken.facts(rig.repo, made, base=BASE)
        if word == "merge-base" and facts.problems == ():
            assert facts.merged == "unknown" or "nonsense" in how
        else:
            assert facts.problems, (word, facts)


def test_stashes_of_siblings_do_not_count(rig: GitRig) -> None:
    """The stash is one for all worktrees; only what was stashed on this branch is this polecat's (T-15)."""
    made, other = rig.add("nux"), rig.add("nux-2")
    for tree, options in ((made, []), (other, ["-m", "On polecat/nux: a trap"])):
        write(tree.path, {"README.md": f"stash of {tree.path.name}"})
        git("stash", "push", "-q", *options, cwd=tree.path)
    write(made.path, {"README.md": "second: with colon"})
    git("stash", "push", "-q", "-m", "a: b\nc", cwd=made.path)
    assert len(rig.git.facts(rig.repo, made).stashes) == 2
    assert len(rig.git.facts(rig.repo, other).stashes) == 1
    assert rig.git.facts(rig.repo, rig.add("ace")).is_clean


def test_commits_count_until_they_are_on_the_remote(rig: GitRig) -> None:
    """A commit is unpushed until a remote-tracking branch has it, whichever that is (T-15)."""
    made = rig.add()
    commit(made.path, {"a": "1"})
    commit(made.path, {"a": "2"})
    assert rig.git.facts(rig.repo, made, base=BASE).unpushed == 2
    git("push", "-q", "origin", "HEAD:refs/heads/review/nux", cwd=made.path)
    facts = rig.git.facts(rig.repo, made, base=BASE)
    assert (facts.unpushed, facts.merged, facts.is_clean) == (0, "no", True)


def test_squash_merge_is_recognised(rig: GitRig) -> None:
    """Work that was merged as one squashed commit is merged, even after main went on; changed again it is not (T-15)."""
    made = rig.add()
    for number in range(3):
        commit(made.path, {"feature": f"{number}\n", f"f{number}": "x"})
    assert rig.git.facts(rig.repo, made, base=BASE).merged == "no"
    git("fetch", "-q", rig.repo.path, "polecat/nux", cwd=rig.origin)
    git("merge", "-q", "--squash", "FETCH_HEAD", cwd=rig.origin)
    commit(rig.origin, {}, "squashed")
    commit(rig.origin, {"later": "1"})
    rig.fetch()
    facts = rig.git.facts(rig.repo, made, base=BASE)
    assert (facts.merged, facts.unpushed, facts.is_clean) == ("same changes", 3, False)
    commit(rig.origin, {"feature": "quite different\n"})
    rig.fetch()
    assert rig.git.facts(rig.repo, made, base=BASE).merged == "no"


def test_unknown_base_is_unknown(rig: GitRig) -> None:
    """Without a base, or with one that does not exist, nobody knows whether it is merged."""
    made = rig.add()
    assert rig.git.facts(rig.repo, made).merged == "unknown"
    assert rig.git.facts(rig.repo, made, base="refs/remotes/origin/nope").merged == "unknown"


def test_repository_without_remote_counts_from_the_base(rig: GitRig) -> None:
    """Where nothing was ever fetched, only commits since the base count."""
    made, start = rig.add(), rig.start
    git("update-ref", "-d", BASE, cwd=rig.repo.path)
    commit(made.path, {"a": "1"})
    assert rig.git.facts(rig.repo, made, base=start).unpushed == 1
    assert rig.git.facts(rig.repo, made).unpushed == 2


def test_detached_commits_count(rig: GitRig) -> None:
    """A detached worktree with a commit of its own is not clean (T-15)."""
    made = rig.add()
    git("checkout", "-q", "--detach", cwd=made.path)
    assert rig.git.facts(rig.repo, made).is_clean
    commit(made.path, {"a": "1"})
    facts = rig.git.facts(rig.repo, made)
    assert (facts.is_detached, facts.branch, facts.unpushed, facts.is_clean) == (True, None, 1, False)


def test_rebase_in_the_middle(rig: GitRig) -> None:
    """During a rebase the branch, its old commits and the conflict are all seen."""
    made = rig.add()
    commit(made.path, {"README.md": "ours"})
    commit(rig.origin, {"README.md": "theirs"})
    rig.fetch()
    git("rebase", BASE, cwd=made.path, code=None)
    facts = rig.git.facts(rig.repo, made)
    assert (facts.in_progress, facts.branch, facts.is_detached) == (("rebase",), "polecat/nux", True)
    assert (facts.conflicted, facts.unpushed, facts.is_clean) == (("README.md",), 1, False)


@pytest.mark.parametrize("verb", ["merge", "cherry-pick", "revert", "bisect", "am"])
def test_everything_begun_is_named(rig: GitRig, verb: str) -> None:
    """A merge, pick, revert, bisection or mailbox in the middle is named."""
    made = rig.add()
    first = commit(made.path, {"README.md": "one"})
    git("checkout", "-q", "-b", "side", BASE, cwd=made.path)
    side = commit(made.path, {"README.md": "two"})
    match verb:
        case "bisect":
            git("bisect", "start", "HEAD", BASE, cwd=made.path)
        case "am":
            patch = git("format-patch", "-1", "--stdout", first, cwd=made.path)
            write(rig.root, {"p.mbox": patch + "\n"})
            git("am", rig.root / "p.mbox", cwd=made.path, code=None)
        case "revert":
            write(made.path, {"README.md": "three"})
            commit(made.path)
            git("revert", "--no-edit", side, cwd=made.path, code=None)
        case _:
            git(verb, first, cwd=made.path, code=None)
    assert verb in rig.git.facts(rig.repo, made).in_progress


def test_index_lock_is_somebody_writing(rig: GitRig) -> None:
    """An index.lock means that something writes or died writing."""
    made = rig.add()
    (made.admin_dir / "index.lock").write_text("")
    facts = rig.git.facts(rig.repo, made)
    assert facts.in_progress == ("index.lock",)
    assert not facts.is_clean


def test_submodule_work_is_seen(rig: GitRig, tmp_path: Path) -> None:
    """Commits in a submodule, on a branch, detached or stashed, and changed files in it, are work (T-15)."""
    made = rig.add_with_submodule(tmp_path / "library")
    lib = made.path / "lib"
    assert rig.git.facts(rig.repo, made).is_clean
    write(lib, {"lib.c": "dirty"})
    assert rig.git.facts(rig.repo, made).submodules == ("lib: changed files",)
    git("stash", "-q", cwd=lib)
    (one,) = rig.git.facts(rig.repo, made).submodules
    assert "unpushed" in one
    git("stash", "drop", "-q", cwd=lib)
    commit(lib, {"lib.c": "2"})
    git("submodule", "--quiet", "update", cwd=made.path)
    assert rig.git.facts(rig.repo, made).submodules == ("lib: 1 unpushed commit(s)",)  # only the submodule's reflog knows it
    git("checkout", "-q", "-b", "topic", cwd=lib)
    commit(lib, {"lib.c": "3"})
    facts = rig.git.facts(rig.repo, made)
    assert facts.modified == ("lib",)
    assert facts.submodules == ("lib: 2 unpushed commit(s)",)
    git("submodule", "--quiet", "update", cwd=made.path)
    assert rig.git.facts(rig.repo, made).submodules == ("lib: 2 unpushed commit(s)",)
    git("submodule", "--quiet", "deinit", "-f", "lib", cwd=made.path)
    assert rig.git.facts(rig.repo, made).submodules == ("lib: 2 unpushed commit(s)",)


def test_nested_repositories_are_seen(rig: GitRig) -> None:
    """A repository cloned into the worktree is work, ignored or not."""
    made = rig.add()
    git("init", "-q", "clone", cwd=made.path)
    write(made.path, {".git-ignored": ""})
    (made.path / ".git-ignored").unlink()
    write(made.admin_dir.parent.parent, {"info/exclude": "/tmp/\n"})
    git("init", "-q", "tmp", cwd=made.path)
    commit(made.path / "tmp", {"a": "1"})
    facts = rig.git.facts(rig.repo, made)
    assert set(facts.nested) == {"clone/", "tmp/"}
    assert facts.untracked == ()
    assert not facts.is_clean


def test_half_made_worktree_is_no_work(rig: GitRig) -> None:
    """A check-out that was killed before its end holds no work; a file somebody wrote into it is (T-24)."""
    made = rig.add(fill=False)
    assert rig.git.facts(rig.repo, made).is_clean
    write(made.path, {"README.md": "a project\n"})
    (made.admin_dir / "index.lock").write_text("")
    assert rig.git.facts(rig.repo, made).is_clean
    write(made.path, {"src/main.py": "half a fi"})
    assert rig.git.facts(rig.repo, made).untracked == ("src/main.py",)


def test_unborn_branch(rig: GitRig) -> None:
    """A branch without a commit has no head and no unpushed commits, but its files are work."""
    made = rig.add()
    git("checkout", "-q", "--orphan", "new", cwd=made.path)
    facts = rig.git.facts(rig.repo, made, base=BASE)
    assert (facts.head, facts.branch, facts.unpushed, facts.is_clean) == (None, "new", 0, False)
    assert facts.problems == ()


def test_unknown_status_letters_are_refused() -> None:
    """An answer in a form nobody knows is not half understood."""
    with pytest.raises(UnknownStateError):
        parse_status(b"X 123 y\0")
    with pytest.raises(UnknownStateError):
        parse_status(b"1 .M N...\0")
