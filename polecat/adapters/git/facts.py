"""What of a worktree's work exists nowhere else.

Every question that can be asked beside the others is (the processes overlap), and every answer that is missing, late, unknown or came
with a warning ends in ``problems``: git says nothing and returns 0 for a directory it could not open, and that must not look clean.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import define, evolve, field

from polecat.adapters.git import files, guard, named, refs
from polecat.adapters.git.fast_import import blob_id
from polecat.adapters.git.inner import in_tracked, inner_places, unpushed
from polecat.adapters.git.run import GitProgram, Place, error_line
from polecat.adapters.git.stale import MOVING
from polecat.adapters.git.status import LISTING, STATUS, StatusEntry, Tracked, parse_listing, parse_status, read_index
from polecat.adapters.processes.program import Finished
from polecat.errors import GitError, PolecatError, ProgramError, UnknownStateError
from polecat.ports import GitFacts, Merged, Repo, Worktree

_IN_PROGRESS = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply/rebasing": "rebase",
    "rebase-apply/applying": "am",
    "sequencer": "sequencer",
    "BISECT_LOG": "bisect",
    "index.lock": "index.lock",
}
_STASH_BRANCH = re.compile(r"(?:WIP on|On) (.+?): ")


@define(kw_only=True)
class Gathering:
    """One worktree being looked at; findings pile up in `facts`."""

    git: GitProgram
    repo: Repo
    place: Place
    base: str | None
    facts: GitFacts = field(factory=GitFacts)

    @property
    def admin_dir(self) -> Path:
        """The worktree's registration."""
        return self.place.git_dir

    @property
    def path(self) -> Path:
        """The worktree's directory."""
        assert self.place.work_tree is not None
        return self.place.work_tree

    def problem(self, text: str) -> None:
        """Note what could not be found out."""
        self.facts = evolve(self.facts, problems=(*self.facts.problems, text))


_MAX_INDEX_BYTES = 1 << 30
"""A hundred bytes and more for each file that is tracked."""


def place_of(repo: Repo, worktree: Worktree) -> Place:
    """Say where commands for a worktree work, after proving that it is what it says.

    Raises:
        GitError: it is neither a worktree of the repository nor one that was taken away from it.
    """
    admin = files.identify(repo.git_dir, worktree.path)
    stands = admin is not None and os.path.realpath(admin) == os.path.realpath(worktree.admin_dir)
    is_dropped = worktree.admin_dir == worktree.path.with_name(worktree.path.name + ".admin") and worktree.path.is_dir()
    if stands or (is_dropped and files.read_text(worktree.admin_dir / "HEAD")):
        return Place(git_dir=worktree.admin_dir, work_tree=worktree.path)
    raise GitError(f"{worktree.path} is not a worktree of {repo.git_dir}", cwd=repo.path)


def gather(git: GitProgram, repo: Repo, worktree: Worktree, *, base: str | None) -> GitFacts:
    """Find out what of a worktree's work exists nowhere else. See `polecat.ports.Git.facts`."""
    place = place_of(repo, worktree)
    looking = Gathering(git=git, repo=repo, place=place, base=base)
    guard.check_refs(repo.git_dir, "refs/remotes")
    _read_head(looking)
    head = looking.facts.head
    questions: dict[str, Sequence[str]] = {"status": [*files.what_the_disk_keeps(worktree.path), *STATUS, "--find-renames"]}
    index = files.read_bytes(place.git_dir / "index", limit_bytes=_MAX_INDEX_BYTES)
    tracked = read_index(index) if index and head and len(head) == 40 else None
    if tracked is None:
        questions["files"] = LISTING
    if head is not None:
        begun = named.unfinished_heads(git, place)
        if begun or head not in refs.listed(git, repo, "refs/remotes/").values():
            questions["commits"] = ["rev-list", "--count", head, *begun, "--not", "--remotes"]
        if base is not None:
            questions["base"] = ["merge-base", "--is-ancestor", head, base]
    if refs.resolve(git, repo, "refs/stash") is not None:
        questions["stashes"] = ["log", "-g", "--no-show-signature", "--encoding=UTF-8", "--format=%H%x00%s", "refs/stash", "--"]
    answers = _ask(looking, questions)
    entries = _read_status(looking, answers.get("status"))
    tracked = tracked or _tracked(looking, answers.get("files"))
    _read_hidden(looking, tracked, entries)
    _read_commits(looking, answers.get("commits"), answers.get("base"))
    _read_stashes(looking, answers.get("stashes"))
    _read_inner_repositories(looking, entries, tracked)
    return looking.facts


def _ask(looking: Gathering, questions: Mapping[str, Sequence[str]]) -> dict[str, Finished]:
    """Ask all at once; leave out what was not answered."""
    answers: dict[str, Finished] = {}
    for name, answer in zip(questions, looking.git.together(list(questions.values()), at=looking.place), strict=True):
        if isinstance(answer, ProgramError):
            looking.problem(f"{name}: {answer.message}")
        else:
            answers[name] = answer
    return answers


