"""Saving a worktree's work to a ref before it is destroyed, byte for byte, and reading it back to be sure.

``git stash`` and ``git add`` pass through filters, attributes and hooks, need an identity, and leave out what is not tracked or is a
repository of its own. Here Python reads the bytes and ``fast-import`` writes them. Nothing of the worktree is changed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from attrs import evolve

from polecat.adapters.git import files, guard, named
from polecat.adapters.git.facts import place_of
from polecat.adapters.git.fast_import import Snapshot, blob_id, stream
from polecat.adapters.git.inner import inner_places, refs_on_no_remote, unpushed
from polecat.adapters.git.refs import resolve
from polecat.adapters.git.run import AS_A_PACK, GitProgram, Place, expect_success
from polecat.adapters.git.snapshot import Listing, Wish, collect, commit_at, list_tree
from polecat.errors import PolecatError, RescueFailedError
from polecat.ports import RESCUE_REFS, Repo, Rescue, Worktree

Holds = Literal["files", "commits", "tip"]


def rescue(git: GitProgram, repo: Repo, worktree: Worktree, ref_name: str, wish: Wish) -> Rescue | None:
    """Save a worktree's work. See `polecat.ports.Git.rescue`."""
    ref = RESCUE_REFS + ref_name
    store = Place(git_dir=repo.git_dir)
    if not files.is_ref_name(ref) or ".sub" in ref_name:
        raise RescueFailedError(f"{ref_name!r} cannot name a rescue")
    if resolve(git, repo, ref) is not None:
        raise RescueFailedError(f"a rescue {ref_name!r} exists already")
    made: list[str] = []
    try:
        tree = place_of(repo, worktree)
        listing = list_tree(git, tree)
        inner = _save_inner(git, store, tree, listing.inner, ref, wish)
        made += inner
        is_wanted = bool(made or named.abandoned(git, store, tree))
        saved = _save(git, store, tree, listing, ref, wish, is_wanted=is_wanted)
        made += _pin(git, store, tree, ref, known=(listing.head or "",)) if saved is not None else []
    except (PolecatError, OSError) as error:
        raise _failed(git, store, [ref, *made, *_below(git, store, ref)], worktree.path, error) from error
    if saved is None:
        return None
    holds: Holds = "files" if inner else "commits" if made and saved.holds == "tip" else saved.holds
    return evolve(saved, refs=(ref, *made), holds=holds)


def save_lost(git: GitProgram, repo: Repo, admin: Path, ref_name: str) -> Rescue | None:
    """Save what a registration names and nothing else reaches, where its worktree is gone: what was staged, commits, submodules.

    Raises:
        RescueFailedError: it could not be saved; nothing was made.
    """
    ref, store, at = RESCUE_REFS + ref_name, Place(git_dir=repo.git_dir), Place(git_dir=admin)
    wish = Wish(
        message=f"what {admin.name} held when its directory was gone",
        base=None,
        ignored_patterns=(),
        size_limit_bytes=0,
    )
    made: list[str] = []
    try:
        made += _save_inner(git, store, at, (), ref, wish)
        head, staged = commit_at(git, at, "HEAD"), named.staged(git, at)
        commits, others = named.alone(git, store, at)
        if not (made or staged or commits or others):
            return None
        at_s = int(time.time())
        if len(commits) == 1 and not staged:  # it is what somebody will look for
            git.must(["update-ref", ref, commits[0], ""], at=store)
        else:
            parents = tuple(dict.fromkeys([head, *commits] if head else commits))
            _import(git, store, stream(Snapshot(index=staged), ref=ref, message=f"{wish.message}\n", parents=parents, at_s=at_s))
        commit = _prove(git, store, ref, Snapshot())
        made += _pin(git, store, at, ref)
    except (PolecatError, OSError) as error:
        raise _failed(git, store, [ref, *made, *_below(git, store, ref)], admin, error) from error
    return Rescue(
        ref=ref,
        commit=commit,
        message=wish.message,
        created_at_s=at_s,
        refs=(ref, *made),
        holds="files" if staged or made else "commits",
    )


