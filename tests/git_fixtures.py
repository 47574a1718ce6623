"""Real repositories to try things on: an origin, and a rig's bare repository cloned from it."""

from __future__ import annotations

import atexit
import contextlib
import fnmatch
import functools
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from polecat.adapters.git.cli import GitCli
from polecat.ports import Git, Repo, Worktree
from polecat.testing import GitUnderTest

FILES = {"README.md": "a project\n", "src/main.py": "print('hello')\n", "CLAUDE.md": "instructions\n"}


HOSTILE = """
[core]
    trustctime = false
    checkStat = minimal
    fileMode = false
    ignoreCase = true
    ignoreStat = true
    hooksPath = {place}/hooks
    fsmonitor = {place}/hooks/liar
    attributesFile = {place}/attributes
    autocrlf = input
    abbrev = 4
    untrackedCache = true
    splitIndex = true
    logAllRefUpdates = always
    quotePath = false
[merge]
    conflictStyle = diff3
[merge "ours"]
    driver = true
[clone]
    defaultRemoteName = upstream
[init]
    defaultBranch = trunk
[trace2]
    normalTarget = 1
    eventTarget = 1
    perfTarget = 1
[fetch]
    prune = true
    pruneTags = true
    writeCommitGraph = true
[push]
    default = nothing
    followTags = true
[commit]
    gpgSign = true
[gpg]
    program = false
[log]
    showSignature = true
    showRoot = false
[i18n]
    logOutputEncoding = ISO-8859-1
[status]
    showUntrackedFiles = no
    renames = copies
    showStash = true
    relativePaths = true
[diff]
    ignoreSubmodules = all
    noprefix = true
    renames = copies
[color]
    ui = always
[submodule]
    recurse = true
[branch]
    autoSetupMerge = always
    autoSetupRebase = always
[worktree]
    useRelativePaths = true
    guessRemote = true
[gc]
    auto = 1
    pruneExpire = now
    worktreePruneExpire = now
[maintenance]
    auto = true
[checkout]
    defaultRemote = upstream
[user]
    useConfigOnly = true
[index]
    version = 4
[rerere]
    enabled = true
[transfer]
    unpackLimit = 1
"""
"""A configuration of somebody whose git does everything else than ours, each setting from a report of somebody who had it."""

HOSTILE_REPOSITORY = """
[core]
    fileMode = false
    ignoreCase = true
[remote "origin"]
    fetch = +refs/*:refs/*
    prune = true
    tagOpt = --tags
"""
"""What stands in the repository's own configuration beside that; the refspec is one of ``git clone --mirror``."""

SHAPES: Mapping[str, tuple[str, ...]] = {
    "plain": (),
    "sha256": ("sha256",),
    "reftable": ("reftable",),
    "hostile": ("hostile",),
    "all": ("sha256", "reftable", "hostile"),
}
"""Kinds of repositories and surroundings; *all* has of them whatever this git can."""


@functools.cache
def has_reftable() -> bool:
    """Say whether this git can make repositories with refs in tables: from 2.45 on."""
    found = re.search(r"(\d+)\.(\d+)", subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout)
    return found is not None and (int(found[1]), int(found[2])) >= (2, 45)


def shape_environ(shape: str, place: Path) -> dict[str, str]:
    """Return the variables that let repositories and git's configuration have a shape of `SHAPES`; a test sets them for itself.

    Args:
        shape: which.
        place: an empty directory for what the configuration names.
    """
    environ = {}
    if "sha256" in SHAPES[shape]:
        environ["GIT_DEFAULT_HASH"] = "sha256"
    if "reftable" in SHAPES[shape] and (has_reftable() or shape == "reftable"):
        environ["GIT_DEFAULT_REF_FORMAT"] = "reftable"
    if "hostile" in SHAPES[shape]:
        for name in ("liar", "pre-commit", "post-checkout", "reference-transaction", "post-index-change"):
            write(place, {f"hooks/{name}": f"#!/bin/sh\necho $0 >>{place}/called\nprintf '1\\0'\nexit 1\n"})
            (place / "hooks" / name).chmod(0o755)
        write(place, {"attributes": "* merge=ours\n", "config": HOSTILE.format(place=place)})
        environ["GIT_CONFIG_GLOBAL"] = str(place / "config")
    return environ