def _text(looking: Gathering, what: str, done: Finished | None) -> str | None:
    """Return what git said if it said it without a doubt, otherwise note the problem."""
    if done is None:
        return None
    if done.exit_code != 0 or done.stderr.strip(b"\n"):
        looking.problem(f"{what}: git exited {done.exit_code}: {error_line(done.error_text)}")
    return os.fsdecode(done.stdout) if done.exit_code == 0 else None


def _count(looking: Gathering, what: str, done: Finished | None) -> int | None:
    text = _text(looking, what, done)
    if text is None or re.fullmatch(r"[0-9]+\n?", text):
        return None if text is None else int(text)
    looking.problem(f"{what}: git said {text[:60]!r}, which is no number")
    return None


def _lock_of(admin: Path) -> str:
    reason = files.read_text(admin / "locked")
    return "" if reason is None or reason == MOVING else reason.strip("\n") or "no reason was given"


def _read_head(looking: Gathering) -> None:
    admin = looking.admin_dir
    branch, head = refs.head(looking.git, looking.repo, looking.place)
    begun = refs.pseudo_refs(looking.git, looking.place)
    under_way = tuple(
        dict.fromkeys(word for name, word in _IN_PROGRESS.items() if name in begun or os.path.lexists(admin / name))
    )
    if not (admin / "index").exists():  # then only its maker can have died here: nobody works without an index
        under_way = tuple(word for word in under_way if word != "index.lock")
    looking.facts = evolve(
        looking.facts,
        head=head,
        branch=branch or files.rebased_branch(admin),
        is_detached=branch is None,
        in_progress=under_way,
        locked=_lock_of(admin),
        abandoned=tuple(named.abandoned(looking.git, Place(git_dir=looking.repo.git_dir), looking.place)),
    )


def _read_status(looking: Gathering, done: Finished | None) -> tuple[StatusEntry, ...]:
    text = _text(looking, "status", done)
    if text is None or done is None:
        return ()
    try:
        entries = parse_status(done.stdout)
    except UnknownStateError as error:
        looking.problem(error.message)
        return ()
    if not (looking.admin_dir / "index").exists():
        entries = _without_half_made(looking, entries)
    plain = [entry for entry in entries if entry.kind in ("1", "2")]
    by_kind = {kind: tuple(entry.path for entry in entries if entry.kind == kind) for kind in "2u?!"}
    looking.facts = evolve(
        looking.facts,
        modified=tuple(entry.path for entry in plain if entry.unstaged != "." and not _is_only_inside(entry)),
        staged=tuple(entry.path for entry in plain if entry.staged != "." and entry.kind == "1"),
        renamed=by_kind["2"],
        conflicted=by_kind["u"],
        untracked=tuple(path for path in by_kind["?"] if not path.endswith("/")),
        ignored=by_kind["!"],
    )
    return entries


def _is_only_inside(entry: StatusEntry) -> bool:
    return entry.is_submodule and entry.submodule[1] != "C"


def _without_half_made(looking: Gathering, entries: tuple[StatusEntry, ...]) -> tuple[StatusEntry, ...]:
    """A worktree without an index was never filled to its end: files that are as in the commit, or missing, are no work."""
    if looking.facts.head is None:
        return entries
    tree = _text(looking, "files", looking.git.run(["ls-tree", "-r", "-z", looking.facts.head], at=looking.place, read_only=True))
    rows = (line.partition("\t") for line in (tree or "").split("\0") if line)
    known = {path: words.split(" ")[2] for words, _, path in rows}
    kept = (entry for entry in entries if entry.kind != "1" or entry.staged != "D")
    return tuple(
        entry
        for entry in kept
        if entry.kind != "?" or _is_blob(looking, looking.path / entry.path, known.get(entry.path, "")) is not True
    )


def _tracked(looking: Gathering, done: Finished | None) -> Tracked:
    if done is None or _text(looking, "files", done) is None:
        return Tracked()
    try:
        return parse_listing(done.stdout)
    except UnknownStateError as error:
        looking.problem(f"files: {error.message}")
        return Tracked()


def _read_hidden(looking: Gathering, tracked: Tracked, entries: tuple[StatusEntry, ...]) -> None:
    seen = {entry.path for entry in entries}
    hidden = {path: oid for path, oid in tracked.hidden.items() if path not in seen}
    looking.facts = evolve(looking.facts, hidden=tuple(_edited(looking, looking.place, hidden)))


def _edited(looking: Gathering, tree: Place, hidden: Mapping[str, str]) -> list[str]:
    """Find edits that git was told not to look at."""
    assert tree.work_tree is not None or not hidden
    return [path for path, oid in hidden.items() if tree.work_tree and _is_blob(looking, tree.work_tree / path, oid) is False]