def _failed(git: GitProgram, store: Place, refs: Sequence[str], where: Path, error: PolecatError | OSError) -> RescueFailedError:
    """Take back what was made, and say why it was not enough."""
    _forget(git, store, refs)
    why = error.message if isinstance(error, PolecatError) else f"{error.filename or where}: {error.strerror or error}"
    hint = getattr(error, "hint", "") or "nothing was deleted; save it by hand, or mend the cause and try again"
    return RescueFailedError(f"the work in {where} could not be saved: {why}", hint=hint)


def _below(git: GitProgram, store: Place, ref: str) -> list[str]:
    with contextlib.suppress(PolecatError):
        return git.must(["for-each-ref", "--format=%(refname)", f"{ref}.sub"], at=store, read_only=True).text.split("\n")[:-1]
    return []


def _pin(git: GitProgram, store: Place, at: Place, ref: str, *, known: Collection[str] = ()) -> list[str]:
    """Make refs for each object that only a registration names, and prove that nothing of it is left without.

    Raises:
        RescueFailedError: something is still reachable from no ref.
    """
    commits, others = named.alone(git, store, at, known=known)
    made = [f"{ref}.sub/named"] if commits else []
    if commits:
        text = f"commits that only {at.git_dir.name} named\n"
        _import(git, store, stream(Snapshot(), ref=made[0], message=text, parents=tuple(commits), at_s=int(time.time())))
    for oid in others:
        made.append(f"{ref}.sub/object-{oid[:16]}")
        git.must(["update-ref", made[-1], oid], at=store)
    if commits and (left := named.alone(git, store, at)[0]):
        raise RescueFailedError(f"{left[0]} is named by {at.git_dir} and reachable from no ref")
    return made


def rescues(git: GitProgram, repo: Repo) -> tuple[Rescue, ...]:
    """List what was saved, oldest first."""
    files.check_repository(repo.git_dir)
    guard.check_refs(repo.git_dir, RESCUE_REFS)
    form = "%(refname)%00%(objectname)%00%(committerdate:unix)%00%(tree)%00%(parent)%00%(contents:subject)"
    lines = git.must(["for-each-ref", f"--format={form}", RESCUE_REFS], at=repo, read_only=True).text.split("\n")[:-1]
    rows = [line.split("\0", 5) for line in lines]
    subs = [row[0] for row in rows if ".sub/" in row[0]]
    tops = [row for row in rows if ".sub/" not in row[0]]
    below = {row[0]: row[4].split(" ") for row in tops}
    trees = _trees_of(git, repo, [first for first, *_ in below.values()])
    alone = named.on_no_remote(git, repo, [commit for commits in below.values() for commit in commits])
    found = []
    for ref, commit, at_s, tree, _, message in tops:
        inner = tuple(sub for sub in subs if sub.startswith(f"{ref}.sub/"))
        has_files = bool(inner) or trees.get(below[ref][0]) != tree
        holds: Holds = "files" if has_files else "tip" if alone.isdisjoint(below[ref]) else "commits"
        found.append(
            Rescue(ref=ref, commit=commit, created_at_s=int(at_s or 0), message=message, refs=(ref, *inner), holds=holds)
        )
    return tuple(sorted(found, key=lambda one: (one.created_at_s, one.ref)))


def _trees_of(git: GitProgram, repo: Repo, commits: Iterable[str]) -> dict[str, str]:
    """Commit → its tree, with one process for all."""
    wanted = [commit for commit in dict.fromkeys(commits) if commit]
    asked = "".join(f"{commit}^{{tree}}\n" for commit in wanted).encode()
    told = git.must(["cat-file", "--batch-check=%(objectname)"], at=repo, read_only=True, stdin=asked).text.split("\n")
    return dict(zip(wanted, told, strict=False))


def drop(git: GitProgram, repo: Repo, rescue: Rescue) -> bool:
    """Delete the refs of a rescue, its own one first, if that still stands where it did."""
    if resolve(git, repo, rescue.ref) != rescue.commit:
        return False
    git.must(["update-ref", "-d", rescue.ref, rescue.commit], at=repo)
    _forget(git, Place(git_dir=repo.git_dir), [ref for ref in rescue.refs if ref != rescue.ref])
    return True