def git(*args: str | Path, cwd: Path, env: Mapping[str, str] | None = None, code: int | None = 0) -> str:
    """Run git as an agent or colleague would, whose configuration is a plain one; return what it printed."""
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *args],
        cwd=cwd,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, **(env or {})},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert code is None or done.returncode == code, f"git {args}: {done.returncode} {done.stderr!r}"
    return os.fsdecode(done.stdout).rstrip("\n")


def write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files below a directory."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def commit(folder: Path, files: Mapping[str, str | bytes] | None = None, message: str = "work") -> str:
    """Commit files in a worktree; return the commit."""
    write(folder, files or {})
    git("add", "-A", cwd=folder)
    git("commit", "-q", "--allow-empty", "-m", message, cwd=folder)
    return git("rev-parse", "HEAD", cwd=folder)


def _template() -> Path:
    """The origin and the clone of this test's surroundings."""
    return _make_template(tuple(os.environ.get(name, "") for name in ("GIT_DEFAULT_HASH", "GIT_DEFAULT_REF_FORMAT")))


@functools.cache
def _make_template(shape: tuple[str, ...]) -> Path:
    """An origin and its clone, made once: copying thirty files is ten times faster than asking git again for each test."""
    folder = Path(tempfile.mkdtemp(prefix="pc-git-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _make_origin(folder / "origin", FILES)
    (folder / "rig" / "polecats").mkdir(parents=True)
    GitCli().clone_bare(str(folder / "origin"), folder / "rig" / ".repo.git", timeout_s=30)
    for samples in folder.rglob("hooks"):
        shutil.rmtree(samples)
    return folder


def make_origin(path: Path, files: Mapping[str, str | bytes] | None = None) -> Path:
    """Make a repository with one commit on ``main``, to be cloned from; return its path."""
    if files is None:
        shutil.copytree(_template() / "origin", path, symlinks=True)
        return path
    return _make_origin(path, files)


def _make_origin(path: Path, files: Mapping[str, str | bytes]) -> Path:
    path.mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=path)
    git("config", "receive.denyCurrentBranch", "ignore", cwd=path)
    commit(path, files, "first")
    return path


@frozen(kw_only=True)
class GitRig:
    """An origin, a bare clone of it, and room for worktrees.

    Attributes:
        root: the rig's directory.
        origin: where the colleagues are.
        repo: the rig's repository.
        git: the adapter.
    """

    root: Path
    origin: Path
    repo: Repo
    git: GitCli = field(factory=GitCli)

    @property
    def start(self) -> str:
        """The tip of the remote's main branch, as far as the rig knows."""
        found = self.git.resolve(self.repo, "refs/remotes/origin/main")
        assert found is not None
        return found

    def fetch(self) -> None:
        """Bring what is known of the remote up to date."""
        self.git.start_fetch(self.repo, timeout_s=30).wait()

    def add(self, name: str = "nux", *, fill: bool = True, branch: str | None = None) -> Worktree:
        """Make a worktree."""
        path = self.root / "polecats" / name
        path.parent.mkdir(exist_ok=True)
        made = self.git.add_worktree(self.repo, path, branch=branch or f"polecat/{name}", start=self.start, upstream="main")
        if fill:
            self.git.check_out(made)
        return made

    def add_with_submodule(self, library: Path) -> Worktree:
        """Make a worktree of a project that has a library as its submodule ``lib``, filled as well."""
        git("submodule", "--quiet", "add", make_origin(library, {"lib.c": "1\n"}), "lib", cwd=self.origin)
        commit(self.origin)
        self.fetch()
        made = self.add()
        git("submodule", "--quiet", "update", "--init", cwd=made.path)
        return made

    def trash(self, name: str = "nux") -> Path:
        """Return a place in the rig's trash."""
        (self.root / ".trash").mkdir(exist_ok=True)
        return self.root / ".trash" / name

    def snapshot(self) -> dict[str, object]:
        """Everything a failed step could leave behind: refs, registrations, configuration, directories."""
        return {
            "refs": git("for-each-ref", cwd=self.repo.path),
            "registrations": sorted(os.listdir(self.repo.path / "worktrees")) if (self.repo.path / "worktrees").exists() else [],
            "config": (self.repo.path / "config").read_text(),
            "repo": sorted(name for name in os.listdir(self.repo.path) if name not in ("worktrees", "logs", "index")),
            "rig": sorted(str(path.relative_to(self.root)) for path in (self.root / "polecats").rglob("*")),
        }


def make_git_rig(root: Path, *, files: Mapping[str, str | bytes] | None = None) -> GitRig:
    """Make an origin and a rig cloned from it below *root*."""
    origin, rig = make_origin(root / "origin", files), root / "rig"
    repo = Repo(path=rig / ".repo.git")
    if files is None:
        shutil.copytree(_template() / "rig", rig, symlinks=True)
        config = repo.path / "config"
        config.write_text(config.read_text().replace(str(_template() / "origin"), str(origin)))
    else:
        (rig / "polecats").mkdir(parents=True)
        GitCli().clone_bare(str(origin), repo.path, timeout_s=30)
    if os.environ["GIT_CONFIG_GLOBAL"] != os.devnull:
        with (repo.path / "config").open("a") as more:
            more.write(HOSTILE_REPOSITORY)
    return GitRig(root=rig, origin=origin, repo=repo)


def git_under_test(root: Path, adapter: Git | None = None) -> GitUnderTest:
    """Give the git contract a real repository; the adapter is `GitCli` by default."""
    rig = make_git_rig(root)
    for name in ("no-repo", "room"):
        (root / name).mkdir()

    def stash(path: Path) -> None:
        write(path, {"README.md": "stashed"})
        git("stash", "-q", cwd=path)

    def break_remote() -> None:
        rig.origin.rename(root / "elsewhere")

    return GitUnderTest(
        git=adapter or rig.git,
        repo=rig.repo,
        no_repo=Repo(path=root / "no-repo"),
        room=root / "room",
        advance_remote=lambda: commit(rig.origin, {"news": "1"}),
        commit=lambda path: commit(path, {"done": "1"}),
        stash=stash,
        break_remote=break_remote,
        move=Path.rename,
    )


def contents_below(folder: Path, named: str = "*") -> dict[Path, bytes]:
    """Read the files below a directory, at most a megabyte of each; what is being deleted meanwhile, as trash is, is left out."""
    found: dict[Path, bytes] = {}
    for where, _, names in os.walk(folder):
        for path in (Path(where, name) for name in fnmatch.filter(names, named)):
            with contextlib.suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode):
                    with path.open("rb") as file:
                        found[path] = file.read(2**20)
    return found


def manifest(folder: Path) -> dict[bytes, tuple[str, str]]:
    """Describe every file below a directory byte by byte: kind, executable bit, hash of the content or target of the link."""
    found: dict[bytes, tuple[str, str]] = {}
    top = os.fsencode(folder)
    for where, dirs, names in os.walk(top):
        for name in [*names, *[d for d in dirs if os.path.islink(os.path.join(where, d))]]:
            full = os.path.join(where, name)
            path = os.path.relpath(full, top)
            if path == b".git":
                continue
            mode = os.lstat(full).st_mode
            if stat.S_ISLNK(mode):
                found[path] = ("link", os.fsdecode(os.readlink(full)))
            elif stat.S_ISREG(mode):
                with open(full, "rb") as file:
                    found[path] = ("exec" if mode & 0o100 else "file", hashlib.sha256(file.read()).hexdigest())
    return found