def _is_blob(looking: Gathering, path: Path, oid: str) -> bool | None:
    """Say whether a file is the blob; None when there is no file."""
    try:
        mode = os.lstat(path).st_mode
        data = os.fsencode(os.readlink(path)) if stat.S_ISLNK(mode) else path.read_bytes() if stat.S_ISREG(mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        looking.problem(f"{path}: {error.strerror}")
        return False
    return data is not None and blob_id(data, is_sha256=len(oid) == 64) == oid


def _read_commits(looking: Gathering, commits: Finished | None, base: Finished | None) -> None:
    facts = looking.facts
    if facts.head is None:
        return
    unpushed = _count(looking, "commits", commits) or 0  # not asked where a remote's branch stands at that very commit
    if unpushed and looking.base is not None and not refs.listed(looking.git, looking.repo, "refs/remotes/"):
        rest = ["rev-list", "--count", facts.head, *named.unfinished_heads(looking.git, looking.place), f"^{looking.base}"]
        unpushed = _count(looking, "commits", looking.git.run(rest, at=looking.place, read_only=True)) or 0
    merged: Merged = "unknown"
    if base is not None and base.exit_code in (0, 1) and not base.stderr:
        merged = "ancestor" if base.exit_code == 0 else same_changes(looking.git, looking.place, looking.base or "", facts.head)
    looking.facts = evolve(looking.facts, unpushed=unpushed, merged=merged)


def same_changes(git: GitProgram, at: Repo | Place, base: str, head: str) -> Merged:
    """Squash merges leave no ancestry; but merging again then changes nothing of the base."""
    merge = git.run(["merge-tree", "--write-tree", base, head], at=at, extra_env=_no_drivers(git, at))
    tree = git.run(["rev-parse", "-q", "--verify", f"{base}^{{tree}}"], at=at, read_only=True)
    if merge.exit_code == 1:
        return "no"
    if merge.exit_code != 0 or tree.exit_code != 0:
        return "unknown"
    return "same changes" if merge.text == tree.text else "no"


def _no_drivers(git: GitProgram, at: Repo | Place) -> dict[str, str]:
    """Let every merge driver of somebody's own fail, as a conflict does: one that keeps "ours" makes any work look merged."""
    words = ["config", "-z", "--name-only", "--get-regexp", r"^merge\..*\.driver$"]
    keys = list(dict.fromkeys(filter(None, git.run(words, at=at, read_only=True).text.split("\0"))))
    pairs = {f"GIT_CONFIG_KEY_{at}": key for at, key in enumerate(keys)} | {
        f"GIT_CONFIG_VALUE_{at}": "false" for at in range(len(keys))
    }
    return {"GIT_CONFIG_COUNT": str(len(keys)), **pairs}


def _read_stashes(looking: Gathering, done: Finished | None) -> None:
    if done is None:
        return
    text = _text(looking, "stashes", done) or ""
    rows = [line.partition("\0") for line in text.split("\n") if line]
    if not rows or not all(files.is_oid(commit) for commit, _, _ in rows):
        looking.problem("stashes: refs/stash exists but its log cannot be read")
    branch = looking.facts.branch or ""
    names = (branch, branch.rpartition("/")[2])  # before 2.36 git wrote only what stands behind the last slash
    branches = ((commit, _STASH_BRANCH.match(subject)) for commit, _, subject in rows)
    ours = tuple(commit for commit, found in branches if branch and found and found[1] in names)
    looking.facts = evolve(looking.facts, stashes=ours)


def _read_inner_repositories(looking: Gathering, entries: tuple[StatusEntry, ...], tracked: Tracked) -> None:
    changed = [
        f"{entry.path}: changed files" for entry in entries if entry.is_submodule and {"M", "U"} & set(entry.submodule[2:])
    ]
    changed += _submodule_work(looking, looking.place, tracked.links, "")
    inner = [entry.path for entry in entries if entry.kind in ("?", "!") and entry.path.endswith("/")]
    unread: list[OSError] = []
    at_top_only = looking.base is None
    found = [
        one
        for path in inner
        for one in files.repositories_below(looking.path, path, at_top_only=at_top_only, onerror=unread.append)
    ]
    for failed in unread:
        if not isinstance(failed, FileNotFoundError):  # it has just gone, so nothing is in it
            looking.problem(f"{failed.filename}: {failed.strerror}")
    nested = dict.fromkeys(f"{one}/" for one in (*in_tracked(looking.path, tracked.folders), *found))
    looking.facts = evolve(looking.facts, submodules=tuple(changed), nested=tuple(nested))


def _submodule_work(looking: Gathering, tree: Place, paths: Sequence[str], above: str) -> Iterator[str]:
    """Say what the submodules at some paths have that git does not show from outside, and those inside of them."""
    try:
        places = inner_places(tree, paths)
    except (PolecatError, OSError) as error:
        looking.problem(f"submodules: {error}")
        return
    for path, at in places.items():
        name = above + path.removeprefix("modules/")
        try:
            count, tracked = unpushed(looking.git, at), Tracked()
            if at.work_tree is not None:
                tracked = parse_listing(looking.git.must(LISTING, at=at, read_only=True).stdout)
        except PolecatError as error:
            looking.problem(f"submodule {name}: {error.message}")
            continue
        if count:
            yield f"{name}: {count} unpushed commit(s)"
        yield from (f"{name}: {file} changed, which git was told not to look at" for file in _edited(looking, at, tracked.hidden))
        yield from _submodule_work(looking, at, tracked.links, f"{name}/")