def rescued_files(git: GitProgram, repo: Repo, ref: str) -> Mapping[str, str]:
    """Say what a rescue changes in the commit it stands on: path to ``added``, ``changed`` or ``deleted``."""
    words = ["show", "-s", "--format=%P", ref]
    parents = [one for one in git.must(words, at=repo, read_only=True).text.rstrip("\n").split(" ") if one]
    one = ["diff-tree", "-r", "-z", "--no-renames", "--name-status", "--no-commit-id"]
    tail = [parents[0], ref] if parents else ["--root", ref]
    parts = os.fsdecode(git.must([*one, *tail], at=repo, read_only=True).stdout).split("\0")
    names = {"A": "added", "D": "deleted"}
    return {path: names.get(letter[:1], "changed") for letter, path in zip(parts[::2], parts[1::2], strict=False)}


# ------------------------------------------------------------------------------------------------------ one worktree


def _save(
    git: GitProgram, store: Place, tree: Place, listing: Listing, ref: str, wish: Wish, *, is_wanted: bool
) -> Rescue | None:
    head, snapshot = listing.head, collect(git, tree, listing, wish)
    if snapshot.is_empty and not is_wanted and not _must_pin(git, tree, head, wish):
        return None
    at_s = int(time.time())
    parents = tuple(dict.fromkeys([head, *named.unfinished_heads(git, tree)] if head else []))
    subject = re.sub(r"[\0-\x20]+", " ", wish.message).strip(" ") or "rescue"
    message = f"{subject}\n\nworktree: {tree.work_tree}\nhead: {head or 'none yet'}\n"
    data = stream(snapshot, ref=ref, message=message, parents=parents, at_s=at_s)
    _import(git, store, data)
    commit = _prove(git, store, ref, snapshot)
    has_files = head is None or not snapshot.is_empty
    holds: Holds = "files" if has_files else "commits" if named.on_no_remote(git, tree, parents) else "tip"
    return Rescue(ref=ref, commit=commit, message=subject, created_at_s=at_s, refs=(ref,), holds=holds)


def _must_pin(git: GitProgram, tree: Place, head: str | None, wish: Wish) -> bool:
    """A commit is safe only in what it was merged into: other remote-tracking branches vanish when the remote's do."""
    if head is None:
        return False
    if wish.base is None or named.unfinished_heads(git, tree):
        return True
    return git.run(["merge-base", "--is-ancestor", head, wish.base], at=tree, read_only=True).exit_code != 0


def _import(git: GitProgram, store: Place, data: bytes) -> None:
    began_s = time.time() - 2
    done = git.run(  # two names that differ in case alone are two files, whatever a configuration says
        ["-c", "core.ignoreCase=false", *AS_A_PACK, "fast-import", "--quiet", "--done", "--date-format=raw"],
        at=store,
        stdin=data,
        timeout_s=git.rescue_timeout_s,
    )
    if done.exit_code == 0:
        return
    for report in store.git_dir.glob("fast_import_crash_*"):
        with contextlib.suppress(OSError):
            if report.stat().st_mtime >= began_s:
                report.unlink()
    expect_success(done)


def _prove(git: GitProgram, store: Place, ref: str, snapshot: Snapshot) -> str:
    """Read back what was written: every path with its mode and content, nothing that should be gone, every object there.

    Returns:
        The commit.
    """
    ids = {kind: [blob_id(one.data, is_sha256=kind) for one in snapshot.files.values()] for kind in (False, True)}
    # the first line asks for the commit, the others for the files by both names they may have
    asked = "".join(f"{name}\n" for name in (ref, *(oid for kind in (False, True) for oid in ids[kind])))
    commands = (["ls-tree", "-r", "-z", ref], ["cat-file", "--batch-check"])
    answers = git.together(commands, at=store, stdin=asked.encode(), timeout_s=git.rescue_timeout_s)
    listed, known = map(expect_success, answers)
    commit, _, rest = known.text.partition(" ")
    if not files.is_oid(commit) or not rest.startswith("commit "):
        raise RescueFailedError(f"git said it wrote {ref}, but it is not there")
    blobs = {line.split(" ")[0] for line in known.text.split("\n") if " blob " in line}
    rows = (line.partition("\t") for line in os.fsdecode(listed.stdout).split("\0") if line)
    tree = {path: tuple(words.split(" ")[::2]) for words, _, path in rows}
    for (path, one), oid in zip(snapshot.files.items(), ids[len(commit) == 64], strict=True):
        if tree.get(path) != (one.mode, oid) or oid not in blobs:
            raise RescueFailedError(f"what was written for {path!r} is not what is there")
    for path in snapshot.gone:
        if path in tree:
            raise RescueFailedError(f"{path!r} should be gone in what was written")
    return commit


# ------------------------------------------------------------------------------------------------ repositories inside


def _save_inner(git: GitProgram, store: Place, tree: Place, paths: Sequence[str], ref: str, wish: Wish) -> list[str]:
    """Save every repository inside a worktree into refs of the outer one: its files, its branches, its stash."""
    made: list[str] = []
    try:
        for number, (path, inner) in enumerate(sorted(inner_places(tree, paths).items())):
            made += _save_one_inner(git, store, inner, _inner_ref(ref, number, path.removeprefix("modules/")), wish)
    except BaseException:
        _forget(git, store, made)
        raise
    return made


def _inner_ref(ref: str, number: int, path: str) -> str:
    return f"{ref}.sub/{number}-{re.sub(r'[^A-Za-z0-9_-]+', '-', path).strip('-') or 'x'}"


def _save_one_inner(git: GitProgram, store: Place, inner: Place, prefix: str, wish: Wish) -> list[str]:
    """Save one repository, or one linked worktree of a repository that is elsewhere, whose refs are not this place's."""
    work, common = f"{prefix}/work", files.common_dir(inner.git_dir)
    is_linked = common != inner.git_dir
    is_ours = is_linked and os.path.realpath(common) == os.path.realpath(files.common_dir(store.git_dir))
    own = {} if is_linked else refs_on_no_remote(git, inner)
    must = is_linked or bool(own) or unpushed(git, inner) > 0
    listing = list_tree(git, inner) if inner.work_tree is not None else None
    made = _save_inner(git, inner, inner, listing.inner if listing else (), work, wish)
    try:
        if listing is not None:
            plain = evolve(wish, base=None if must else "HEAD")
            made += [work] if _save(git, inner, inner, listing, work, plain, is_wanted=bool(made)) else []
        if is_ours:
            return made + (_pin(git, store, inner, work) if work in made else [])  # they are refs of the outer one already
        made += _pin(git, inner, inner, work) if must and not is_linked else []
        _copy_refs(git, store, inner, {**{one: one for one in made}, **{one: f"{prefix}/{one[5:]}" for one in own}})
    finally:
        if not is_ours:
            _forget(git, inner, [work, *made])
    return git.must(["for-each-ref", "--format=%(refname)", prefix], at=store, read_only=True).text.split("\n")[:-1]


def _copy_refs(git: GitProgram, store: Place, inner: Place, names: Mapping[str, str]) -> None:
    """Fetch refs of a repository inside, each by its new name, and prove that they came: of a shallow one git takes none, and says nothing."""
    if not names:
        return
    words = [*AS_A_PACK, "-c", "protocol.file.allow=always", "fetch", "-q", "--no-tags", "--no-prune", "--no-write-fetch-head"]
    # told where its files are, because those of a submodule may be gone, and the other side would go there
    there = f"env GIT_WORK_TREE={shlex.quote(str(inner.work_tree or inner.git_dir))} git upload-pack"
    words += ["--no-auto-maintenance", "--no-recurse-submodules", f"--upload-pack={there}", "--refmap=", str(inner.git_dir)]
    git.must([*words, *(f"{old}:{new}" for old, new in names.items())], at=store, timeout_s=git.rescue_timeout_s)
    there_are, here = (_ids(git, at, which) for at, which in ((inner, names), (store, names.values())))
    if missing := [old for old, new in names.items() if not there_are.get(old) or here.get(new) != there_are[old]]:
        is_cut = (inner.git_dir / "shallow").exists()
        raise RescueFailedError(
            f"git did not copy {missing[0]} of {inner.git_dir}" + (", a shallow clone" if is_cut else ""),
            hint="push its commits" + (", or make it whole with 'git fetch --unshallow' there" if is_cut else ""),
        )


def _ids(git: GitProgram, at: Place, names: Collection[str]) -> dict[str, str]:
    text = git.must(["for-each-ref", "--format=%(refname) %(objectname)", *names], at=at, read_only=True).text
    return {name: oid for name, _, oid in (line.partition(" ") for line in text.split("\n") if line)}


def _forget(git: GitProgram, store: Place, refs: Sequence[str]) -> None:
    for ref in refs:
        with contextlib.suppress(PolecatError):
            git.run(["update-ref", "-d", ref], at=store)
